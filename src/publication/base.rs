//! The root to go on from, found by what the name and the journal say.

use super::journal::Blocks;
use super::{Journal, PublicationError, Site, Tree};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::dag_pb::Node;
use crate::ipfs::directory::{Directory, Entry};
use crate::ipfs::file::add_file;
use crate::node::NodeError;

/// The first root's one file. Nix and older Guix ask for it.
const CACHE_INFO: &[u8] = b"StoreDir: /gnu/store\nWantMassQuery: 0\nPriority: 100\n";

/// What the name of a key ends with until its first journal is pinned.
const NEW: &str = ".new";

/// What is known of a name before a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What the name points to, if it resolves.
    pub published: Option<Cid>,
    /// The journals of the key, the newest first.
    pub journals: Vec<Journal>,
}

/// The root that new files are grafted onto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The root.
    pub root: Cid,
    /// What the name points to, if it resolves. Where it is not the root, the
    /// root is published even if nothing is new.
    pub published: Option<Cid>,
    /// The journals of the key, the newest first.
    pub journals: Vec<Journal>,
}

/// How the key came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It was there before this run, so its name may have been published.
    Old,
    /// It has not got its name on the node yet, which comes after its first
    /// journal and before its first publication. So nothing can have been
    /// published under it, and a run that is killed until then is begun again.
    New,
}

/// Asks the name and the journal.
pub fn find(site: &Site) -> Result<Found, PublicationError> {
    Ok(Found {
        published: site.resolve()?,
        journals: Journal::find(site)?,
    })
}

/// Decides which root to go on from; `word` is the person's (`--base`).
///
/// # Errors
/// Whenever that is not certain: each error names the way out.
pub fn chosen(site: &Site, found: &Found, word: Option<Cid>) -> Result<Cid, PublicationError> {
    let newest = found.journals.first().map(|journal| journal.root);
    let knows = |root: &Cid| {
        found
            .journals
            .iter()
            .any(|journal| journal.root == *root || journal.previous == Some(*root))
    };
    let root = match (word, found.published, newest) {
        (Some(root), ..) => root,
        (None, Some(root), Some(newest)) if knows(&root) => newest,
        (None, Some(resolved), Some(journal)) => {
            return Err(PublicationError::Diverged {
                name: site.key.id.clone(),
                resolved: Box::new(resolved),
                journal: Box::new(journal),
            });
        }
        (None, None, Some(newest)) => newest,
        (None, Some(root), None) => root,
        (None, None, None) => {
            let name = site.key.id.clone();
            return Err(PublicationError::Unknown { name });
        }
    };
    match Tree::new(site.node, root).is_mirror() {
        Ok(true) => Ok(root),
        Ok(false) => Err(PublicationError::NotAMirror {
            root: Box::new(root),
        }),
        // As on a new machine, before anything was fetched from the network.
        Err(PublicationError::Node(source)) if source.is_lacking() => Err(not_whole(root, source)),
        Err(error) => Err(error),
    }
}

fn not_whole(root: Cid, source: NodeError) -> PublicationError {
    PublicationError::NotWhole {
        root: Box::new(root),
        source,
    }
}

/// What the node calls a new key that is to be `name`.
pub fn name_of_new_key(name: &str) -> String {
    format!("{name}{NEW}")
}

/// Goes on from the chosen root and makes sure that a journal holds it. Under a
/// new key there is nothing to go on from: a first root is made.
pub fn adopt(
    site: &mut Site,
    found: Found,
    key_state: KeyState,
    word: Option<Cid>,
) -> Result<Base, PublicationError> {
    if key_state == KeyState::New && word.is_none() {
        return begin(site, found, key_state, CidVersion::V0);
    }
    let base = Base {
        root: chosen(site, &found, word)?,
        published: found.published,
        journals: found.journals,
    };
    let base = match base.journals.first() {
        Some(journal) if journal.root == base.root => base,
        _ => {
            if word.is_none() {
                refuse_mixed(site, base.root)?;
            }
            pin_adopted(site, base)?
        }
    };
    name_new_key(site, key_state)?;
    Ok(base)
}

/// Makes the first root, with `nix-cache-info` alone. It is not published yet.
pub fn begin(
    site: &mut Site,
    mut found: Found,
    key_state: KeyState,
    version: CidVersion,
) -> Result<Base, PublicationError> {
    let (root, blocks) = first_root(version);
    // A run that was killed may have come so far.
    if found.journals.first().map(|journal| journal.root) != Some(root.cid) {
        let journal = Journal::write(site, &root, blocks, None, found.journals.first())?;
        found.journals.insert(0, journal);
    }
    name_new_key(site, key_state)?;
    Ok(Base {
        root: root.cid,
        published: found.published,
        journals: found.journals,
    })
}

fn name_new_key(site: &mut Site, key_state: KeyState) -> Result<(), PublicationError> {
    if key_state == KeyState::New
        && let Some(name) = site.key.name.strip_suffix(NEW)
    {
        let name = name.to_owned();
        site.node.key_rename(&site.key, &name)?;
        site.key.name = name;
    }
    Ok(())
}

/// The first root with its blocks.
fn first_root(version: CidVersion) -> (Entry, Blocks) {
    let mut blocks = Blocks::new();
    let mut put = |cid, block| {
        blocks.push((cid, block));
        Ok(())
    };
    // Reading from memory does not fail, and neither does `put`.
    let added = add_file(version, &mut &CACHE_INFO[..], &mut put);
    let entries = added.map(|added| {
        let entry = Entry {
            cid: added.cid,
            size: added.cumulative,
        };
        ("nix-cache-info".to_owned(), entry)
    });
    let entries = entries.into_iter().collect();
    let (block, root) = Directory { entries }.encode(version);
    blocks.push((root.cid, block));
    (root, blocks)
}

/// What this program has not made may be of both CID versions.
fn refuse_mixed(site: &Site, root: Cid) -> Result<(), PublicationError> {
    match Tree::new(site.node, root).of_other_version() {
        Ok(Some(path)) => Err(PublicationError::Mixed {
            root: Box::new(root),
            path,
        }),
        // Pinning it will tell.
        Err(PublicationError::Node(error)) if error.is_lacking() => Ok(()),
        done => done.map(|_| ()),
    }
}

/// A root that no journal holds is pinned through a new one, which also proves
/// that it is whole here.
fn pin_adopted(site: &Site, mut base: Base) -> Result<Base, PublicationError> {
    let block = site.node.block_get(&base.root)?;
    let size = Node::decode(&block).map_or(0, |node| node.cumulative_size(block.len()));
    let root = Entry {
        cid: base.root,
        size,
    };
    let newest = base.journals.first();
    let written = Journal::write(site, &root, Blocks::new(), base.published, newest);
    let journal = written.map_err(|error| match error {
        PublicationError::Node(source) if source.is_lacking() => not_whole(base.root, source),
        other => other,
    })?;
    base.journals.insert(0, journal);
    Ok(base)
}
