//! Grafting by the node's `object patch add-link`: each new file is linked on its own,
//! children first, so that a directory is linked into its parent when it is done.
//!
//! The same tree is computed here, and the two roots must agree: a node that
//! corrupts a directory silently (as Kubo 0.31 does with sharded ones)
//! is noticed before anything is published.

use super::changes::FolderChanges;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{DirectoryNode, Entry, PlainDirectory, empty};
use crate::node::Node;
use crate::publication::error::{PublicationError, join};
use crate::publication::tree::Tree;
use std::collections::BTreeMap;

/// The root of `tree` with these new files. Directories are made as needed, in the
/// root's CID version; add-link's own `create` supports only CIDv0.
///
/// # Errors
/// [`PublicationError::Sharded`] before anything is changed.
pub fn graft(tree: &Tree, changes: &FolderChanges) -> Result<Entry, PublicationError> {
    let version = CidVersion::of(&tree.root);
    let planned = plan(tree, Some(tree.root), &mut Vec::new(), changes, version)?;
    let grafted = link(tree.node(), &planned, version)?;
    match grafted == planned.after.cid {
        true => Ok(planned.after),
        false => Err(PublicationError::Disagreement {
            node: Box::new(grafted),
            ours: Box::new(planned.after.cid),
        }),
    }
}

/// A directory as it is and as it will be.
struct Planned {
    /// `None` where it is new.
    before: Option<Cid>,
    after: Entry,
    /// Links to add, those to the directories below left out.
    files: BTreeMap<String, Entry>,
    folders: BTreeMap<String, Planned>,
}

fn plan(
    tree: &Tree,
    before: Option<Cid>,
    path: &mut Vec<String>,
    new: &FolderChanges,
    version: CidVersion,
) -> Result<Planned, PublicationError> {
    let mut directory = match before {
        Some(cid) => match &*tree.top(&cid)? {
            DirectoryNode::Plain(directory) => directory.clone(),
            DirectoryNode::Sharded(_) => return Err(PublicationError::Sharded(join(path))),
        },
        None => PlainDirectory::default(),
    };
    let mut folders = BTreeMap::new();
    for (name, folder) in &new.folders {
        let below = directory.entries.get(name).map(|entry| entry.cid);
        path.push(name.clone());
        let planned = plan(tree, below, path, folder, version)?;
        path.pop();
        directory.entries.insert(name.clone(), planned.after);
        folders.insert(name.clone(), planned);
    }
    let mut files = BTreeMap::new();
    // Nothing is removed in this way.
    let added = new.entries.iter();
    for (name, entry) in added.filter_map(|(name, entry)| Some((name, (*entry)?))) {
        match directory.entries.insert(name.clone(), entry) {
            Some(old) if old.cid == entry.cid => {}
            // What may be replaced was decided before.
            _ => drop(files.insert(name.clone(), entry)),
        }
    }
    if directory.must_be_sharded() {
        return Err(PublicationError::Sharded(join(path)));
    }
    Ok(Planned {
        before,
        after: directory.encode(version).1,
        files,
        folders,
    })
}

fn link(node: &dyn Node, planned: &Planned, version: CidVersion) -> Result<Cid, PublicationError> {
    let mut directory = match planned.before {
        Some(cid) => cid,
        None => {
            let (block, entry) = empty(version);
            node.put_block(&entry.cid, &block)?;
            entry.cid
        }
    };
    for (name, folder) in &planned.folders {
        let below = link(node, folder, version)?;
        directory = node.add_link(&directory, name, &below)?;
    }
    for (name, entry) in &planned.files {
        directory = node.add_link(&directory, name, &entry.cid)?;
    }
    Ok(directory)
}
