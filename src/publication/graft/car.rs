//! Grafting here: each touched directory is patched once, children first, and
//! only the blocks that changed are handed out.

use super::{Folder, version_of};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Changes, Entry, patch};
use crate::node::NodeError;
use crate::publication::{PublicationError, Tree};

/// The root of `tree` with the files of `folder` in it.
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
        changes.insert(name.clone(), Some(entry));
    }
    for (name, entry) in &folder.files {
        changes.insert(name.clone(), Some(*entry));
    }
    Ok(patch(tree, before.as_ref(), changes, version, put)?)
}
