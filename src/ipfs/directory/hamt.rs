//! Sharded directories: what it takes to look up and patch them.
//!
//! The shape is canonical: a slot that one entry leads to holds the entry, a
//! slot that several lead to holds a shard. So a removal that leaves a shard
//! with one entry moves that entry up.

use super::super::blocks::{Beside, BlockSink, Blocks};
use super::super::cid::{Cid, CidVersion};
use super::ahead::{self, NAMES_AT_ONCE};
use super::entry::{Changes, Entry, store};
use super::error::{DirectoryError, TreeError, malformed};
use super::shard::{Child, Shard, name_hash};
use super::walk::LostShard;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet, VecDeque};

/// The entry that stands where the hash of `name` leads, in the directory whose root
/// shard is `shard`. It may have another name.
pub fn entry_in_slot<B: Blocks>(
    blocks: &B,
    shard: &Shard,
    name: &str,
) -> Result<Option<(String, Entry)>, TreeError<B::Error>> {
    let (mut cid, mut shard) = (Cid::default(), Cow::Borrowed(shard));
    for byte in name_hash(name) {
        cid = match shard.children.get(&byte) {
            None => return Ok(None),
            Some(Child::Entry(other, entry)) => return Ok(Some((other.clone(), *entry))),
            Some(Child::Shard(link)) => link.cid,
        };
        shard = Cow::Owned(read(blocks, &cid)?);
    }
    Err(malformed(&cid, DirectoryError::TooDeep))
}

/// Applies `changes` to a root shard. Shards below it go to `sink`, the root itself does
/// not. The shards of `lost` are not read, and are left out with all below them.
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
    // walk visits them.
    let visits = lost.iter().map(|lost| {
        let mut hash = [0; 8];
        for (byte, slot) in hash.iter_mut().zip(&lost.slots) {
            *byte = *slot;
        }
        (hash, "", None)
    });
    let changes = changes.chain(visits).collect();
    let empty = Shard::default().encode(version).0;
    let lost: HashSet<Cid> = lost.iter().map(|lost| lost.cid).collect();
    let blocks = Beside {
        source: blocks,
        at_hand: |cid: &Cid| lost.contains(cid).then(|| empty.clone()),
    };
    let mut patcher = Patcher {
        blocks: &blocks,
        version,
        sink,
    };
    patcher.shard(shard, 0, changes, Ways::ToBeRead)
}

fn read<B: Blocks>(blocks: &B, cid: &Cid) -> Result<Shard, TreeError<B::Error>> {
    let block = blocks.get(cid).map_err(TreeError::Blocks)?;
    Shard::decode(cid, &block)
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
                let entry = store(below.encode(self.version), self.sink)?;
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
