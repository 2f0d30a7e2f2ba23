//! Grafting with `object patch add-link`: each new file is linked on its own,
//! children first, so that a directory is linked into its parent when it is done.
//!
//! The same tree is computed here, and the two roots must agree: a node that
//! corrupts a directory silently (as Kubo before 0.4x does with sharded ones)
//! is found out before anything is published.

use super::{PublicationError, Tree, join};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Directory, Entry, empty};
use crate::node::Node;
use std::collections::BTreeMap;

/// A file that was staged and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// The names from the root down, each already validated.
    pub path: Vec<String>,
    /// The staged file.
    pub entry: Entry,
}

/// The root of `tree` with `files` in it. Directories are made as needed, in
/// the root's CID version; add-link's own `create` knows only CIDv0.
///
/// # Errors
/// [`PublicationError::Sharded`] or [`PublicationError::Occupied`] before
/// anything is changed.
pub fn add_link(node: &Node, tree: &Tree, files: &[NewFile]) -> Result<Cid, PublicationError> {
    let version = CidVersion::of(&tree.root);
    let mut folders = Folder::default();
    for file in files {
        folders.insert(&file.path, file.entry);
    }
    let planned = plan(tree, Some(tree.root), &mut Vec::new(), &folders, version)?;
    let grafted = link(node, &planned, version)?;
    match grafted == planned.after.cid {
        true => Ok(grafted),
        false => Err(PublicationError::Disagreement {
            node: Box::new(grafted),
            ours: Box::new(planned.after.cid),
        }),
    }
}

/// The new files of one directory and of those below it.
#[derive(Default)]
struct Folder {
    files: BTreeMap<String, Entry>,
    folders: BTreeMap<String, Folder>,
}

impl Folder {
    fn insert(&mut self, path: &[String], entry: Entry) {
        match path {
            [] => {}
            [name] => {
                self.files.insert(name.clone(), entry);
            }
            [name, below @ ..] => {
                let folder = self.folders.entry(name.clone()).or_default();
                folder.insert(below, entry);
            }
        }
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
    new: &Folder,
    version: CidVersion,
) -> Result<Planned, PublicationError> {
    let mut directory = match before {
        Some(cid) => Directory::clone(&*tree.directory(&cid)?),
        None => Directory::default(),
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
    for (name, entry) in &new.files {
        match directory.entries.insert(name.clone(), *entry) {
            Some(old) if old.cid == entry.cid => {}
            Some(_) => {
                path.push(name.clone());
                return Err(PublicationError::Occupied(join(path)));
            }
            None => {
                files.insert(name.clone(), *entry);
            }
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

fn link(node: &Node, planned: &Planned, version: CidVersion) -> Result<Cid, PublicationError> {
    let mut directory = match planned.before {
        Some(cid) => cid,
        None => {
            let (block, entry) = empty(version);
            node.block_put(&entry.cid, &block)?;
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
