//! Grafting here: each touched directory is patched once, children first, and
//! only the blocks that changed are handed out.

use super::{Folder, version_of};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Changes, Entry, empty, patch};
use crate::node::NodeError;
use crate::publication::{PublicationError, Tree};

/// The root of `tree` with the files of `folder` in it and without those that it
/// removes. A directory that nothing is left in goes too: it is none of those
/// that the remaining files make.
pub fn graft(
    tree: &Tree,
    folder: &Folder,
    put: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), NodeError>,
) -> Result<Entry, PublicationError> {
    directory(tree, Some(tree.root), folder, version_of(tree), put)
}

fn directory(
    tree: &Tree,
    before: Option<Cid>,
    folder: &Folder,
    version: CidVersion,
    put: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), NodeError>,
) -> Result<Entry, PublicationError> {
    let mut changes = Changes::new();
    for (name, below) in &folder.folders {
        let there = match before {
            Some(cid) => tree.entry(&cid, name)?,
            None => None,
        };
        let entry = directory(tree, there.map(|entry| entry.cid), below, version, put)?;
        let is_empty = entry.cid == empty(version).1.cid;
        changes.insert(name.clone(), (!is_empty).then_some(entry));
    }
    changes.extend(folder.removed.iter().map(|name| (name.clone(), None)));
    for (name, entry) in &folder.files {
        changes.insert(name.clone(), Some(*entry));
    }
    Ok(patch(tree, before.as_ref(), changes, version, put)?)
}
