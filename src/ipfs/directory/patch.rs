//! Changes to a directory: each block on the way is made once, and only those.

use super::super::blocks::{BlockSink, Blocks};
use super::super::cid::{Cid, CidVersion};
use super::entry::{Changes, Entry};
use super::error::TreeError;
use super::hamt;
use super::node::DirectoryNode;
use super::plain::PlainDirectory;
use super::shard::Shard;
use std::collections::HashMap;

/// The directory with `changes` made to it; `None` is the empty directory. New
/// blocks go to `sink`, children before parents.
pub fn patch<B: Blocks>(
    blocks: &B,
    directory: Option<&Cid>,
    changes: Changes,
    version: CidVersion,
    sink: &mut impl BlockSink<Error = B::Error>,
) -> Result<Entry, TreeError<B::Error>> {
    let top = match directory {
        Some(cid) => DirectoryNode::read(blocks, cid)?,
        None => DirectoryNode::Plain(PlainDirectory::default()),
    };
    let plain = match top {
        DirectoryNode::Plain(mut plain) => {
            plain.apply(changes);
            plain
        }
        // Only less can become plain again.
        DirectoryNode::Sharded(shard) if changes.values().any(Option::is_none) => {
            match shrink(blocks, version, shard, &changes, sink)? {
                Shrunk::Plain(plain) => plain,
                Shrunk::Sharded(entry) => return Ok(entry),
            }
        }
        DirectoryNode::Sharded(shard) => {
            let shard = hamt::patch(blocks, version, shard, &changes, sink)?;
            return hamt::finish(version, &shard, sink).map_err(TreeError::Blocks);
        }
    };
    if plain.must_be_sharded() {
        let changes = plain
            .entries
            .into_iter()
            .map(|(name, entry)| (name, Some(entry)))
            .collect();
        let shard = hamt::patch(blocks, version, Shard::default(), &changes, sink)?;
        return hamt::finish(version, &shard, sink).map_err(TreeError::Blocks);
    }
    let (block, entry) = plain.encode(version);
    sink.put(entry.cid, block).map_err(TreeError::Blocks)?;
    Ok(entry)
}

enum Shrunk {
    Plain(PlainDirectory),
    Sharded(Entry),
}

/// Patches a sharded directory that may become plain. Its new shards are held
/// back until that is known, because finding out reads them.
fn shrink<B: Blocks>(
    blocks: &B,
    version: CidVersion,
    shard: Shard,
    changes: &Changes,
    sink: &mut impl BlockSink<Error = B::Error>,
) -> Result<Shrunk, TreeError<B::Error>> {
    let mut new = Vec::new();
    let patched = hamt::patch(blocks, version, shard, changes, &mut |cid, block| {
        new.push((cid, block));
        Ok(())
    })?;
    let overlay = Overlay {
        new: new
            .iter()
            .map(|(cid, block)| (*cid, block.as_slice()))
            .collect(),
        blocks,
    };
    if let Some(plain) = hamt::small(&overlay, &patched)? {
        return Ok(Shrunk::Plain(plain));
    }
    for (cid, block) in new {
        sink.put(cid, block).map_err(TreeError::Blocks)?;
    }
    let entry = hamt::finish(version, &patched, sink).map_err(TreeError::Blocks)?;
    Ok(Shrunk::Sharded(entry))
}

/// Blocks that were just made, before those that were there.
struct Overlay<'a, B> {
    new: HashMap<Cid, &'a [u8]>,
    blocks: &'a B,
}

impl<B: Blocks> Blocks for Overlay<'_, B> {
    type Error = B::Error;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, B::Error> {
        match self.new.get(cid) {
            Some(block) => Ok(block.to_vec()),
            None => self.blocks.get(cid),
        }
    }
}
