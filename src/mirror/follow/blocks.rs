//! The blocks of a new root, which come over the network.

use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::Cid;
use crate::node::{Node, NodeError};
use crate::util::parallel;
use std::sync::atomic::{AtomicU64, Ordering};

/// Blocks that come over the network, several at a time.
pub struct ComingBlocks<'n> {
    /// The node that fetches them.
    pub node: &'n dyn Node,
    /// The number that is asked for at once.
    pub at_once: u16,
    /// Bytes of those that came, or were there.
    came: AtomicU64,
}

impl<'n> ComingBlocks<'n> {
    /// Blocks of this node, so many at once.
    pub fn new(node: &'n dyn Node, at_once: u16) -> Self {
        let came = AtomicU64::new(0);
        Self {
            node,
            at_once,
            came,
        }
    }

    /// Bytes of the blocks that came.
    pub fn came(&self) -> u64 {
        self.came.load(Ordering::Relaxed)
    }
}

impl Blocks for ComingBlocks<'_> {
    type Error = NodeError;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
        let block = self.node.fetch_block(cid)?;
        self.came.fetch_add(block.len() as u64, Ordering::Relaxed);
        Ok(block)
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError> {
        let blocks = parallel::map(self.at_once, cids.to_vec(), |cid| self.get(&cid));
        blocks.into_iter().collect()
    }
}
