//! Blocks on their way from one node to another.
//!
//! Files are sent children first, so that a block that is there stands for all below it.

use super::error::PublicationError;
use super::part::Unit;
use super::publisher::Publisher;
use crate::ipfs::cid::{Cid, DAG_PB};
use crate::ipfs::dag_pb::{Link, PbNode};
use crate::node::{Node, NodeError, Segment};
use serde::Serialize;
use thiserror::Error;

/// Blocks that are read together, and their bytes about.
const READ_BLOCKS: usize = 256;
const READ_BYTES: u64 = 8 << 20;

/// Files of one block that are asked for together, and sent together where one is
/// lacking.
const ASKED_TOGETHER: usize = 64;

/// Bytes of the first block of a file of many leaves, or of a shard, about.
const SMALL_BYTES: u64 = 16 << 10;

/// The longest leaf of a file, in bytes. What is larger begins with a block of links.
const LEAF_BYTES: u64 = 1 << 20;

/// The blocks that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Their number.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The failure of one of two nodes.
#[derive(Debug, Error)]
pub enum CopyError {
    /// The node that is copied from.
    #[error(transparent)]
    Source(PublicationError),
    /// The node that is copied to.
    #[error(transparent)]
    Target(PublicationError),
}

/// The treatment of blocks that may be on the target.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The target is asked, and what it has is not sent.
    Asked,
    /// They are sent.
    Nothing,
}

/// Blocks being sent, in segments.
pub struct Sending<'s, 'n> {
    source: &'s dyn Node,
    target: &'s Publisher<'n>,
    known: Known,
    segment: Segment,
    /// The directories that keep the segments, to be unpinned.
    pub staging: Vec<Cid>,
    copied: &'s mut Copied,
}

impl<'s, 'n> Sending<'s, 'n> {
    /// Counts in `copied`.
    pub fn new(
        source: &'s dyn Node,
        target: &'s Publisher<'n>,
        known: Known,
        copied: &'s mut Copied,
    ) -> Self {
        Self {
            source,
            target,
            known,
            segment: Segment::default(),
            staging: Vec::new(),
            copied,
        }
    }

    /// Takes a block, and sends the segment that is full with it.
    pub fn put(&mut self, cid: Cid, block: Vec<u8>) -> Result<(), CopyError> {
        self.copied.blocks += 1;
        self.copied.bytes += block.len() as u64;
        self.segment.push(cid, block);
        match self.segment.is_full() {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Sends what was taken.
    pub fn flush(&mut self) -> Result<(), CopyError> {
        let segment = std::mem::take(&mut self.segment);
        if !segment.is_empty() {
            self.staging.push(of_target(self.target.import(segment))?);
        }
        Ok(())
    }

    /// Takes those of these files and directories that the target lacks.
    pub fn units(&mut self, units: &[Unit]) -> Result<(), CopyError> {
        let (files, single): (Vec<&Unit>, Vec<&Unit>) =
            units.iter().partition(|unit| !unit.links.is_empty());
        for together in single.chunks(ASKED_TOGETHER) {
            let cids: Vec<Cid> = together.iter().map(|unit| unit.cid).collect();
            if !self.has_all(&cids)? {
                for unit in together {
                    self.put(unit.cid, unit.block.clone())?;
                }
            }
        }
        for unit in files {
            if !self.has(&unit.cid)? {
                self.below(&unit.links)?;
                self.put(unit.cid, unit.block.clone())?;
            }
        }
        Ok(())
    }

    /// Takes blocks of a file with all below them, children first.
    fn below(&mut self, links: &[Link]) -> Result<(), CopyError> {
        for links in batches(links) {
            let mut cids: Vec<Cid> = links.iter().map(|link| link.cid).collect();
            // If the first one is missing, a killed run did not get that far.
            if self.has(&cids[0])? {
                let mut lacking = Vec::new();
                for cid in &cids[1..] {
                    if !self.has(cid)? {
                        lacking.push(*cid);
                    }
                }
                cids = lacking;
            }
            let blocks = of_source(self.source.blocks(&cids))?;
            for (cid, block) in cids.into_iter().zip(blocks) {
                self.below(&links_of(&cid, &block))?;
                self.put(cid, block)?;
            }
        }
        Ok(())
    }

    /// Returns true when the target is known to hold this block.
    fn has(&self, cid: &Cid) -> Result<bool, CopyError> {
        Ok(self.known == Known::Asked && of_target(self.target.node().block_size(cid))?.is_some())
    }

    /// Returns true when the target is known to hold all of these blocks. It takes two
    /// calls; asking for each block takes about as long as sending small ones.
    fn has_all(&self, cids: &[Cid]) -> Result<bool, CopyError> {
        if !self.has(&cids[0])? {
            return Ok(false);
        }
        match self.target.node().blocks(cids) {
            Ok(_) => Ok(true),
            Err(error) if error.is_of_block() => Ok(false),
            Err(error) => of_target(Err(error)),
        }
    }
}

/// The links of a block; none of a leaf.
pub fn links_of(cid: &Cid, block: &[u8]) -> Vec<Link> {
    match cid.codec() {
        DAG_PB => PbNode::decode(block).map_or(Vec::new(), |node| node.links),
        _ => Vec::new(),
    }
}

/// Links in groups whose blocks are read together.
pub fn batches(mut links: &[Link]) -> impl Iterator<Item = &[Link]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let count = links.iter().take(READ_BLOCKS).take_while(|link| {
            let is_first = bytes == 0;
            bytes += match link.size > LEAF_BYTES {
                true => SMALL_BYTES,
                false => link.size.max(1),
            };
            is_first || bytes <= READ_BYTES
        });
        let (batch, rest) = links.split_at(count.count());
        links = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

pub fn of_source<T>(result: Result<T, NodeError>) -> Result<T, CopyError> {
    result.map_err(|error| CopyError::Source(error.into()))
}

pub fn of_target<T>(result: Result<T, NodeError>) -> Result<T, CopyError> {
    result.map_err(|error| CopyError::Target(error.into()))
}
