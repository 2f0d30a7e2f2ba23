//! The part of a tree that is kept at hand.

use crate::ipfs::cid::Cid;
use crate::ipfs::directory::DirectoryNode;
use std::collections::HashMap;
use std::sync::Arc;

/// The part of the tree that is kept at hand, in bytes. 60 entries beside a million
/// lie in 113 shards, 0.7 MB; those on the ways of 2048 names take up to 8 MB.
const MAX_CACHE_BYTES: usize = 32 << 20;

/// Bytes that a block takes besides its own.
const BYTES_BESIDE: usize = 2 * size_of::<(Cid, Vec<u8>)>();

/// Directories that are kept as a whole; a plain one takes up to a MiB.
const MAX_TOPS: usize = 16;

/// Blocks of directories, and directories read as a whole.
#[derive(Debug, Default)]
pub struct TreeCache {
    blocks: HashMap<Cid, Vec<u8>>,
    bytes: usize,
    /// The blocks before these, until there is no room for more: what was read last
    /// is always at hand.
    older: HashMap<Cid, Vec<u8>>,
    tops: HashMap<Cid, Arc<DirectoryNode>>,
}

impl TreeCache {
    /// A block, if it is at hand.
    pub fn get(&self, cid: &Cid) -> Option<&Vec<u8>> {
        self.blocks.get(cid).or_else(|| self.older.get(cid))
    }

    /// Takes a block.
    pub fn insert(&mut self, cid: Cid, block: Vec<u8>) {
        let bytes = block.len() + BYTES_BESIDE;
        if self.bytes + bytes > MAX_CACHE_BYTES / 2 {
            self.older = std::mem::take(&mut self.blocks);
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.blocks.insert(cid, block);
    }

    /// The first block of a directory, if it was read.
    pub fn top(&self, directory: &Cid) -> Option<Arc<DirectoryNode>> {
        self.tops.get(directory).map(Arc::clone)
    }

    /// Takes the first block of a directory.
    pub fn insert_top(&mut self, directory: Cid, top: Arc<DirectoryNode>) {
        if self.tops.len() >= MAX_TOPS {
            self.tops.clear();
        }
        self.tops.insert(directory, top);
    }
}
