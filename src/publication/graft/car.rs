//! Grafting here: each touched directory is patched once, children first, and
//! only the blocks that changed are handed out.

use super::changes::FolderChanges;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Changes, Entry, empty, patch_around};
use crate::publication::error::PublicationError;
use crate::publication::stage::Stage;
use crate::publication::tree::Tree;

/// The root of `tree` with these changes. A directory that nothing is left in goes
/// too: the remaining files would not make it.
pub fn graft(
    tree: &Tree,
    changes: &FolderChanges,
    stage: &Stage,
) -> Result<Entry, PublicationError> {
    directory(tree, Some(tree.root), changes, stage)
}

fn directory(
    tree: &Tree,
    before: Option<Cid>,
    folder: &FolderChanges,
    stage: &Stage,
) -> Result<Entry, PublicationError> {
    let version = CidVersion::of(&tree.root);
    let mut changes = Changes::new();
    for (name, below) in &folder.folders {
        let there = match before {
            Some(cid) => tree.entry(&cid, name)?,
            None => None,
        };
        let entry = directory(tree, there.map(|entry| entry.cid), below, stage)?;
        let is_empty = entry.cid == empty(version).1.cid;
        changes.insert(name.clone(), (!is_empty).then_some(entry));
    }
    changes.extend(folder.entries.clone());
    let mut sink = |cid, block| stage.block(cid, block);
    Ok(patch_around(
        tree,
        before.as_ref(),
        &folder.lost,
        changes,
        version,
        &mut sink,
    )?)
}
