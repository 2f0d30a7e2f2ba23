//! Changes to a directory: each block on the way is made once, and only those.

use super::super::blocks::{BlockSink, Blocks, many_beside};
use super::super::cid::{Cid, CidVersion};
use super::entry::{Changes, Entry};
use super::error::TreeError;
use super::hamt;
use super::node::DirectoryNode;
use super::plain::PlainDirectory;
use super::shard::Shard;
use super::walk::{LostShard, small};
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
    patch_around(blocks, directory, &[], changes, version, sink)
}

/// The same without the shards of `lost`, which are not read, and all below them.
pub fn patch_around<B: Blocks>(
    blocks: &B,
    directory: Option<&Cid>,
    lost: &[LostShard],
    changes: Changes,
    version: CidVersion,
    sink: &mut impl BlockSink<Error = B::Error>,
) -> Result<Entry, TreeError<B::Error>> {
    let top = match directory {
        Some(cid) => DirectoryNode::read(blocks, cid)?,
        None => DirectoryNode::Plain(PlainDirectory::default()),
    };
    let mut plain = match top {
        DirectoryNode::Plain(plain) => plain,
        // Only less can become plain again.
        DirectoryNode::Sharded(shard)
            if !lost.is_empty() || changes.values().any(Option::is_none) =>
        {
            let mut new = NewBlocks::new();
            let mut hold = |cid, block| {
                new.push((cid, block));
                Ok(())
            };
            let shard = hamt::patch(blocks, version, shard, lost, &changes, &mut hold)?;
            return finish_smaller(blocks, version, &shard, new, sink);
        }
        DirectoryNode::Sharded(shard) => {
            let shard = hamt::patch(blocks, version, shard, &[], &changes, sink)?;
            return hamt::finish(version, &shard, sink).map_err(TreeError::Blocks);
        }
    };
    plain.apply(changes);
    if plain.must_be_sharded() {
        let changes = plain
            .entries
            .into_iter()
            .map(|(name, entry)| (name, Some(entry)))
            .collect();
        let shard = hamt::patch(blocks, version, Shard::default(), &[], &changes, sink)?;
        return hamt::finish(version, &shard, sink).map_err(TreeError::Blocks);
    }
    let (block, entry) = plain.encode(version);
    sink.put(entry.cid, block).map_err(TreeError::Blocks)?;
    Ok(entry)
}

/// Blocks that are held back.
type NewBlocks = Vec<(Cid, Vec<u8>)>;

/// Hands out a sharded directory that has lost entries, and so may become plain. Its
/// new shards are held back until that is known, because finding out reads them.
fn finish_smaller<B: Blocks>(
    blocks: &B,
    version: CidVersion,
    shard: &Shard,
    new: NewBlocks,
    sink: &mut impl BlockSink<Error = B::Error>,
) -> Result<Entry, TreeError<B::Error>> {
    let overlay = Overlay {
        new: new
            .iter()
            .map(|(cid, block)| (*cid, block.as_slice()))
            .collect(),
        blocks,
    };
    if let Some(plain) = small(&overlay, shard)? {
        let (block, entry) = plain.encode(version);
        sink.put(entry.cid, block).map_err(TreeError::Blocks)?;
        return Ok(entry);
    }
    for (cid, block) in new {
        sink.put(cid, block).map_err(TreeError::Blocks)?;
    }
    hamt::finish(version, shard, sink).map_err(TreeError::Blocks)
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

    fn answers_many(&self) -> bool {
        self.blocks.answers_many()
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, B::Error> {
        many_beside(self.blocks, cids, |cid| {
            self.new.get(cid).map(|block| block.to_vec())
        })
    }
}
