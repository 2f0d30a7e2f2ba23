//! The entries in which two directories differ. Parts that have one CID are skipped
//! unread, so that a small change of a large directory takes a few blocks.

use super::super::blocks::Blocks;
use super::super::cid::Cid;
use super::entry::Entry;
use super::error::TreeError;
use super::node::DirectoryNode;
use super::shard::{Child, Shard, name_hash};
use super::walk;
use std::collections::BTreeMap;

/// Shards of a level that are read at once, on each side.
const AT_ONCE: usize = 256;

/// A name that stands for something else in one directory than in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The name.
    pub name: String,
    /// Its entry in the old directory, if it has one there.
    pub old: Option<Entry>,
    /// Its entry in the new directory, if it has one there.
    pub new: Option<Entry>,
}

/// A directory and the source of its blocks.
#[derive(Debug)]
pub struct Side<'b, B> {
    /// The source of its blocks.
    pub blocks: &'b B,
    /// The directory; `None` stands for an empty one.
    pub directory: Option<Cid>,
}

/// Calls `take` with the names in which `new` differs from `old`, some at a time. Names
/// with one CID in both do not differ, whatever sizes the two state.
///
/// # Errors
/// A block cannot be had or is not what it should be, or `take` fails.
pub fn difference<A, B, E>(
    old: &Side<'_, A>,
    new: &Side<'_, B>,
    take: &mut impl FnMut(Vec<Changed>) -> Result<(), E>,
) -> Result<(), E>
where
    A: Blocks,
    B: Blocks<Error = A::Error>,
    E: From<TreeError<A::Error>>,
{
    if old.directory == new.directory {
        return Ok(());
    }
    let top = Pair {
        slots: Vec::new(),
        old: old.top()?,
        new: new.top()?,
    };
    // Some pairs and all that is below them come before the next ones.
    let mut open = vec![vec![top]];
    while let Some(mut pairs) = open.pop() {
        if pairs.is_empty() {
            continue;
        }
        let mut some = pairs.split_off(pairs.len().saturating_sub(AT_ONCE));
        open.push(pairs);
        read(old.blocks, &mut some, |pair| &mut pair.old)?;
        read(new.blocks, &mut some, |pair| &mut pair.new)?;
        let mut changed = Vec::new();
        let below = some.into_iter().flat_map(|pair| pair.compare(&mut changed));
        open.push(below.collect());
        if !changed.is_empty() {
            take(changed)?;
        }
    }
    Ok(())
}

/// The part of a directory that some slots lead to.
#[derive(Clone)]
enum Part {
    /// These entries and no more.
    Entries(BTreeMap<String, Entry>),
    /// All that is in a shard.
    Shard(Shard),
    /// All that is in a shard that was not read.
    Unread(Cid),
}

/// The parts of both directories that the same slots lead to.
struct Pair {
    slots: Vec<u8>,
    old: Part,
    new: Part,
}

impl<B: Blocks> Side<'_, B> {
    fn top(&self) -> Result<Part, TreeError<B::Error>> {
        let Some(cid) = &self.directory else {
            return Ok(Part::Entries(BTreeMap::new()));
        };
        Ok(match DirectoryNode::read(self.blocks, cid)? {
            DirectoryNode::Plain(plain) => Part::Entries(plain.entries),
            DirectoryNode::Sharded(shard) => {
                walk::check(cid, &shard, &[])?;
                Part::Shard(shard)
            }
        })
    }
}

impl Part {
    /// The parts by the next slot, for slots of this number.
    fn split(self, depth: usize) -> BTreeMap<u8, Self> {
        match self {
            Self::Unread(_) => BTreeMap::new(),
            Self::Shard(shard) => {
                let children = shard.children.into_iter();
                let parts = children.map(|(slot, child)| match child {
                    Child::Entry(name, entry) => (slot, Self::Entries([(name, entry)].into())),
                    Child::Shard(link) => (slot, Self::Unread(link.cid)),
                });
                parts.collect()
            }
            Self::Entries(entries) => {
                let mut parts: BTreeMap<u8, BTreeMap<String, Entry>> = BTreeMap::new();
                for (name, entry) in entries {
                    let slot = name_hash(&name).get(depth).copied().unwrap_or_default();
                    parts.entry(slot).or_default().insert(name, entry);
                }
                let parts = parts.into_iter();
                parts
                    .map(|(slot, entries)| (slot, Self::Entries(entries)))
                    .collect()
            }
        }
    }

    fn unread(&self) -> Option<Cid> {
        match self {
            Self::Unread(cid) => Some(*cid),
            _ => None,
        }
    }
}

impl Pair {
    /// Adds what differs here to `changed`, and returns the pairs that can only be
    /// compared by reading a shard.
    fn compare(self, changed: &mut Vec<Changed>) -> Vec<Self> {
        let Self { slots, old, new } = self;
        let (old, new) = match (old, new) {
            (Part::Unread(old), Part::Unread(new)) if old == new => return Vec::new(),
            (Part::Entries(old), Part::Entries(new)) => {
                compare_entries(old, new, changed);
                return Vec::new();
            }
            (old, new) if old.unread().is_some() || new.unread().is_some() => {
                return vec![Self { slots, old, new }];
            }
            other => other,
        };
        let depth = slots.len();
        let (mut old, new) = (old.split(depth), new.split(depth));
        let none = || Part::Entries(BTreeMap::new());
        let mut pairs = Vec::new();
        for (slot, new) in new {
            pairs.push((slot, old.remove(&slot).unwrap_or_else(none), new));
        }
        pairs.extend(old.into_iter().map(|(slot, old)| (slot, old, none())));
        let mut below = Vec::new();
        for (slot, old, new) in pairs {
            let slots = [&slots[..], &[slot]].concat();
            below.extend(Self { slots, old, new }.compare(changed));
        }
        below
    }
}

fn compare_entries(
    mut old: BTreeMap<String, Entry>,
    new: BTreeMap<String, Entry>,
    changed: &mut Vec<Changed>,
) {
    for (name, new) in new {
        let old = old.remove(&name);
        if old.is_none_or(|old| old.cid != new.cid) {
            let new = Some(new);
            changed.push(Changed { name, old, new });
        }
    }
    changed.extend(old.into_iter().map(|(name, old)| Changed {
        name,
        old: Some(old),
        new: None,
    }));
}

/// Reads the shards of one side of these pairs together.
fn read<B: Blocks>(
    blocks: &B,
    pairs: &mut [Pair],
    side: impl Fn(&mut Pair) -> &mut Part,
) -> Result<(), TreeError<B::Error>> {
    let cids: Vec<Cid> = pairs
        .iter_mut()
        .filter_map(|pair| side(pair).unread())
        .collect();
    if cids.is_empty() {
        return Ok(());
    }
    let mut read = blocks
        .get_many(&cids)
        .map_err(TreeError::Blocks)?
        .into_iter();
    for pair in pairs {
        let Some(cid) = side(pair).unread() else {
            continue;
        };
        let shard = Shard::decode(&cid, &read.next().unwrap_or_default())?;
        walk::check(&cid, &shard, &pair.slots)?;
        *side(pair) = Part::Shard(shard);
    }
    Ok(())
}
