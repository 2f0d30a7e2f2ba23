//! The shards on the ways of many names, read a level at a time.

use super::super::blocks::Blocks;
use super::super::cid::Cid;
use super::entry::Entry;
use super::error::{DirectoryError, TreeError, malformed};
use super::shard::{Child, Shard, name_hash};
use std::collections::BTreeMap;

/// Names whose ways are read together. Their shards take a few MiB, which a source
/// that keeps blocks for [`read_ahead`] must have room for.
pub const NAMES_AT_ONCE: usize = 2048;

/// Levels of shards: a hash has a byte for each.
const DEPTHS: usize = 8;

/// The entries of these names in the directory whose root shard is `root`. Each shard is
/// read once.
pub fn lookup_each<B: Blocks>(
    blocks: &B,
    root: &Shard,
    names: &[&str],
) -> Result<Vec<Option<Entry>>, TreeError<B::Error>> {
    let hashes: Vec<_> = names.iter().map(|name| name_hash(name)).collect();
    let mut entries = vec![None; names.len()];
    let mut follow = |shard: &Shard, depth: usize, ways: Vec<usize>, next: &mut Ways| {
        for way in ways {
            match shard.children.get(&hashes[way][depth]) {
                Some(Child::Shard(link)) => next.entry(link.cid).or_default().push(way),
                Some(Child::Entry(name, entry)) if name == names[way] => {
                    entries[way] = Some(*entry);
                }
                _ => {}
            }
        }
    };
    let mut open = Ways::new();
    follow(root, 0, (0..names.len()).collect(), &mut open);
    let mut depth = 1;
    while let Some((deepest, _)) = open.first_key_value() {
        if depth == DEPTHS {
            return Err(malformed(deepest, DirectoryError::TooDeep));
        }
        let cids: Vec<Cid> = open.keys().copied().collect();
        let read = blocks.get_many(&cids).map_err(TreeError::Blocks)?;
        let mut next = Ways::new();
        for ((cid, ways), block) in open.into_iter().zip(read) {
            follow(&Shard::decode(&cid, &block)?, depth, ways, &mut next);
        }
        open = next;
        depth += 1;
    }
    Ok(entries)
}

/// Shards of one level, each with the places of the names that lead to it.
type Ways = BTreeMap<Cid, Vec<usize>>;

/// Reads the shards on the ways of these names from the root shard of their
/// directory, for a source that keeps what it has read.
pub fn read_ahead<'n, B: Blocks>(blocks: &B, root: &Shard, names: impl Iterator<Item = &'n str>) {
    let hashes: Vec<_> = names.map(name_hash).collect();
    for hashes in hashes.chunks(NAMES_AT_ONCE) {
        below(blocks, root, 0, hashes.iter().copied());
    }
}

/// The same below a shard to which `depth` bytes of each hash lead.
///
/// A block that cannot be read ends this, and fails where it is needed.
pub(super) fn below<B: Blocks>(
    blocks: &B,
    shard: &Shard,
    depth: usize,
    hashes: impl Iterator<Item = [u8; 8]>,
) {
    if !blocks.answers_many() {
        return;
    }
    let mut open = Level::new();
    lead(shard, depth, hashes, &mut open);
    for depth in depth + 1.. {
        // One alone can as well be read when it is needed.
        if open.values().map(Vec::len).sum::<usize>() < 2 {
            return;
        }
        let cids: Vec<Cid> = open.keys().copied().collect();
        let Ok(read) = blocks.get_many(&cids) else {
            return;
        };
        let mut next = Level::new();
        for ((cid, hashes), block) in open.into_iter().zip(read) {
            if let Ok(shard) = Shard::decode::<B::Error>(&cid, &block) {
                lead(&shard, depth, hashes.into_iter(), &mut next);
            }
        }
        open = next;
    }
}

/// Shards of one level, each with the hashes that lead to it.
type Level = BTreeMap<Cid, Vec<[u8; 8]>>;

/// Adds the shards that a shard at `depth` leads these hashes to.
fn lead(shard: &Shard, depth: usize, hashes: impl Iterator<Item = [u8; 8]>, level: &mut Level) {
    for hash in hashes {
        let child = hash.get(depth).and_then(|slot| shard.children.get(slot));
        if let Some(Child::Shard(entry)) = child {
            level.entry(entry.cid).or_default().push(hash);
        }
    }
}
