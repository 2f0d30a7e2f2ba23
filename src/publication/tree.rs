//! The published tree, read entry by entry: never a listing of everything.

use super::PublicationError;
use crate::ipfs::cid::{Cid, CidVersion, DAG_PB};
use crate::ipfs::dag_pb::Node as DagNode;
use crate::ipfs::directory::{Directory, DirectoryError, Entry, empty};
use crate::ipfs::unixfs::UnixFs;
use crate::node::Node;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Read;
use std::rc::Rc;

/// The longest file that [`Tree::read`] reads, in bytes: a narinfo's limit.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A tree on a node. Directories are read once.
#[derive(Debug)]
pub struct Tree<'n> {
    node: &'n Node,
    /// The directory at its top.
    pub root: Cid,
    directories: RefCell<HashMap<Cid, Rc<Directory>>>,
}

impl<'n> Tree<'n> {
    /// The tree below `root`. Nothing is read yet.
    pub fn new(node: &'n Node, root: Cid) -> Self {
        Self {
            node,
            root,
            directories: RefCell::default(),
        }
    }

    /// A tree with nothing in it, which the node need not hold.
    pub fn empty(node: &'n Node, version: CidVersion) -> Self {
        let root = empty(version).1.cid;
        Self {
            node,
            root,
            directories: RefCell::new([(root, Rc::default())].into()),
        }
    }

    /// What stands at `path`, or `None` when it or a directory on the way is missing.
    pub fn find<S: AsRef<str>>(&self, path: &[S]) -> Result<Option<Entry>, PublicationError> {
        let mut entry = Entry {
            cid: self.root,
            size: 0,
        };
        for name in path {
            let directory = self.directory(&entry.cid)?;
            match directory.entries.get(name.as_ref()) {
                Some(found) => entry = *found,
                None => return Ok(None),
            }
        }
        Ok(Some(entry))
    }

    /// A directory of the tree.
    pub fn directory(&self, cid: &Cid) -> Result<Rc<Directory>, PublicationError> {
        if let Some(directory) = self.directories.borrow().get(cid) {
            return Ok(Rc::clone(directory));
        }
        let failed = |reason| PublicationError::Directory {
            path: format!("/ipfs/{cid}"),
            reason,
        };
        if cid.codec() != DAG_PB {
            return Err(failed(DirectoryError::Codec));
        }
        let block = self.node.block_get(cid)?;
        let directory = Rc::new(Directory::decode(&block).map_err(failed)?);
        let mut known = self.directories.borrow_mut();
        known.insert(*cid, Rc::clone(&directory));
        Ok(directory)
    }

    /// The content of a small file, at most [`MAX_FILE_BYTES`] long.
    pub fn read(&self, file: &Cid) -> Result<Vec<u8>, PublicationError> {
        let block = self.node.block_get(file)?;
        if file.codec() != DAG_PB {
            return Ok(block);
        }
        let unreadable = |reason: String| PublicationError::File(format!("/ipfs/{file}"), reason);
        let node = DagNode::decode(&block).map_err(|error| unreadable(error.to_string()))?;
        let message = UnixFs::decode(node.data.as_deref().unwrap_or_default())
            .map_err(|error| unreadable(error.to_string()))?;
        if node.links.is_empty() {
            return Ok(message.data.unwrap_or_default());
        }
        let mut content = Vec::new();
        self.node
            .cat(file)?
            .take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut content)
            .map_err(|error| unreadable(error.to_string()))?;
        match message.filesize {
            Some(size) if size <= MAX_FILE_BYTES && size == content.len() as u64 => Ok(content),
            _ => Err(unreadable("it is too long, or was cut".to_owned())),
        }
    }

    /// Calls `visit` with the name and entry of everything in a directory.
    pub fn for_each(
        &self,
        directory: &Cid,
        mut visit: impl FnMut(&str, &Entry) -> Result<(), PublicationError>,
    ) -> Result<(), PublicationError> {
        for (name, entry) in &self.directory(directory)?.entries {
            visit(name, entry)?;
        }
        Ok(())
    }

    /// Whether anything is mirrored here yet.
    pub fn has_narinfos(&self) -> Result<bool, PublicationError> {
        Ok(self.find(&["nar"])?.is_some())
    }

    /// Whether the root looks like what this program publishes: it has a
    /// `nix-cache-info`, or at least one narinfo.
    pub fn is_mirror(&self) -> Result<bool, PublicationError> {
        let root = match self.directory(&self.root) {
            Err(PublicationError::Directory { .. }) => return Ok(false),
            other => other?,
        };
        let mut names = root.entries.keys();
        Ok(names.any(|name| name == "nix-cache-info" || name.ends_with(".narinfo")))
    }
}

/// A path as a person reads it.
pub fn join<S: AsRef<str>>(path: &[S]) -> String {
    path.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("/")
}
