//! The difference of two directories, judged by their full lists.

use super::memory::Memory;
use super::*;
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, CidVersion, DAG_PB, RAW, cid_of};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

type Names = BTreeMap<String, u32>;

fn entry(content: u32) -> Entry {
    Entry {
        cid: cid_of(CidVersion::V0, DAG_PB, &content.to_be_bytes()),
        size: 4,
    }
}

impl Memory {
    fn directory(&self, names: &Names) -> Cid {
        let entries = names.iter();
        let changes = entries.map(|(name, content)| (name.clone(), Some(entry(*content))));
        self.patch(None, &[], changes.collect()).unwrap().cid
    }

    fn is_sharded(&self, directory: &Cid) -> bool {
        let top = DirectoryNode::read(self, directory).unwrap();
        matches!(top, DirectoryNode::Sharded(_))
    }

    fn all(&self, directory: &Cid) -> BTreeMap<String, Entry> {
        let mut all = BTreeMap::new();
        let walked = for_each(self, directory, &mut |name: &str, entry: &Entry| {
            all.insert(name.to_owned(), *entry);
            ControlFlow::<()>::Continue(())
        });
        assert!(walked.unwrap().is_continue());
        all
    }

    fn difference(&self, old: Option<Cid>, new: Option<Cid>) -> Vec<Changed> {
        let side = |directory| Side {
            blocks: self,
            directory,
        };
        let mut changed = Vec::new();
        difference(&side(old), &side(new), &mut |some| {
            changed.extend(some);
            Ok::<_, TreeError<String>>(())
        })
        .unwrap();
        changed.sort_by(|one, other| one.name.cmp(&other.name));
        changed
    }

    /// Compares the difference with that of two full lists.
    fn judge(&self, old: Option<Cid>, new: Option<Cid>) -> usize {
        let list = |directory: Option<Cid>| {
            directory.map_or_else(BTreeMap::new, |directory| self.all(&directory))
        };
        let (before, after) = (list(old), list(new));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let entries = names.into_iter().map(|name| Changed {
            name: name.clone(),
            old: before.get(name).copied(),
            new: after.get(name).copied(),
        });
        let cid = |entry: Option<Entry>| entry.map(|entry| entry.cid);
        let expected: Vec<Changed> = entries.filter(|it| cid(it.old) != cid(it.new)).collect();
        let found = self.difference(old, new);
        assert_eq!(found, expected);
        found.len()
    }
}

/// Names of which 4,000 make a sharded directory, and 300 a plain one.
fn names(count: u32) -> Names {
    (0..count).map(|n| (format!("{n:060}"), n)).collect()
}

/// The same names with some taken out, some added, and some changed.
fn changed(names: &Names, seed: u32, changes: u32) -> Names {
    let mut chance = u64::from(seed) + 1;
    let mut names = names.clone();
    for n in 0..changes {
        // Knuth's MMIX generator.
        chance = chance
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let pick = (chance >> 33) as usize % names.len().max(1);
        let name = names.keys().nth(pick).cloned().unwrap_or_default();
        match n % 3 {
            0 => names.remove(&name),
            1 => names.insert(name, 1_000_000 + n),
            _ => names.insert(format!("new {n} of {seed}"), n),
        };
    }
    names
}

#[test]
fn directories_of_each_kind_differ_as_their_lists_do() {
    let blocks = Memory::default();
    for seed in 0..8 {
        for (count, changes) in [(0, 3), (1, 3), (300, 1), (300, 200), (6000, 1), (6000, 900)] {
            let old = names(count);
            let new = changed(&old, seed, changes);
            let (old, new) = (blocks.directory(&old), blocks.directory(&new));
            assert_eq!(blocks.is_sharded(&old), count == 6000);
            assert!(blocks.judge(Some(old), Some(new)) > 0);
            blocks.judge(Some(new), Some(old));
        }
    }
}

#[test]
fn a_directory_that_was_sharded_meanwhile_is_compared_by_names() {
    let blocks = Memory::default();
    for (few, many) in [(1, 6000), (300, 4000), (2500, 2800), (0, 4000)] {
        let (few_names, many_names) = (names(few), names(many));
        let (plain, sharded) = (blocks.directory(&few_names), blocks.directory(&many_names));
        assert!(!blocks.is_sharded(&plain) && blocks.is_sharded(&sharded));
        for (old, new) in [(plain, sharded), (sharded, plain)] {
            let count = blocks.judge(Some(old), Some(new));
            assert_eq!(count, (many - few) as usize);
        }
    }
}

#[test]
fn nothing_is_an_empty_directory() {
    let blocks = Memory::default();
    for count in [0, 3, 4000] {
        let directory = blocks.directory(&names(count));
        for (old, new) in [(None, Some(directory)), (Some(directory), None)] {
            assert_eq!(blocks.judge(old, new), count as usize);
        }
    }
    assert_eq!(blocks.difference(None, None), []);
}

#[test]
fn names_whose_hashes_begin_alike_are_told_apart() {
    let text = include_str!("../../../fixtures/same-murmur3-names.txt");
    let alike: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let blocks = Memory::default();
    let mut old = names(4000);
    let before = blocks.directory(&old);
    old.insert(alike[0].to_owned(), 1);
    let first = blocks.directory(&old);
    old.remove(alike[0]);
    old.insert(alike[1].to_owned(), 1);
    let second = blocks.directory(&old);
    for (old, new, count) in [(before, first, 1), (first, second, 2), (second, first, 2)] {
        assert_eq!(blocks.judge(Some(old), Some(new)), count);
    }
}

#[test]
fn a_small_change_takes_few_blocks_and_no_change_takes_none() {
    let blocks = Memory::default();
    let old = names(50_000);
    let mut new = old.clone();
    new.insert("one more".to_owned(), 7);
    let (old, new) = (blocks.directory(&old), blocks.directory(&new));
    blocks.read.set(0);
    assert_eq!(blocks.difference(Some(old), Some(new)).len(), 1);
    assert!(blocks.read.get() <= 6, "{}", blocks.read.get());
    blocks.read.set(0);
    assert_eq!(blocks.difference(Some(old), Some(old)), []);
    assert_eq!(blocks.read.get(), 0);
}

#[test]
fn a_shard_that_is_missing_or_lies_is_an_error() {
    let blocks = Memory::default();
    let (old, new) = (names(4000), changed(&names(4000), 3, 40));
    let (old, new) = (blocks.directory(&old), blocks.directory(&new));
    let mut shard = Shard::decode::<String>(&new, &blocks.get(&new).unwrap()).unwrap();
    let children = shard.children.iter();
    let mut below = children.filter_map(|(slot, child)| match child {
        Child::Shard(link) => Some((*slot, *link)),
        Child::Entry(..) => None,
    });
    let (slot, moved) = below.next().unwrap();
    let (other, _) = below.next().unwrap();
    let compare = |new: Cid| {
        let side = |directory| Side {
            blocks: &blocks,
            directory: Some(directory),
        };
        let mut none = |_| Ok::<_, TreeError<String>>(());
        difference(&side(old), &side(new), &mut none).unwrap_err()
    };
    shard.children.insert(other, Child::Shard(moved));
    let misplaced = blocks.insert(shard.encode(CidVersion::V0));
    assert!(compare(misplaced).to_string().contains("in another shard"));
    let lost = cid_of(CidVersion::V1, RAW, b"lost");
    let link = Entry { cid: lost, size: 1 };
    shard.children.insert(slot, Child::Shard(link));
    let error = compare(blocks.insert(shard.encode(CidVersion::V0))).to_string();
    assert!(error.contains("is missing"), "{error}");
}
