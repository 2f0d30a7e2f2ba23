//! The published tree, read entry by entry: never a listing of everything.

use super::PublicationError;
use crate::ipfs::cid::{Cid, CidVersion, DAG_PB};
use crate::ipfs::dag_pb::Node as DagNode;
use crate::ipfs::directory::{self, Blocks, Entry, Top, TreeError};
use crate::ipfs::unixfs::UnixFs;
use crate::node::{Node, NodeError};
use std::collections::HashMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest file that [`Tree::read`] reads, in bytes: a narinfo's limit.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// How much of the tree is kept at hand, in bytes. 60 entries beside a million
/// lie in 113 shards, 0.7 MB.
const MAX_CACHE_BYTES: usize = 16 << 20;

/// How many directories are kept as a whole; a plain one takes up to a MiB.
const MAX_TOPS: usize = 16;

/// A tree on a node. Threads may share it, and so read several blocks at once.
#[derive(Debug)]
pub struct Tree<'n> {
    node: &'n Node,
    /// The directory at its top.
    pub root: Cid,
    /// By CID, so trees of one node share it.
    cache: Arc<Mutex<Cache>>,
}

/// Blocks of directories that were read, and those read as a whole.
#[derive(Debug, Default)]
struct Cache {
    blocks: HashMap<Cid, Vec<u8>>,
    bytes: usize,
    tops: HashMap<Cid, Arc<Top>>,
}

impl<'n> Tree<'n> {
    /// The tree below `root`. Nothing is read yet.
    pub fn new(node: &'n Node, root: Cid) -> Self {
        Self {
            node,
            root,
            cache: Arc::default(),
        }
    }

    /// The tree below another root of the same node, with what was read of this
    /// one still at hand.
    pub fn at(&self, root: Cid) -> Self {
        Self {
            node: self.node,
            root,
            cache: Arc::clone(&self.cache),
        }
    }

    /// A tree with nothing in it, which the node need not hold.
    pub fn empty(node: &'n Node, version: CidVersion) -> Self {
        let (block, entry) = directory::empty(version);
        let tree = Self::new(node, entry.cid);
        tree.cache().blocks.insert(entry.cid, block);
        tree
    }

    /// The node that holds it.
    pub fn node(&self) -> &'n Node {
        self.node
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands at `path`, or `None` when it or a directory on the way is missing.
    pub fn find<S: AsRef<str>>(&self, path: &[S]) -> Result<Option<Entry>, PublicationError> {
        let mut entry = Entry {
            cid: self.root,
            size: 0,
        };
        for name in path {
            match self.entry(&entry.cid, name.as_ref())? {
                Some(found) => entry = found,
                None => return Ok(None),
            }
        }
        Ok(Some(entry))
    }

    /// What stands under `name` in a directory.
    pub fn entry(&self, directory: &Cid, name: &str) -> Result<Option<Entry>, PublicationError> {
        Ok(self.top(directory)?.lookup(self, name)?)
    }

    /// The first block of a directory.
    pub fn top(&self, cid: &Cid) -> Result<Arc<Top>, PublicationError> {
        if let Some(top) = self.cache().tops.get(cid) {
            return Ok(Arc::clone(top));
        }
        let top = directory::Top::read(self, cid)?;
        let top = Arc::new(top);
        let mut cache = self.cache();
        if cache.tops.len() >= MAX_TOPS {
            cache.tops.clear();
        }
        cache.tops.insert(*cid, Arc::clone(&top));
        drop(cache);
        Ok(top)
    }

    /// Calls `visit` with the name and entry of everything in a directory.
    pub fn for_each(
        &self,
        directory: &Cid,
        mut visit: impl FnMut(&str, &Entry) -> Result<(), PublicationError>,
    ) -> Result<(), PublicationError> {
        let walked = directory::for_each(self, directory, &mut |name, entry| match visit(
            name, entry,
        ) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        })?;
        match walked {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    /// The content of a small file, at most `MAX_FILE_BYTES` long.
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

    /// The size of a file's content, in bytes, as its first block tells it.
    pub fn file_size(&self, file: &Cid) -> Result<u64, PublicationError> {
        let unreadable = |reason: String| PublicationError::File(format!("/ipfs/{file}"), reason);
        if file.codec() != DAG_PB {
            let size = self.node.block_stat(file)?;
            return size.ok_or_else(|| unreadable("its block is not on this node".to_owned()));
        }
        let block = self.node.block_get(file)?;
        let node = DagNode::decode(&block).map_err(|error| unreadable(error.to_string()))?;
        let message = UnixFs::decode(node.data.as_deref().unwrap_or_default())
            .map_err(|error| unreadable(error.to_string()))?;
        let inline = message.data.map(|data| data.len() as u64);
        let size = message.filesize.or(inline);
        size.ok_or_else(|| unreadable("it is no file".to_owned()))
    }

    /// Whether anything is mirrored here yet.
    pub fn has_narinfos(&self) -> Result<bool, PublicationError> {
        Ok(self.find(&["nar"])?.is_some())
    }

    /// Whether the root looks like what this program publishes: it has a
    /// `nix-cache-info`, or narinfos beside a `nar`.
    pub fn is_mirror(&self) -> Result<bool, PublicationError> {
        let top = match self.top(&self.root) {
            Err(PublicationError::Tree(TreeError::Malformed { .. })) => return Ok(false),
            other => other?,
        };
        if self.find(&["nix-cache-info"])?.is_some() {
            return Ok(true);
        }
        Ok(match &*top {
            Top::Plain(plain) => plain.entries.keys().any(|name| name.ends_with(".narinfo")),
            Top::Sharded(_) => self.has_narinfos()?,
        })
    }
}

impl Tree<'_> {
    /// An entry whose CID is of another version than the root's, among those that
    /// the first blocks of the root and of `nar` hold: such a tree is not what
    /// `ipfs add -r` gives, and neither would its successors be.
    pub fn of_other_version(&self) -> Result<Option<String>, PublicationError> {
        let version = CidVersion::of(&self.root);
        let in_directory = |directory: &Cid| match &*self.top(directory)? {
            Top::Plain(plain) => {
                let mut entries = plain.entries.iter();
                let other = entries.find(|(_, entry)| CidVersion::of(&entry.cid) != version);
                Ok::<_, PublicationError>(other.map(|(name, _)| name.clone()))
            }
            Top::Sharded(_) => Ok(None),
        };
        if let Some(name) = in_directory(&self.root)? {
            return Ok(Some(name));
        }
        let Some(nar) = self.find(&["nar"])? else {
            return Ok(None);
        };
        Ok(in_directory(&nar.cid)?.map(|name| format!("nar/{name}")))
    }
}

impl Blocks for Tree<'_> {
    type Error = NodeError;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
        if let Some(block) = self.cache().blocks.get(cid) {
            return Ok(block.clone());
        }
        let block = self.node.block_get(cid)?;
        let mut cache = self.cache();
        if cache.bytes + block.len() > MAX_CACHE_BYTES {
            cache.blocks.clear();
            cache.bytes = 0;
        }
        cache.bytes += block.len();
        cache.blocks.insert(*cid, block.clone());
        Ok(block)
    }
}

/// A path as a person reads it.
pub fn join<S: AsRef<str>>(path: &[S]) -> String {
    path.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("/")
}
