//! The local store as its users meet it, several of them at once.

use super::LocalNode;
use super::lock::WriteLock;
use crate::ipfs::cid::{Cid, CidVersion, RAW, cid_of};
use crate::node::{KnownBlocks, Node, NodeError, PublishOptions};
use crate::util::diagnosis::Diagnosis;
use data_encoding::HEXLOWER;
use std::fmt::Debug;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

fn folder_and_node() -> (TempDir, LocalNode) {
    let folder = tempfile::tempdir().unwrap();
    let node = LocalNode::open(folder.path()).unwrap();
    (folder, node)
}

fn put(node: &LocalNode, content: &[u8]) -> Cid {
    let cid = cid_of(CidVersion::V1, RAW, content);
    node.put_block(&cid, content).unwrap();
    cid
}

fn terms(sequence: Option<u64>) -> PublishOptions {
    PublishOptions {
        lifetime: Duration::from_secs(3600),
        allow_offline: false,
        sequence,
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn assert_damaged(result: Result<impl Debug, NodeError>, file: &str) {
    let error = result.unwrap_err();
    let named = error.to_string().contains(&format!("{file} is damaged"));
    assert!(named && error.advice().unwrap().contains("remove it"));
}

#[test]
fn two_users_of_a_folder_see_each_others_changes_at_once() {
    let (folder, one) = folder_and_node();
    let other = LocalNode::open(folder.path()).unwrap();
    assert_eq!(one.description(), other.description());
    let root = put(&one, b"root");
    assert_eq!(other.block(&root).unwrap(), b"root");
    one.pin(&root, "name", KnownBlocks::All).unwrap();
    assert_eq!(other.pins_named("name").unwrap(), [root]);
    let key = one.create_key("a/b").unwrap();
    assert_eq!(other.keys().unwrap()[1], key);
    other.publish(&key, &root, &terms(None)).unwrap();
    assert_eq!(one.resolve(&key.id).unwrap(), Some(format!("/ipfs/{root}")));
    other.unpin(&root).unwrap();
    assert!(!one.is_pinned(&root).unwrap());
    assert_eq!(one.collect_garbage().unwrap(), 1);
    assert_eq!(other.block_size(&root).unwrap(), None);
}

#[test]
fn readers_do_not_wait_for_a_writer() {
    let (folder, node) = folder_and_node();
    let root = put(&node, b"root");
    node.pin(&root, "name", KnownBlocks::All).unwrap();
    let lock = WriteLock::new(folder.path());
    let _held = lock.take().unwrap();
    let reader = LocalNode::open(folder.path()).unwrap();
    assert_eq!(reader.block(&root).unwrap(), b"root");
    assert!(reader.is_pinned(&root).unwrap() && reader.keys().unwrap().len() == 1);
    let added = reader
        .add_file(CidVersion::V1, &mut &b"content"[..])
        .unwrap();
    let mut content = String::new();
    let mut file = reader.read_file(&added.cid).unwrap();
    file.read_to_string(&mut content).unwrap();
    assert_eq!(content, "content");
}

#[test]
fn a_damaged_table_or_key_is_named_with_its_way_out() {
    let (folder, node) = folder_and_node();
    node.create_key("key").unwrap();
    for file in ["pins.json", "names.json", "keys/key"] {
        fs::write(folder.path().join(file), "").unwrap();
    }
    assert_damaged(node.pins_named(""), "pins.json");
    let own = node.description().peer_id.clone();
    assert_damaged(node.resolve(&own), "names.json");
    assert_damaged(node.keys(), "keys/key");
    fs::write(folder.path().join("pins.json"), r#"{"no CID": ""}"#).unwrap();
    assert_damaged(node.collect_garbage(), "pins.json");
    fs::remove_file(folder.path().join("pins.json")).unwrap();
    assert!(node.pins_named("").unwrap().is_empty());
}

#[test]
fn keys_are_the_owners_alone() {
    let (folder, node) = folder_and_node();
    let key = node.create_key("a/b").unwrap();
    let keys = folder.path().join("keys");
    assert_eq!((mode(&keys), mode(&keys.join("a%2Fb"))), (0o700, 0o600));
    node.publish(&key, &put(&node, b"root"), &terms(None))
        .unwrap();
    assert_eq!(mode(&folder.path().join("names.json")), 0o600);
}

#[test]
fn a_record_lasts_its_time_and_its_sequence_rises_with_every_value() {
    let (_folder, node) = folder_and_node();
    let key = node.keys().unwrap().remove(0);
    let peer_id = node.description().peer_id.clone();
    assert_eq!(node.resolve(&peer_id).unwrap(), None);
    let (a, b) = (put(&node, b"a"), put(&node, b"b"));
    for (root, given, sequence) in [(a, None, 0), (a, None, 0), (b, None, 1), (b, Some(7), 7)] {
        node.publish(&key, &root, &terms(given)).unwrap();
        let record = node.record(&peer_id).unwrap().unwrap();
        assert_eq!(record.value, format!("/ipfs/{root}"));
        assert_eq!(record.sequence, sequence);
        assert!(record.validity.starts_with("20") && record.validity.ends_with('Z'));
    }
    assert!(node.publish(&key, &a, &terms(Some(7))).is_err());
    let ended = PublishOptions {
        lifetime: Duration::ZERO,
        ..terms(None)
    };
    node.publish(&key, &a, &ended).unwrap();
    assert_eq!(node.resolve(&peer_id).unwrap(), None);
    node.publish(&key, &b, &terms(None)).unwrap();
    assert_eq!(node.record(&key.id).unwrap().unwrap().sequence, 9);
}

#[test]
fn nothing_is_collected_while_something_pinned_is_missing() {
    let (folder, node) = folder_and_node();
    let root = put(&node, b"root");
    node.pin(&root, "", KnownBlocks::All).unwrap();
    let lost = put(&node, b"lost");
    let name = HEXLOWER.encode(&root.hash().to_bytes());
    let blocks = folder.path().join("blocks");
    fs::remove_file(blocks.join(&name[name.len() - 2..]).join(&name)).unwrap();
    let error = node.collect_garbage().unwrap_err();
    assert!(error.is_missing() && error.to_string().contains(&root.to_string()));
    assert!(node.block_size(&lost).unwrap().is_some());
}

#[test]
fn the_collector_takes_what_a_killed_writer_left_and_nothing_of_one_that_lives() {
    let (folder, node) = folder_and_node();
    put(&node, b"block");
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let blocks = folder.path().join("blocks");
    let shelf = fs::read_dir(blocks)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let dead = format!(".tmp-{}-1", child.id());
    let living = shelf.join(format!(".tmp-{}-1", std::process::id()));
    for path in [&shelf.join(&dead), &folder.path().join(&dead), &living] {
        fs::write(path, "half").unwrap();
    }
    node.collect_garbage().unwrap();
    assert!(!shelf.join(&dead).exists() && !folder.path().join(&dead).exists());
    assert!(living.exists());
}
