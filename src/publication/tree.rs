//! The published tree, read entry by entry: never a listing of everything.

use super::error::PublicationError;
use super::tree_cache::TreeCache;
use crate::ipfs::blocks::{Beside, Blocks};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::directory::{
    self, DirectoryNode, Entry, NAMES_AT_ONCE, TreeError, lookup_each, name_hash,
};
use crate::node::{Node, NodeError};
use crate::util::parallel;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most threads that read blocks of a node: two keep one on the same machine busy,
/// and each takes memory.
const MOST_READERS: u16 = 4;

/// The name of the file that describes the store.
pub const CACHE_INFO_NAME: &str = "nix-cache-info";

/// The name of the page for people.
pub const PAGE_NAME: &str = "index.html";

/// The place where the blocks of a tree are looked for.
#[derive(Clone, Copy)]
pub enum Search<'n> {
    /// The node alone.
    Node,
    /// The network too. The function is called for each block that came.
    Network(&'n (dyn Fn() + Sync)),
}

/// A tree on a node. Threads may share it, and so read several blocks at once.
pub struct Tree<'n> {
    node: &'n dyn Node,
    pub(super) search: Search<'n>,
    /// The directory at its top.
    pub root: Cid,
    /// By CID, so trees of one node share it.
    cache: Arc<Mutex<TreeCache>>,
}

impl<'n> Tree<'n> {
    /// The tree below `root`. Nothing is read yet.
    pub fn new(node: &'n dyn Node, root: Cid) -> Self {
        Self::searching(node, root, Search::Node)
    }

    /// The same, with its blocks looked for as `search` says.
    pub fn searching(node: &'n dyn Node, root: Cid, search: Search<'n>) -> Self {
        Self {
            node,
            search,
            root,
            cache: Arc::default(),
        }
    }

    /// The tree below another root of the same node, which shares the blocks read.
    pub fn at(&self, root: Cid) -> Self {
        let cache = Arc::clone(&self.cache);
        Self {
            root,
            cache,
            ..*self
        }
    }

    /// A tree with nothing in it, which the node need not hold.
    pub fn empty(node: &'n dyn Node, version: CidVersion) -> Self {
        let (block, entry) = directory::empty(version);
        let tree = Self::new(node, entry.cid);
        tree.cache().insert(entry.cid, block);
        tree
    }

    /// The node that holds it.
    pub fn node(&self) -> &'n dyn Node {
        self.node
    }

    /// Returns true for a tree that is looked for on the network.
    pub fn is_remote(&self) -> bool {
        matches!(self.search, Search::Network(_))
    }

    /// The threads that read it where a person wants `jobs` of them. Over the network
    /// each waits for a block of its own.
    pub fn readers(&self, jobs: u16) -> u16 {
        match self.search {
            Search::Node => jobs.clamp(1, MOST_READERS),
            Search::Network(_) => jobs.max(1),
        }
    }

    pub(super) fn block(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
        match self.search {
            Search::Node => self.node.block(cid),
            Search::Network(came) => {
                let block = self.node.fetch_block(cid)?;
                came();
                Ok(block)
            }
        }
    }

    fn cache(&self) -> MutexGuard<'_, TreeCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry at `path`, or `None` when it or a directory on the way is missing.
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

    /// The entries at these paths, each as [`Tree::find`] gives it. They are looked up in
    /// the order of their places, so that each shard is read about once.
    pub fn find_each(
        &self,
        paths: &[impl AsRef<[String]>],
    ) -> Result<Vec<Option<Entry>>, PublicationError> {
        let mut entries = vec![None; paths.len()];
        let mut places: BTreeMap<&[String], Vec<(&str, usize)>> = BTreeMap::new();
        for (at, path) in paths.iter().enumerate() {
            match path.as_ref().split_last() {
                Some((name, directory)) => places.entry(directory).or_default().push((name, at)),
                None => entries[at] = self.find(path.as_ref())?,
            }
        }
        for (directory, mut names) in places {
            let Some(directory) = self.find(directory)? else {
                continue;
            };
            match &*self.top(&directory.cid)? {
                DirectoryNode::Plain(plain) => {
                    for (name, at) in names {
                        entries[at] = plain.entries.get(name).copied();
                    }
                }
                DirectoryNode::Sharded(root) => {
                    names.sort_by_cached_key(|(name, _)| name_hash(name));
                    let parts = names.chunks(NAMES_AT_ONCE).map(<[_]>::to_vec).collect();
                    let look_up = |names: Vec<(&str, usize)>| {
                        let (names, ats): (Vec<&str>, Vec<usize>) = names.into_iter().unzip();
                        Ok::<_, TreeError<_>>((ats, lookup_each(self, root, &names)?))
                    };
                    for part in parallel::map(self.readers(u16::MAX), parts, look_up) {
                        let (ats, found) = part?;
                        ats.into_iter()
                            .zip(found)
                            .for_each(|(at, entry)| entries[at] = entry);
                    }
                }
            }
        }
        Ok(entries)
    }

    /// Reads the shards on the ways of these paths together, so that they are at hand
    /// for [`Tree::find`]. At most [`NAMES_AT_ONCE`] paths, for which there is room. A
    /// failure here fails again there.
    pub fn read_ahead(&self, paths: &[impl AsRef<[String]>]) {
        let mut names: BTreeMap<&[String], Vec<&str>> = BTreeMap::new();
        for path in paths {
            if let Some((name, directory)) = path.as_ref().split_last() {
                names.entry(directory).or_default().push(name);
            }
        }
        for (directory, names) in names {
            let top = match self.find(directory) {
                Ok(Some(entry)) => self.top(&entry.cid),
                _ => continue,
            };
            if let Ok(top) = top
                && let DirectoryNode::Sharded(root) = &*top
            {
                directory::read_ahead(self, root, names.into_iter());
            }
        }
    }

    /// The entry `name` of a directory.
    pub fn entry(&self, directory: &Cid, name: &str) -> Result<Option<Entry>, PublicationError> {
        Ok(self.top(directory)?.lookup(self, name)?)
    }

    /// The first block of a directory.
    pub fn top(&self, cid: &Cid) -> Result<Arc<DirectoryNode>, PublicationError> {
        if let Some(top) = self.cache().top(cid) {
            return Ok(top);
        }
        let top = Arc::new(DirectoryNode::read(self, cid)?);
        self.cache().insert_top(*cid, Arc::clone(&top));
        Ok(top)
    }

    /// The entry that stands for the whole tree in a directory above it.
    pub fn whole(&self) -> Result<Entry, PublicationError> {
        let block = Blocks::get(self, &self.root)?;
        let size = PbNode::decode(&block).map_or(0, |node| node.cumulative_size(block.len()));
        Ok(Entry {
            cid: self.root,
            size,
        })
    }

    /// Returns true once anything is mirrored.
    pub fn has_narinfos(&self) -> Result<bool, PublicationError> {
        Ok(self.find(&["nar"])?.is_some())
    }

    /// Returns true for a root that looks like a mirror: it has a `nix-cache-info`,
    /// or narinfos beside a `nar`.
    pub fn is_mirror(&self) -> Result<bool, PublicationError> {
        let top = match self.top(&self.root) {
            Err(PublicationError::Tree(TreeError::Malformed { .. })) => return Ok(false),
            other => other?,
        };
        if self.find(&[CACHE_INFO_NAME])?.is_some() {
            return Ok(true);
        }
        Ok(match &*top {
            DirectoryNode::Plain(plain) => {
                plain.entries.keys().any(|name| name.ends_with(".narinfo"))
            }
            DirectoryNode::Sharded(_) => self.has_narinfos()?,
        })
    }

    /// An entry whose CID is of another version than the root's, among those that
    /// the first blocks of the root and of `nar` hold: such a tree is not what
    /// `ipfs add -r` gives, and neither would its successors be.
    pub fn entry_of_other_version(&self) -> Result<Option<String>, PublicationError> {
        let version = CidVersion::of(&self.root);
        let in_directory = |directory: &Cid| match &*self.top(directory)? {
            DirectoryNode::Plain(plain) => {
                let mut entries = plain.entries.iter();
                let other = entries.find(|(_, entry)| CidVersion::of(&entry.cid) != version);
                Ok::<_, PublicationError>(other.map(|(name, _)| name.clone()))
            }
            DirectoryNode::Sharded(_) => Ok(None),
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
        if let Some(block) = self.cache().get(cid) {
            return Ok(block.clone());
        }
        let block = self.block(cid)?;
        self.cache().insert(*cid, block.clone());
        Ok(block)
    }

    fn answers_many(&self) -> bool {
        !self.is_remote()
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError> {
        if self.is_remote() {
            return cids.iter().map(|cid| self.get(cid)).collect();
        }
        let at_hand = |cid: &Cid| self.cache().get(cid).cloned();
        let source = self.node;
        let blocks = Beside { source, at_hand }.get_many(cids)?;
        let mut cache = self.cache();
        for (cid, block) in cids.iter().zip(&blocks) {
            if cache.get(cid).is_none() {
                cache.insert(*cid, block.clone());
            }
        }
        Ok(blocks)
    }
}
