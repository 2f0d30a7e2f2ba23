//! A tree with each fault, which the reader must find.

use super::*;
use crate::support::items::{Files, item, tree_of};
use crate::support::{Nothing, TestNode};
use guix_ipfs::ipfs::cid::CidVersion;
use guix_ipfs::ipfs::directory::{Changes, Child, Entry, PlainDirectory, Shard, patch};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[track_caller]
fn fails(says: &str, judge: impl FnOnce()) {
    let reason = catch_unwind(AssertUnwindSafe(judge)).unwrap_err();
    let text = reason.downcast_ref::<String>().map(String::as_str);
    let text = text.or(reason.downcast_ref::<&str>().copied()).unwrap();
    assert!(text.contains(says), "{says:?} is not in {text:?}");
}

/// The tree of two items, the first of which refers to the second.
fn two_items() -> (Files, [String; 2]) {
    let (one, two) = (item(1, "one", 600_000), item(2, "two", 100));
    let mut tree = tree_of([&one, &two]);
    let narinfo = tree.get_mut(&format!("{}.narinfo", one.hash)).unwrap();
    let text = String::from_utf8(narinfo.clone()).unwrap();
    let reference = format!("References: {}-two", two.hash);
    *narinfo = text.replace("References: ", &reference).into_bytes();
    (tree, [one.hash, two.hash])
}

#[test]
fn a_whole_tree_is_read_and_passes() {
    let node = TestNode::local();
    let (tree, mut hashes) = two_items();
    for version in [CidVersion::V0, CidVersion::V1] {
        let root = node.store_tree(&tree, version);
        let published = node.published(&root);
        assert_eq!(published.files, tree);
        published.judge();
        published.judge_closures();
        hashes.sort();
        assert_eq!(published.hashes(), hashes);
    }
}

#[test]
fn each_fault_of_a_tree_is_named() {
    let (tree, [one, two]) = two_items();
    let nar = format!("nar/gzip/{one}-one");
    let narinfo = format!("{one}.narinfo");
    let edited = |edit: &dyn Fn(&mut Files)| {
        let mut files = tree.clone();
        edit(&mut files);
        PublishedTree { files }
    };
    let replaced = |from: &str, to: &str| {
        let text = String::from_utf8(tree[&narinfo].clone()).unwrap();
        assert!(text.contains(from));
        let text = text.replacen(from, to, 1).into_bytes();
        edited(&|files| drop(files.insert(narinfo.clone(), text.clone())))
    };
    let no_nar = edited(&|files| drop(files.remove(&nar)));
    fails("which is not there", || no_nar.judge());
    let flipped = edited(&|files| files.get_mut(&nar).unwrap()[300_000] ^= 1);
    fails("unpack nar/gzip", || flipped.judge());
    let cut = edited(&|files| {
        files.get_mut(&nar).unwrap().pop();
    });
    fails("FileSize", || cut.judge());
    fails("NarSize", || replaced("NarSize: 6", "NarSize: 7").judge());
    fails("NarHash", || {
        replaced("NarHash: sha256:", "NarHash: sha256:0").judge();
    });
    let foreign = edited(&|files| {
        let content = files[&narinfo].clone();
        files.insert(format!("{}.narinfo", "0".repeat(32)), content);
    });
    fails("describes", || foreign.judge());
    let more = edited(&|files| drop(files.insert("nar/gzip/x".to_owned(), vec![1])));
    fails("no narinfo lists", || more.judge());
    let no_info = edited(&|files| drop(files.remove("nix-cache-info")));
    fails("\"nix-cache-info\"] is not there", || no_info.judge());
    let open = edited(&|files| files.retain(|path, _| !path.contains(&two)));
    open.judge();
    fails("not there, as item and reference", || open.judge_closures());
}

#[test]
fn a_damaged_or_missing_block_is_named() {
    let node = TestNode::local();
    let root = node.store_tree(&two_items().0, CidVersion::V0);
    let count = std::cell::Cell::new(0);
    let read = |at: usize, damage: fn(Vec<u8>) -> Option<Vec<u8>>| {
        count.set(0);
        let block = |cid: &str| {
            count.set(count.get() + 1);
            let block = node.raw_block(cid)?;
            match count.get() == at {
                true => damage(block),
                false => Some(block),
            }
        };
        drop(PublishedTree::read(&block, &root));
    };
    read(0, Some);
    let blocks = count.get();
    assert!(blocks > 8, "{blocks}");
    for at in 1..=blocks {
        fails("is missing", || read(at, |_| None));
        fails("another hash", || {
            read(at, |mut block| {
                *block.last_mut().unwrap() ^= 1;
                Some(block)
            });
        });
    }
}

#[test]
fn a_forged_directory_is_named() {
    let node = TestNode::local();
    let store = |(block, entry): (Vec<u8>, Entry)| {
        node.store([(entry.cid, block)]);
        entry.cid.to_string()
    };
    let file = node.node().add_file(CidVersion::V0, &mut &b"content"[..]);
    let file = file.unwrap();
    let entry = Entry::from(file);
    let wrong = Entry { size: 1, ..entry };
    let directory = PlainDirectory {
        entries: [("x".to_owned(), wrong)].into(),
    };
    let root = store(directory.encode(CidVersion::V0));
    fails("the size of", || drop(node.published(&root)));
    // A whole sharded directory, and one whose only entry stands elsewhere.
    let changes: Changes = (0..4000)
        .map(|number| (format!("{number:060}"), Some(entry)))
        .collect();
    let mut blocks = Vec::new();
    let mut sink = |cid, block: Vec<u8>| {
        blocks.push((cid, block));
        Ok(())
    };
    let root = patch(&Nothing, None, changes, CidVersion::V0, &mut sink).unwrap();
    node.store(blocks);
    let published = node.published(&root.cid.to_string());
    assert_eq!(published.files.len(), 4000);
    let slots = (0..=255).filter(|slot| {
        let shard = Shard {
            children: [(*slot, Child::Entry("x".to_owned(), entry))].into(),
        };
        let (shard, root) = shard.encode(CidVersion::V0);
        let root = root.cid.to_string();
        let block = |cid: &str| match cid == root {
            true => Some(shard.clone()),
            false => node.raw_block(cid),
        };
        let read = catch_unwind(AssertUnwindSafe(|| PublishedTree::read(&block, &root)));
        read.is_ok_and(|tree| tree.files["x"] == b"content")
    });
    assert_eq!(slots.count(), 1);
}
