//! Changes to a directory: each block on the way is made once, and only those.

use super::super::blocks::{Beside, BlockSink, Blocks};
use super::super::cid::{Cid, CidVersion};
use super::entry::{Changes, Entry, store};
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
    let shard = match top {
        DirectoryNode::Plain(mut plain) => {
            plain.apply(changes);
            if !plain.must_be_sharded() {
                return store(plain.encode(version), sink);
            }
            let entries = plain.entries.into_iter();
            let changes = entries.map(|(name, entry)| (name, Some(entry))).collect();
            hamt::patch(blocks, version, Shard::default(), &[], &changes, sink)?
        }
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
        DirectoryNode::Sharded(shard) => hamt::patch(blocks, version, shard, &[], &changes, sink)?,
    };
    store(shard.encode(version), sink)
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
    let made: HashMap<Cid, &Vec<u8>> = new.iter().map(|(cid, block)| (*cid, block)).collect();
    let with_made = Beside {
        source: blocks,
        at_hand: |cid: &Cid| made.get(cid).map(|block| block.to_vec()),
    };
    if let Some(plain) = small(&with_made, shard)? {
        return store(plain.encode(version), sink);
    }
    for (cid, block) in new {
        sink.put(cid, block).map_err(TreeError::Blocks)?;
    }
    store(shard.encode(version), sink)
}
