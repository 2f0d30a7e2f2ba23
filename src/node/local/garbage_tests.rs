//! The collector beside writers, and by itself.

use super::LocalNode;
use super::lock::PATIENCE;
use crate::ipfs::cid::{Cid, CidVersion, RAW, cid_of};
use crate::ipfs::directory::{Entry, PlainDirectory};
use crate::node::{KnownBlocks, Node, NodeError, Segment};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const MIB: usize = 1 << 20;

struct Scene {
    folder: TempDir,
    node: LocalNode,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(folder.path()).unwrap();
        Self { folder, node }
    }

    /// Stores the directory of these blocks, unprotected from the collector.
    fn directory(&self, blocks: &[Cid], bytes: usize) -> Cid {
        let (block, entry) = directory(blocks, bytes);
        self.node.put_block(&entry.cid, &block).unwrap();
        entry.cid
    }

    /// Stores so many blocks of a MiB and pins their directory.
    fn pin_blocks(&self, numbers: std::ops::Range<usize>, name: &str) -> (Cid, Vec<Cid>) {
        let blocks: Vec<Cid> = numbers
            .map(|number| put(&self.node, &mib(number)))
            .collect();
        let root = self.directory(&blocks, MIB);
        self.node.pin(&root, name, KnownBlocks::All).unwrap();
        (root, blocks)
    }

    fn has(&self, cid: &Cid) -> bool {
        self.node.block_size(cid).unwrap().is_some()
    }

    fn has_all(&self, cids: &[Cid]) -> bool {
        cids.iter().all(|cid| self.has(cid))
    }

    fn has_none(&self, cids: &[Cid]) -> bool {
        !cids.iter().any(|cid| self.has(cid))
    }

    fn usage(&self) -> PathBuf {
        self.folder.path().join("usage")
    }

    /// A number of the account.
    fn account(&self, field: &str) -> u64 {
        let json = fs::read(self.usage()).unwrap();
        let account: serde_json::Value = serde_json::from_slice(&json).unwrap();
        account[field].as_u64().unwrap()
    }
}

fn mib(number: usize) -> Vec<u8> {
    let mut block = vec![0; MIB];
    block[..8].copy_from_slice(&number.to_be_bytes());
    block
}

fn put(node: &LocalNode, content: &[u8]) -> Cid {
    let cid = cid_of(CidVersion::V1, RAW, content);
    node.put_block(&cid, content).unwrap();
    cid
}

fn directory(blocks: &[Cid], bytes: usize) -> (Vec<u8>, Entry) {
    let entries = blocks.iter().map(|cid| {
        let size = bytes as u64;
        (cid.to_string(), Entry { cid: *cid, size })
    });
    let entries = entries.collect();
    PlainDirectory { entries }.encode(CidVersion::V0)
}

#[test]
fn what_is_pinned_while_a_collection_runs_keeps_all_its_blocks() {
    let scene = Scene::new();
    let node = &scene.node;
    let other = LocalNode::open(scene.folder.path()).unwrap();
    let (old, kept) = ([put(node, b"kept")], put(node, b"kept"));
    let old = scene.directory(&old, 4);
    node.pin(&old, "updated", KnownBlocks::All).unwrap();
    // It was there before, and nobody pinned it.
    let (garbage, found, found_too) = (put(node, b"1"), put(node, b"2"), put(node, b"3"));
    let mut collection = node.begin_collection(PATIENCE).unwrap();
    // None of this waits for the collection.
    let new = [put(&other, b"new")];
    let (block, entry) = directory(&[new[0], found], 3);
    let mut segment = Segment::default();
    segment.push(found_too, b"3".to_vec());
    segment.push(entry.cid, block);
    let segment = segment.seal();
    other.import(&segment).unwrap();
    other.pin(&entry.cid, "new", KnownBlocks::All).unwrap();
    let update = [kept, put(&other, b"update")];
    let updated = directory(&update, 4);
    other.put_block(&updated.1.cid, &updated.0).unwrap();
    other.pin_update(&old, &updated.1.cid).unwrap();
    other.unpin(&old).unwrap();
    // Staged while it was there, and pinned below another root.
    assert_eq!(collection.sweep().unwrap(), 1);
    assert!(!scene.has(&garbage) && scene.has(&old));
    assert!(scene.has_all(&[found, found_too, new[0], entry.cid]));
    assert!(scene.has_all(&update) && scene.has(&updated.1.cid));
    drop(collection);
    assert_eq!(node.collect_garbage().unwrap(), 1);
    assert!(!scene.has(&old) && scene.has_all(&[found, found_too, new[0], kept]));
}

#[test]
fn what_is_staged_and_then_pinned_as_a_directory_is_followed() {
    let scene = Scene::new();
    let node = &scene.node;
    let leaf = put(node, b"leaf");
    let (block, entry) = directory(&[leaf], 4);
    let mut segment = Segment::default();
    segment.push(entry.cid, block);
    let segment = segment.seal();
    node.import(&segment).unwrap();
    let mut collection = node.begin_collection(PATIENCE).unwrap();
    node.pin(&entry.cid, "name", KnownBlocks::All).unwrap();
    node.unpin(&segment.staging).unwrap();
    assert_eq!(collection.sweep().unwrap(), 0);
    assert!(scene.has(&leaf));
}

#[test]
fn a_store_has_one_collection_at_a_time() {
    let scene = Scene::new();
    let collection = scene.node.begin_collection(PATIENCE).unwrap();
    let other = LocalNode::open(scene.folder.path()).unwrap();
    let error = other.begin_collection(std::time::Duration::ZERO);
    let error = error.unwrap_err().to_string();
    let holder = format!("in use by process {}", std::process::id());
    assert!(error.ends_with(&holder), "{error}");
    drop(collection);
    assert_eq!(other.collect_garbage().unwrap(), 0);
}

#[test]
fn a_store_collects_by_itself_when_more_than_half_and_much_is_unpinned() {
    let scene = Scene::new();
    let node = &scene.node;
    let unpin = |root: &Cid| node.unpin(root).unwrap();
    let (first, blocks_of_first) = scene.pin_blocks(0..40, "first");
    let (second, blocks_of_second) = scene.pin_blocks(40..100, "second");
    let (third, blocks_of_third) = scene.pin_blocks(100..130, "third");
    // Too little.
    unpin(&first);
    assert!(scene.has_all(&blocks_of_first));
    // Of 180 MiB, 90 are unpinned, and then 100.
    let (fourth, blocks_of_fourth) = scene.pin_blocks(130..180, "fourth");
    unpin(&fourth);
    assert!(scene.has_all(&blocks_of_first) && scene.has_all(&blocks_of_fourth));
    let (fifth, _) = scene.pin_blocks(180..190, "fifth");
    unpin(&fifth);
    assert!(scene.has_none(&blocks_of_first) && scene.has_none(&blocks_of_fourth));
    assert!(scene.has_all(&blocks_of_second) && scene.has_all(&blocks_of_third));
    // More than half, but not much: 61 MiB.
    unpin(&second);
    assert!(scene.has_all(&blocks_of_second));
    // A pin without a name is not worth a look.
    node.pin(&third, "", KnownBlocks::All).unwrap();
    unpin(&third);
    assert!(scene.has_all(&blocks_of_third));
    let (sixth, _) = scene.pin_blocks(200..205, "sixth");
    unpin(&sixth);
    assert!(scene.has_none(&blocks_of_second) && scene.has_none(&blocks_of_third));
}

#[test]
fn adding_measures_only_when_the_store_has_doubled_and_never_collects() {
    let scene = Scene::new();
    let node = &scene.node;
    let garbage = put(node, b"nobody pins this");
    let (mut root, mut blocks) = scene.pin_blocks(0..1, "mirror");
    let mut measures = Vec::new();
    for number in 1..300 {
        blocks.push(put(node, &mib(number)));
        let new = scene.directory(&blocks, MIB);
        node.pin_update(&root, &new).unwrap();
        node.unpin(&root).unwrap();
        root = new;
        let bytes = scene.account("bytes");
        if measures.last() != Some(&bytes) {
            measures.push(bytes);
        }
    }
    // At first, and at some 70, 140 and 280 MiB.
    assert!((3..=4).contains(&measures.len()), "{measures:?}");
    assert!(scene.has(&garbage) && scene.has_all(&blocks));
    let written = scene.account("bytes") + scene.account("written");
    assert_eq!(written, node.usage().unwrap().bytes);
}

#[test]
fn a_root_that_gets_smaller_drops_what_it_has_lost() {
    let scene = Scene::new();
    let node = &scene.node;
    let (mut root, blocks) = scene.pin_blocks(0..150, "mirror");
    let (other, _) = scene.pin_blocks(150..151, "other");
    node.unpin(&other).unwrap();
    for left in [120, 100, 80, 70] {
        let new = scene.directory(&blocks[..left], MIB);
        node.pin_update(&root, &new).unwrap();
        node.unpin(&root).unwrap();
        root = new;
        let is_swept = left == 70;
        assert_eq!(scene.has(&blocks[149]), !is_swept, "{left}");
        assert!(scene.has_all(&blocks[..left]), "{left}");
    }
    assert!(scene.has_none(&blocks[70..]));
    assert_eq!(scene.account("kept"), node.usage().unwrap().bytes);
}

#[test]
fn a_broken_account_is_measured_anew() {
    let texts = [
        "",
        "{",
        "[1,2,3]",
        r#"{"bytes":-1,"kept":0,"written":0,"dropped":0}"#,
        r#"{"bytes":1}"#,
    ];
    for text in texts.map(Some).into_iter().chain([None]) {
        let scene = Scene::new();
        let (much, blocks) = scene.pin_blocks(0..70, "much");
        let (little, kept) = scene.pin_blocks(70..75, "little");
        let (another, _) = scene.pin_blocks(75..76, "another");
        scene.node.unpin(&another).unwrap();
        match text {
            Some(text) => fs::write(scene.usage(), text).unwrap(),
            None => fs::remove_file(scene.usage()).unwrap(),
        }
        let segment = Segment::default().seal();
        scene.node.import(&segment).unwrap();
        scene.node.unpin(&much).unwrap();
        assert!(scene.has_none(&blocks) && scene.has_all(&kept), "{text:?}");
        let stored = scene.node.usage().unwrap().bytes;
        assert_eq!(scene.account("bytes"), stored, "{text:?}");
        assert!(scene.node.is_pinned(&little).unwrap());
    }
}

#[test]
fn an_account_of_unsound_numbers_leads_to_a_measure_or_to_nothing() {
    for text in [
        r#"{"bytes":0,"kept":18446744073709551615,"written":0,"dropped":0}"#,
        r#"{"bytes":18446744073709551615,"kept":0,"written":18446744073709551615,"dropped":9}"#,
    ] {
        let scene = Scene::new();
        let (root, _) = scene.pin_blocks(0..2, "root");
        let (kept, blocks) = scene.pin_blocks(2..4, "kept");
        fs::write(scene.usage(), text).unwrap();
        scene.node.unpin(&root).unwrap();
        assert!(scene.has_all(&blocks) && scene.node.is_pinned(&kept).unwrap());
        scene.node.collect_garbage().unwrap();
        assert_eq!(scene.account("kept"), scene.node.usage().unwrap().bytes);
    }
}

#[test]
fn damage_stops_no_commit_and_is_named_by_a_collection() {
    let scene = Scene::new();
    let node = &scene.node;
    let (much, blocks) = scene.pin_blocks(0..80, "much");
    let (damaged, _) = scene.pin_blocks(80..81, "damaged");
    let name = data_encoding::HEXLOWER.encode(&damaged.hash().to_bytes());
    let shelf = scene
        .folder
        .path()
        .join("blocks")
        .join(&name[name.len() - 2..]);
    fs::write(shelf.join(&name), "half").unwrap();
    node.unpin(&much).unwrap();
    assert!(scene.has_all(&blocks));
    let error: NodeError = node.collect_garbage().unwrap_err();
    assert!(error.to_string().contains(&name), "{error}");
    // Where nobody needs it any more, the next one succeeds.
    node.unpin(&damaged).unwrap();
    assert!(scene.has_none(&blocks));
    assert_eq!(node.collect_garbage().unwrap(), 0);
}

#[test]
fn the_account_holds_what_two_processes_write() {
    let scene = Scene::new();
    let other = LocalNode::open(scene.folder.path()).unwrap();
    let (root, _) = scene.pin_blocks(0..1, "root");
    scene.node.unpin(&root).unwrap();
    assert_eq!(scene.account("written"), 0);
    let write = |node: &LocalNode, numbers: std::ops::Range<usize>| {
        for number in numbers {
            let mut segment = Segment::default();
            let block = mib(number);
            segment.push(cid_of(CidVersion::V1, RAW, &block), block);
            node.import(&segment.seal()).unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| write(&scene.node, 1..9));
        scope.spawn(|| write(&other, 9..17));
    });
    let holds_all = || {
        let stored = scene.node.usage().unwrap().bytes;
        assert_eq!(scene.account("bytes") + scene.account("written"), stored);
        assert!(stored > 17 * MIB as u64);
        stored
    };
    let before = holds_all();
    // What is there already is not written again.
    write(&other, 1..17);
    assert!(holds_all() < before + MIB as u64);
}
