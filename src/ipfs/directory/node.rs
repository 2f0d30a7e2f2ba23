//! Directories of either kind, read from their first block.

use super::super::blocks::Blocks;
use super::super::cid::Cid;
use super::super::unixfs::Kind;
use super::entry::Entry;
use super::error::{DirectoryError, TreeError, malformed};
use super::hamt;
use super::plain::{PlainDirectory, dag_pb, kind};
use super::shard::Shard;
use super::walk::{Step, walk_slots};
use std::ops::ControlFlow;

/// A directory's first block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryNode {
    /// All of it.
    Plain(PlainDirectory),
    /// The root shard.
    Sharded(Shard),
}

impl DirectoryNode {
    /// Reads a directory's first block.
    pub fn decode(cid: &Cid, block: &[u8]) -> Result<Self, DirectoryError> {
        let node = dag_pb(cid, block)?;
        match kind(&node)?.kind {
            Kind::HamtShard => Shard::from_node(node).map(Self::Sharded),
            _ => PlainDirectory::from_node(node).map(Self::Plain),
        }
    }

    /// Reads the first block of the directory `cid`.
    pub fn read<B: Blocks>(blocks: &B, cid: &Cid) -> Result<Self, TreeError<B::Error>> {
        let block = blocks.get(cid).map_err(TreeError::Blocks)?;
        Self::decode(cid, &block).map_err(|reason| malformed(cid, reason))
    }

    /// The entry `name` of the directory that begins so.
    pub fn lookup<B: Blocks>(
        &self,
        blocks: &B,
        name: &str,
    ) -> Result<Option<Entry>, TreeError<B::Error>> {
        let there = self.slot(blocks, name)?;
        Ok(there.and_then(|(other, entry)| (other == name).then_some(entry)))
    }

    /// The entry in the place of `name`, with its own name. In a sharded directory
    /// that may be another: one whose hash begins alike.
    pub fn slot<B: Blocks>(
        &self,
        blocks: &B,
        name: &str,
    ) -> Result<Option<(String, Entry)>, TreeError<B::Error>> {
        match self {
            Self::Plain(plain) => {
                let entry = plain.entries.get(name);
                Ok(entry.map(|entry| (name.to_owned(), *entry)))
            }
            Self::Sharded(shard) => hamt::entry_in_slot(blocks, shard, name),
        }
    }
}

/// The entry `name` of a directory, found by one path through the shards.
pub fn lookup<B: Blocks>(
    blocks: &B,
    directory: &Cid,
    name: &str,
) -> Result<Option<Entry>, TreeError<B::Error>> {
    DirectoryNode::read(blocks, directory)?.lookup(blocks, name)
}

/// Calls `visit` with every entry until it breaks. In the order of the names where the
/// directory is plain, in that in which shards are read where it is sharded.
pub fn for_each<B: Blocks, T>(
    blocks: &B,
    directory: &Cid,
    visit: &mut impl FnMut(&str, &Entry) -> ControlFlow<T>,
) -> Result<ControlFlow<T>, TreeError<B::Error>> {
    let shard = match DirectoryNode::read(blocks, directory)? {
        DirectoryNode::Sharded(shard) => shard,
        DirectoryNode::Plain(plain) => {
            let mut entries = plain.entries.iter();
            return Ok(entries.try_for_each(|(name, entry)| visit(name, entry)));
        }
    };
    let slots: Vec<u8> = shard.children.keys().copied().collect();
    let walked = walk_slots(blocks, directory, &shard, &slots, &mut |step| match step {
        Step::Entry(name, entry) => visit(name, entry).map_break(Ok),
        Step::Lost(_, error) => ControlFlow::Break(Err(error)),
    })?;
    match walked {
        ControlFlow::Continue(()) => Ok(ControlFlow::Continue(())),
        ControlFlow::Break(broken) => broken.map(ControlFlow::Break),
    }
}
