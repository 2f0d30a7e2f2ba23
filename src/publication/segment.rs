//! Blocks on their way to the node, some MiB in a call.
//!
//! Each segment is one CAR whose only root is a staging directory: its links
//! point to the segment's blocks under the *raw* codec. Pinned in the same call,
//! it keeps the collector from each block without making the node walk below
//! any, so a segment may hold half a file. A block of random bytes makes the
//! directory this run's own: a CID has one pin, and another run on the node may
//! be storing the same files.

use crate::ipfs::car;
use crate::ipfs::cid::{Cid, CidVersion, RAW, cid_of};
use crate::ipfs::directory::{Directory, Entry};
use crate::node::NodeError;
use crate::publication::Site;
use std::io::Read;

/// When a segment is sent, in bytes of blocks.
const SEGMENT_BYTES: usize = 4 << 20;

/// Blocks to be sent together.
#[derive(Debug, Default)]
pub struct Segment {
    blocks: Vec<u8>,
    staging: Directory,
}

impl Segment {
    /// Takes one more block. One that it holds already is not sent twice.
    pub fn push(&mut self, cid: &Cid, block: &[u8]) {
        let protected = Cid::new_v1(RAW, *cid.hash());
        let entry = Entry {
            cid: protected,
            size: block.len() as u64,
        };
        let name = protected.to_string();
        if self.staging.entries.insert(name, entry).is_none() {
            car::write_block(&mut self.blocks, cid, block);
        }
    }

    /// Whether it is time to send it.
    pub fn is_full(&self) -> bool {
        self.blocks.len() >= SEGMENT_BYTES
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Sends it, and gives the pinned staging directory, to be unpinned when
    /// something better keeps the blocks.
    pub fn send(mut self, site: &Site) -> Result<Cid, NodeError> {
        let mut own = [0; 16];
        // Without randomness two runs may share a pin, which few will ever see.
        let _ = getrandom::fill(&mut own);
        self.push(&cid_of(CidVersion::V1, RAW, &own), &own);
        let (block, Entry { cid, .. }) = self.staging.encode(CidVersion::V1);
        let mut head = car::header(&[cid]);
        car::write_block(&mut head, &cid, &block);
        let count = self.staging.entries.len() as u64 + 1;
        let mut car = head.as_slice().chain(self.blocks.as_slice());
        site.list_staging(&cid)?;
        site.node.dag_import(&mut car, count, true)?;
        Ok(cid)
    }
}
