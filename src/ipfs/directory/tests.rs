//! Sharded directories that are not what they say. (Sound ones are compared with
//! a real Kubo's in `tests/known_answers.rs`.)

use super::memory::Memory;
use super::*;
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, CidVersion, RAW, cid_of};
use crate::ipfs::dag_pb::{Link, PbNode};
use crate::ipfs::unixfs::UnixFs;
use std::ops::ControlFlow;

fn entry() -> Entry {
    Entry {
        cid: cid_of(CidVersion::V1, RAW, b"file"),
        size: 4,
    }
}

/// A directory of `count` entries, its blocks, and its root shard.
fn sharded(count: usize) -> (Memory, Cid, PbNode) {
    let blocks = Memory::default();
    let changes: Changes = (0..count)
        .map(|i| (format!("{i:060}"), Some(entry())))
        .collect();
    let root = blocks.patch(None, &[], changes).unwrap();
    let node = PbNode::decode(&blocks.get(&root.cid).unwrap()).unwrap();
    (blocks, root.cid, node)
}

/// The root shard with its message changed.
fn with_message(node: &PbNode, change: impl FnOnce(&mut UnixFs)) -> PbNode {
    let mut message = UnixFs::decode(node.data.as_ref().unwrap()).unwrap();
    change(&mut message);
    PbNode {
        data: Some(message.encode()),
        ..node.clone()
    }
}

/// The error of reading all of a directory.
fn refusal(blocks: &Memory, node: &PbNode) -> String {
    let root = blocks.put(node);
    let mut count = |_: &str, _: &Entry| ControlFlow::<()>::Continue(());
    for_each(blocks, &root, &mut count).unwrap_err().to_string()
}

#[test]
fn a_shard_that_lies_about_itself_is_refused_by_name() {
    let (blocks, _, node) = sharded(4000);
    let mut name = node.clone();
    name.links[3].name = "xy".to_owned();
    let mut order = node.clone();
    order.links.swap(0, 1);
    let field = with_message(&node, |message| message.data.as_mut().unwrap()[0] ^= 0x10);
    let width = with_message(&node, |message| message.fanout = Some(512));
    let function = with_message(&node, |message| message.hash_type = Some(0x12));
    for (changed, fault) in [
        (field, "bitfield"),
        (width, "512 slots"),
        (function, "hash function 0x12"),
        (name, "malformed link \"xy\""),
        (order, "malformed link"),
    ] {
        assert!(refusal(&blocks, &changed).contains(fault), "{fault}");
    }
}

#[test]
fn a_shard_in_anothers_place_is_refused_when_read_and_when_patched() {
    let (blocks, _, mut node) = sharded(4000);
    let (first, second) = (node.links[0].cid, node.links[1].cid);
    node.links[0].cid = second;
    node.links[1].cid = first;
    assert!(refusal(&blocks, &node).contains("in another shard"));
    let root = blocks.put(&node);
    let everywhere: Changes = (0..4000)
        .map(|i| (format!("new-{i}"), Some(entry())))
        .collect();
    let patched = blocks.patch(Some(&root), &[], everywhere);
    let error = patched.unwrap_err().to_string();
    assert!(error.contains("in another shard"), "{error}");
}

#[test]
fn what_stands_in_a_shards_place_must_be_a_shard() {
    let (blocks, _, mut node) = sharded(4000);
    let shard = node.links[0].cid;
    node.links[0].cid = blocks.insert(empty(CidVersion::V0));
    assert!(refusal(&blocks, &node).contains("plain directory in a shard's place"));
    node.links[0].cid = Cid::new_v1(RAW, *shard.hash());
    let raw = blocks.get(&shard).unwrap();
    blocks.blocks.borrow_mut().insert(node.links[0].cid, raw);
    assert!(refusal(&blocks, &node).contains("codec is not dag-pb"));
}

/// A cycle cannot be made without breaking the hash; a chain as long as one
/// likes can.
#[test]
fn shards_deeper_than_a_hash_is_long_are_refused() {
    let blocks = Memory::default();
    let name = "x";
    let slots = name_hash(name);
    let mut below = Link {
        cid: entry().cid,
        name: String::new(),
        size: 4,
    };
    for depth in (0..10).rev() {
        let slot = slots[depth % 8];
        let rest = if depth == 9 { name } else { "" };
        below.name = format!("{slot:02X}{rest}");
        let children = [(slot, Child::Shard(entry()))].into();
        let (block, _) = Shard { children }.encode(CidVersion::V0);
        let mut node = PbNode::decode(&block).unwrap();
        node.links = vec![below.clone()];
        below.cid = blocks.put(&node);
    }
    let top = PbNode::decode(&blocks.get(&below.cid).unwrap()).unwrap();
    let top = Shard::from_node(top).unwrap();
    let changes = Changes::from([(name.to_owned(), Some(entry()))]);
    for error in [
        lookup(&blocks, &below.cid, name).unwrap_err(),
        lookup_each(&blocks, &top, &["y", name]).unwrap_err(),
        blocks.patch(Some(&below.cid), &[], changes).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("nested too deeply"), "{error}");
    }
}

/// Other implementations leave leading zeros in the bitfield, say more about
/// themselves, or keep a shard for one entry.
#[test]
fn a_shard_written_otherwise_is_read_all_the_same() {
    let (blocks, root, node) = sharded(4000);
    let mut padded = with_message(&node, |message| {
        let field = message.data.take().unwrap();
        message.data = Some([vec![0; 32 - field.len()], field].concat());
    });
    // A mode of 0755, which other writers spell out.
    padded.data.as_mut().unwrap().extend([0x38, 0xed, 0x03]);
    let written = blocks.put(&padded);
    for i in [0, 17, 3999] {
        let name = format!("{i:060}");
        assert_eq!(lookup(&blocks, &written, &name).unwrap(), Some(entry()));
    }
    assert_eq!(lookup(&blocks, &written, "nothing").unwrap(), None);
    // Patched, it is what `ipfs add -r` gives.
    let again = Changes::from([(format!("{:060}", 17), Some(entry()))]);
    let patched = blocks.patch(Some(&written), &[], again).unwrap();
    assert_eq!(patched.cid, root);
}

/// The directory without a lost shard is that of the remaining entries, rebuilt: in one
/// that stays sharded, in one that becomes plain, and with a shard two levels down.
#[test]
fn what_is_left_beside_lost_shards_makes_a_whole_directory() {
    for (count, take) in [(4000, 1), (2800, 40), (12_000, 3)] {
        let (blocks, root, node) = sharded(count);
        let whole = shards(&blocks, &root);
        let deepest = whole.iter().max_by_key(|(slots, _)| slots.len()).unwrap();
        let others = whole.iter().filter(|(slots, _)| slots.len() == 1);
        for (_, cid) in others.take(take).chain([deepest]) {
            blocks.remove(cid);
        }
        let (mut left, mut found) = (Changes::new(), Vec::new());
        let shard = Shard::from_node(node).unwrap();
        let slots: Vec<u8> = shard.children.keys().copied().collect();
        let walked = walk_slots(&blocks, &root, &shard, &slots, &mut |step| {
            match step {
                Step::Entry(name, entry) => drop(left.insert(name.to_owned(), Some(*entry))),
                Step::Lost(shard, _) => found.push(shard),
            }
            ControlFlow::<()>::Continue(())
        });
        assert!(walked.unwrap().is_continue());
        // The deepest one may lie below another.
        assert!(found.len() >= take && left.len() < count);
        // One of the names that were lost comes back at the same time.
        let mut names = (0..count).map(|i| format!("{i:060}"));
        let lost_name = names.find(|name| !left.contains_key(name));
        let again = Changes::from([(lost_name.unwrap(), Some(entry()))]);
        left.extend(again.clone());
        let pruned = blocks.patch(Some(&root), &found, again).unwrap();
        let mut count_entry = |_: &str, _: &Entry| ControlFlow::<()>::Continue(());
        let walked = for_each(&blocks, &pruned.cid, &mut count_entry).unwrap();
        assert!(walked.is_continue());
        let anew = blocks.patch(None, &[], left).unwrap();
        assert_eq!(pruned, anew, "{count}");
    }
}

/// Every shard below a root shard, with the slots that lead to it.
fn shards(blocks: &Memory, root: &Cid) -> Vec<(Vec<u8>, Cid)> {
    let mut open = vec![(Vec::new(), *root)];
    let mut all = Vec::new();
    while let Some((slots, cid)) = open.pop() {
        let block = blocks.get(&cid).unwrap();
        let shard = Shard::decode::<String>(&cid, &block).unwrap();
        for (slot, child) in shard.children {
            if let Child::Shard(link) = child {
                let below = [slots.clone(), vec![slot]].concat();
                all.push((below.clone(), link.cid));
                open.push((below, link.cid));
            }
        }
    }
    all
}

#[test]
fn many_names_are_found_as_each_alone_is() {
    let (blocks, root, node) = sharded(4000);
    let shard = Shard::from_node(node).unwrap();
    let names: Vec<String> = (0..6000).map(|i| format!("{:060}", i * 7 % 5003)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let alone = names
        .iter()
        .map(|name| lookup(&blocks, &root, name).unwrap());
    let alone: Vec<_> = alone.collect();
    assert_eq!(lookup_each(&blocks, &shard, &names).unwrap(), alone);
    assert!(alone.contains(&None) && alone.contains(&Some(entry())));
    let lost = blocks
        .blocks
        .borrow()
        .keys()
        .copied()
        .find(|cid| *cid != root);
    let lost = lost.unwrap();
    blocks.remove(&lost);
    let error = lookup_each(&blocks, &shard, &names)
        .unwrap_err()
        .to_string();
    assert!(error.contains(&lost.to_string()), "{error}");
}
