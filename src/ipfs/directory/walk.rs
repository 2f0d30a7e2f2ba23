//! The walk through everything in a sharded directory, many shards at a time.

use super::super::blocks::{Blocks, each};
use super::super::cid::Cid;
use super::entry::Entry;
use super::error::{DirectoryError, TreeError, malformed};
use super::plain::{PlainDirectory, SHARDING_BYTES, entry_bytes};
use super::shard::{Child, Shard, name_hash};
use std::ops::ControlFlow;

/// Shards of a level that a walk reads at once.
const AT_ONCE: usize = 256;

/// A step of a walk through shards.
pub enum Step<'s, E> {
    /// An entry and its name.
    Entry(&'s str, &'s Entry),
    /// A shard that cannot be read, and the reason. Nothing is known of what is
    /// below it.
    Lost(LostShard, TreeError<E>),
}

/// The place of a shard that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostShard {
    /// The shard.
    pub cid: Cid,
    /// The slots that lead to it, one of each level above.
    pub slots: Vec<u8>,
}

/// Takes each step of the walk through what is below some slots of a root shard, until
/// `take` breaks.
///
/// # Errors
/// An entry of the root shard itself stands in the wrong slot.
pub fn walk_slots<B: Blocks, T>(
    blocks: &B,
    root: &Cid,
    shard: &Shard,
    slots: &[u8],
    take: &mut impl FnMut(Step<'_, B::Error>) -> ControlFlow<T>,
) -> Result<ControlFlow<T>, TreeError<B::Error>> {
    check(root, shard, &[])?;
    let children = slots
        .iter()
        .filter_map(|slot| Some((*slot, shard.children.get(slot)?.clone())));
    let part = Shard {
        children: children.collect(),
    };
    Ok(below(blocks, vec![(Vec::new(), part)], take))
}

/// The same entries as a plain directory, if that is what they should be.
/// Reads only as many shards as it takes to know.
pub fn small<B: Blocks>(
    blocks: &B,
    shard: &Shard,
) -> Result<Option<PlainDirectory>, TreeError<B::Error>> {
    let mut plain = PlainDirectory::default();
    let mut bytes = 0;
    let shards = vec![(Vec::new(), shard.clone())];
    let walked = below(blocks, shards, &mut |step| match step {
        Step::Lost(_, error) => ControlFlow::Break(Some(error)),
        Step::Entry(name, entry) => {
            bytes += entry_bytes(name, &entry.cid);
            plain.entries.insert(name.to_owned(), *entry);
            match bytes > SHARDING_BYTES {
                true => ControlFlow::Break(None),
                false => ControlFlow::Continue(()),
            }
        }
    });
    match walked {
        ControlFlow::Continue(()) => Ok(Some(plain)),
        ControlFlow::Break(None) => Ok(None),
        ControlFlow::Break(Some(error)) => Err(error),
    }
}

/// Fails unless the hash of every entry of a shard begins with the slots that lead to
/// it, and shards are below it only where a hash has bytes left.
pub(super) fn check<E>(cid: &Cid, shard: &Shard, above: &[u8]) -> Result<(), TreeError<E>> {
    for (slot, child) in &shard.children {
        let is_placed = |hash: [u8; 8]| hash.starts_with(above) && hash[above.len()] == *slot;
        match child {
            Child::Entry(name, _) if !is_placed(name_hash(name)) => {
                return Err(malformed(cid, DirectoryError::Misplaced(name.clone())));
            }
            Child::Shard(_) if above.len() == 7 => {
                return Err(malformed(cid, DirectoryError::TooDeep));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Walks through shards that were checked, and to which these slots lead: first all
/// that stands in them, then some of the shards below at a time.
fn below<B: Blocks, T>(
    blocks: &B,
    shards: Vec<(Vec<u8>, Shard)>,
    take: &mut impl FnMut(Step<'_, B::Error>) -> ControlFlow<T>,
) -> ControlFlow<T> {
    let mut links = Vec::new();
    for (above, shard) in shards {
        for (slot, child) in shard.children {
            match child {
                Child::Entry(name, entry) => take(Step::Entry(&name, &entry))?,
                Child::Shard(Entry { cid, .. }) => {
                    links.push((cid, [&above[..], &[slot]].concat()));
                }
            }
        }
    }
    for links in links.chunks(AT_ONCE) {
        let cids: Vec<Cid> = links.iter().map(|(cid, _)| *cid).collect();
        let mut shards = Vec::new();
        for ((cid, slots), block) in links.iter().zip(each(blocks, &cids)) {
            let checked = block.map_err(TreeError::Blocks).and_then(|block| {
                let shard = Shard::decode(cid, &block)?;
                check(cid, &shard, slots)?;
                Ok(shard)
            });
            let (cid, slots) = (*cid, slots.clone());
            match checked {
                Ok(shard) => shards.push((slots, shard)),
                Err(error) => take(Step::Lost(LostShard { cid, slots }, error))?,
            }
        }
        below(blocks, shards, take)?;
    }
    ControlFlow::Continue(())
}
