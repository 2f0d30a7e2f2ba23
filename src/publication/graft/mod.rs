//! Two ways to graft new files into the published tree, one result.

mod add_link;
mod car;

use super::{PublicationError, Tree, join};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Entry, SHARDING_BYTES, Top, entry_bytes};
use crate::node::{Node, NodeError};
use std::collections::{BTreeMap, BTreeSet};

/// The most new files for which `auto` takes add-link: each costs two calls and
/// rewrites its directory, where CAR costs a few calls for all. Measured on
/// Kubo 0.44 beside 1,000 items: 60 files in 0.38 s, against 0.03 s with CAR. It
/// is the node's own everyday way, and this bounds what it may cost.
const MAX_ADD_LINK_FILES: usize = 64;

/// How files are staged and grafted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Each file is added on its own and linked by the node.
    AddLink,
    /// Files and directories are built here; only new blocks go to the node.
    Car,
}

/// A file that was staged and where it belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// The names from the root down, each already validated.
    pub path: Vec<String>,
    /// The staged file.
    pub entry: Entry,
}

/// The engine for files at these paths: add-link while they are few and every
/// directory on the way is and stays plain.
pub fn choose<'p>(
    tree: &Tree,
    paths: impl ExactSizeIterator<Item = &'p [String]>,
) -> Result<Engine, PublicationError> {
    if paths.len() > MAX_ADD_LINK_FILES || sharded(tree, paths)?.is_some() {
        return Ok(Engine::Car);
    }
    Ok(Engine::AddLink)
}

/// Fails where add-link cannot graft files at these paths.
///
/// # Errors
/// [`PublicationError::Sharded`], naming the directory.
pub fn require_plain<'p>(
    tree: &Tree,
    paths: impl Iterator<Item = &'p [String]>,
) -> Result<(), PublicationError> {
    match sharded(tree, paths)? {
        Some(directory) => Err(PublicationError::Sharded(directory)),
        None => Ok(()),
    }
}

/// The root of `tree` with `files` in it, by add-link.
pub fn add_link(node: &Node, tree: &Tree, files: &[NewFile]) -> Result<Entry, PublicationError> {
    add_link::graft(node, tree, &Folder::of(files))
}

/// The root of `tree` with `files` in it; new directory blocks go to `put`.
pub fn car(
    tree: &Tree,
    files: &[NewFile],
    put: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), NodeError>,
) -> Result<Entry, PublicationError> {
    car::graft(tree, &Folder::of(files), put)
}

/// The root of `tree` without the files at `paths`, and without the directories
/// that are then empty; new directory blocks go to `put`.
pub fn remove(
    tree: &Tree,
    paths: &[Vec<String>],
    put: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), NodeError>,
) -> Result<Entry, PublicationError> {
    car::graft(tree, &Folder::without(paths), put)
}

/// The first directory that is or would become sharded with files at these paths.
fn sharded<'p>(
    tree: &Tree,
    paths: impl Iterator<Item = &'p [String]>,
) -> Result<Option<String>, PublicationError> {
    let mut names: BTreeMap<&[String], BTreeSet<&str>> = BTreeMap::new();
    for path in paths {
        for at in 0..path.len() {
            names.entry(&path[..at]).or_default().insert(&path[at]);
        }
    }
    // Every CID of a tree is as long as its root's.
    for (directory, new) in names {
        let mut bytes: usize = new.iter().map(|name| entry_bytes(name, &tree.root)).sum();
        if let Some(entry) = tree.find(directory)? {
            match &*tree.top(&entry.cid)? {
                Top::Sharded(_) => return Ok(Some(join(directory))),
                Top::Plain(plain) => {
                    bytes += plain
                        .entries
                        .iter()
                        .filter(|(name, _)| !new.contains(name.as_str()))
                        .map(|(name, entry)| entry_bytes(name, &entry.cid))
                        .sum::<usize>();
                }
            }
        }
        if bytes > SHARDING_BYTES {
            return Ok(Some(join(directory)));
        }
    }
    Ok(None)
}

/// What changes in one directory and in those below it.
#[derive(Default)]
struct Folder {
    files: BTreeMap<String, Entry>,
    removed: BTreeSet<String>,
    folders: BTreeMap<String, Folder>,
}

impl Folder {
    fn of(files: &[NewFile]) -> Self {
        let mut top = Self::default();
        for file in files {
            if let Some((folder, name)) = top.folder_of(&file.path) {
                folder.files.insert(name.clone(), file.entry);
            }
        }
        top
    }

    fn without(paths: &[Vec<String>]) -> Self {
        let mut top = Self::default();
        for path in paths {
            if let Some((folder, name)) = top.folder_of(path) {
                folder.removed.insert(name.clone());
            }
        }
        top
    }

    /// The folder of what stands at `path`, and its name there.
    fn folder_of<'p>(&mut self, path: &'p [String]) -> Option<(&mut Self, &'p String)> {
        let (name, above) = path.split_last()?;
        let mut folder = self;
        for name in above {
            folder = folder.folders.entry(name.clone()).or_default();
        }
        Some((folder, name))
    }
}

fn version_of(tree: &Tree) -> CidVersion {
    CidVersion::of(&tree.root)
}
