//! Sharded directories: what it takes to look up, list and patch them.
//!
//! The shape is canonical: a slot that one entry leads to holds the entry, a
//! slot that several lead to holds a shard. So a removal that leaves a shard
//! with one entry moves that entry up.

use super::super::blocks::{BlockSink, Blocks, each, many_beside};
use super::super::cid::{Cid, CidVersion};
use super::ahead::{self, NAMES_AT_ONCE};
use super::entry::{Changes, Entry};
use super::error::{DirectoryError, TreeError, malformed};
use super::plain::{PlainDirectory, SHARDING_BYTES, entry_bytes};
use super::shard::{Child, Shard, name_hash};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::ops::ControlFlow;

/// Shards of a level that a walk reads at once.
const AT_ONCE: usize = 256;

/// The entry that stands where the hash of `name` leads, in the directory whose
/// root shard is `shard`. It may bear another name.
pub fn entry_in_slot<B: Blocks>(
    blocks: &B,
    shard: &Shard,
    name: &str,
) -> Result<Option<(String, Entry)>, TreeError<B::Error>> {
    let mut below: Option<(Cid, Shard)> = None;
    for byte in name_hash(name) {
        let shard = below.as_ref().map_or(shard, |(_, shard)| shard);
        match shard.children.get(&byte) {
            None => return Ok(None),
            Some(Child::Entry(other, entry)) => return Ok(Some((other.clone(), *entry))),
            Some(Child::Shard(link)) => below = Some((link.cid, read(blocks, &link.cid)?)),
        }
    }
    let deepest = below.map(|(cid, _)| cid).unwrap_or_default();
    Err(malformed(&deepest, DirectoryError::TooDeep))
}

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

/// Takes each step of the walk through everything below a root shard, until `take`
/// breaks.
///
/// # Errors
/// An entry of the root shard itself stands in the wrong slot.
pub fn walk<B: Blocks, T>(
    blocks: &B,
    root: &Cid,
    shard: &Shard,
    take: &mut impl FnMut(Step<'_, B::Error>) -> ControlFlow<T>,
) -> Result<ControlFlow<T>, TreeError<B::Error>> {
    check(root, shard, &[])?;
    Ok(below(blocks, vec![(Vec::new(), shard.clone())], take))
}

/// The same walk through what is below some slots of the root shard.
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

/// Applies `changes` to a root shard. Shards below it go to `sink`; the root
/// itself goes there with [`finish`]. The shards of `lost` are not read, and are gone
/// from the result with all below them.
pub fn patch<B: Blocks>(
    blocks: &B,
    version: CidVersion,
    shard: Shard,
    lost: &[LostShard],
    changes: &Changes,
    sink: &mut impl BlockSink<Error = B::Error>,
) -> Result<Shard, TreeError<B::Error>> {
    let changes = changes
        .iter()
        .map(|(name, entry)| (name_hash(name), name.as_str(), *entry));
    // They are taken for empty, and a name that leads there is removed, so that the
    // walk comes by.
    let visits = lost.iter().map(|lost| {
        let mut hash = [0; 8];
        for (byte, slot) in hash.iter_mut().zip(&lost.slots) {
            *byte = *slot;
        }
        (hash, "", None)
    });
    let changes = changes.chain(visits).collect();
    let blocks = Emptied {
        lost: lost.iter().map(|lost| lost.cid).collect(),
        empty: Shard::default().encode(version).0,
        blocks,
    };
    let mut patcher = Patcher {
        blocks: &blocks,
        version,
        sink,
    };
    patcher.shard(shard, 0, changes, Ways::ToBeRead)
}

/// Blocks of which some are taken for empty shards.
struct Emptied<'a, B> {
    lost: HashSet<Cid>,
    empty: Vec<u8>,
    blocks: &'a B,
}

impl<B: Blocks> Blocks for Emptied<'_, B> {
    type Error = B::Error;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, B::Error> {
        match self.lost.contains(cid) {
            true => Ok(self.empty.clone()),
            false => self.blocks.get(cid),
        }
    }

    fn answers_many(&self) -> bool {
        self.blocks.answers_many()
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, B::Error> {
        many_beside(self.blocks, cids, |cid| {
            self.lost.contains(cid).then(|| self.empty.clone())
        })
    }
}

/// Hands out the root shard's block.
pub fn finish<S: BlockSink>(
    version: CidVersion,
    shard: &Shard,
    sink: &mut S,
) -> Result<Entry, S::Error> {
    let (block, entry) = shard.encode(version);
    sink.put(entry.cid, block)?;
    Ok(entry)
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

fn read<B: Blocks>(blocks: &B, cid: &Cid) -> Result<Shard, TreeError<B::Error>> {
    let block = blocks.get(cid).map_err(TreeError::Blocks)?;
    decode(cid, &block)
}

fn decode<E>(cid: &Cid, block: &[u8]) -> Result<Shard, TreeError<E>> {
    Shard::decode(cid, block).map_err(|reason| malformed(cid, reason))
}

/// Fails unless the hash of every entry of a shard begins with the slots that lead to
/// it, and shards are below it only where a hash has bytes left.
fn check<E>(cid: &Cid, shard: &Shard, above: &[u8]) -> Result<(), TreeError<E>> {
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
                let shard = decode(cid, &block)?;
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

/// A change with the hash of its name.
type Change<'c> = ([u8; 8], &'c str, Option<Entry>);

/// The shards on the ways of some changes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ways {
    /// They were read ahead.
    Read,
    /// They are read ahead where the changes are not too many.
    ToBeRead,
}

struct Patcher<'a, B, S> {
    blocks: &'a B,
    version: CidVersion,
    sink: &'a mut S,
}

impl<B: Blocks, S: BlockSink<Error = B::Error>> Patcher<'_, B, S> {
    fn shard(
        &mut self,
        mut shard: Shard,
        depth: usize,
        changes: Vec<Change>,
        ways: Ways,
    ) -> Result<Shard, TreeError<B::Error>> {
        let mut slots: BTreeMap<u8, Vec<Change>> = BTreeMap::new();
        for change in changes {
            let Some(slot) = change.0.get(depth) else {
                let reason = DirectoryError::Collision(change.1.to_owned());
                return Err(malformed(&Cid::default(), reason));
            };
            slots.entry(*slot).or_default().push(change);
        }
        let mut slots: VecDeque<(u8, Vec<Change>)> = slots.into_iter().collect();
        while !slots.is_empty() {
            let group = next_group(&mut slots);
            let changes = || group.iter().flat_map(|(_, changes)| changes);
            let mut below = ways;
            if ways == Ways::ToBeRead && changes().count() <= NAMES_AT_ONCE {
                ahead::below(self.blocks, &shard, depth, changes().map(|change| change.0));
                below = Ways::Read;
            }
            for (slot, changes) in group {
                let child = shard.children.remove(&slot);
                if let Some(child) = self.slot(child, depth, changes, below)? {
                    shard.children.insert(slot, child);
                }
            }
        }
        Ok(shard)
    }

    fn slot(
        &mut self,
        child: Option<Child>,
        depth: usize,
        changes: Vec<Change>,
        ways: Ways,
    ) -> Result<Option<Child>, TreeError<B::Error>> {
        let below = match child {
            Some(Child::Shard(link)) if depth < 7 => {
                let shard = read(self.blocks, &link.cid)?;
                self.shard(shard, depth + 1, changes, ways)?
            }
            Some(Child::Shard(link)) => {
                return Err(malformed(&link.cid, DirectoryError::TooDeep));
            }
            other => {
                check_place(&other, depth, &changes)?;
                let entries = merge(other, changes);
                if entries.len() <= 1 {
                    let only = entries.into_iter().next();
                    return Ok(only.map(|(name, entry)| Child::Entry(name, entry)));
                }
                let changes = entries
                    .iter()
                    .map(|(name, entry)| (name_hash(name), name.as_str(), Some(*entry)))
                    .collect();
                self.shard(Shard::default(), depth + 1, changes, Ways::Read)?
            }
        };
        let mut children = below.children.values();
        match (children.next(), children.next()) {
            (None, _) => Ok(None),
            (Some(only @ Child::Entry(..)), None) => Ok(Some(only.clone())),
            _ => {
                let (block, entry) = below.encode(self.version);
                let stored = self.sink.put(entry.cid, block);
                stored.map_err(TreeError::Blocks)?;
                Ok(Some(Child::Shard(entry)))
            }
        }
    }
}

/// Takes the next slots that have at most [`NAMES_AT_ONCE`] changes together, or one.
fn next_group<'c>(slots: &mut VecDeque<(u8, Vec<Change<'c>>)>) -> Vec<(u8, Vec<Change<'c>>)> {
    let mut names = 0;
    let few = slots.iter().take_while(|(_, changes)| {
        names += changes.len();
        names <= NAMES_AT_ONCE
    });
    let count = few.count().max(1);
    slots.drain(..count).collect()
}

/// An entry that a change meets must stand where its name's hash leads, as the
/// change's does; moved further down, it would be lost.
fn check_place<E>(
    child: &Option<Child>,
    depth: usize,
    changes: &[Change],
) -> Result<(), TreeError<E>> {
    match (child, changes.first()) {
        (Some(Child::Entry(name, _)), Some(change))
            if name_hash(name)[..=depth] != change.0[..=depth] =>
        {
            let reason = DirectoryError::Misplaced(name.clone());
            Err(malformed(&Cid::default(), reason))
        }
        _ => Ok(()),
    }
}

/// The entries of a slot that holds no shard, with the changes made.
fn merge(child: Option<Child>, changes: Vec<Change>) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    if let Some(Child::Entry(name, entry)) = child {
        entries.insert(name, entry);
    }
    for (_, name, entry) in changes {
        match entry {
            Some(entry) => entries.insert(name.to_owned(), entry),
            None => entries.remove(name),
        };
    }
    entries
}
