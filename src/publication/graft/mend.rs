//! The tree without the parts of it that cannot be read.

use super::car;
use super::changes::FolderChanges;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Entry, LostShard};
use crate::publication::base::CACHE_INFO;
use crate::publication::error::PublicationError;
use crate::publication::stage::Stage;
use crate::publication::tree::{CACHE_INFO_NAME, PAGE_NAME, Tree};

/// A part of a publication that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Shards of the directory at this path.
    Shards(Vec<String>, Vec<LostShard>),
    /// The directory at this path, below the root.
    Directory(Vec<String>),
    /// `nix-cache-info`.
    CacheInfo,
    /// The page for people.
    Page,
    /// A journal, which lies beside the tree.
    Journal(Cid),
    /// The file of the ledger at this path, or the whole ledger.
    Ledger(Option<String>),
}

/// The root of `tree` without what is damaged, and with a new `nix-cache-info`; new
/// blocks go to `stage`. The names that stood in a lost directory or shard are gone.
pub fn mend(
    tree: &Tree,
    stage: &Stage,
    damages: impl IntoIterator<Item = Damage>,
) -> Result<Entry, PublicationError> {
    let mut changes = FolderChanges::default();
    for damage in damages {
        match damage {
            Damage::Shards(directory, lost) => changes.folder(&directory).lost.extend(lost),
            Damage::Directory(path) => changes.remove(&path),
            // It is written again with the root, where the mirror keeps one.
            Damage::Page => changes.remove(&[PAGE_NAME.to_owned()]),
            Damage::CacheInfo => {
                let entry = stage.content(CACHE_INFO_NAME, CACHE_INFO)?;
                let name = CACHE_INFO_NAME.to_owned();
                changes.entries.insert(name, Some(entry));
            }
            Damage::Journal(_) | Damage::Ledger(_) => {}
        }
    }
    car::graft(tree, &changes, stage)
}
