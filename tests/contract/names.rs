//! Keys, names and records.

use crate::support::TestNode;
use crate::{add, directory, is_refused, missing, options};
use guix_ipfs::ipfs::cid::CidVersion;
use guix_ipfs::node::local::LocalNode;
use guix_ipfs::node::{Node, Refusal};
use std::time::Duration;

on_both_nodes!(
    keys_are_made_listed_and_renamed,
    a_renamed_key_publishes_under_the_same_name,
    a_key_that_exists_or_does_not_is_refused,
    a_key_made_elsewhere_publishes_under_its_name,
    a_name_points_to_what_was_published_last,
    a_name_that_was_never_published_resolves_to_nothing,
    announcements_and_those_of_others_need_a_network,
);

fn keys_are_made_listed_and_renamed(at: &TestNode) {
    let node = at.node();
    let names = || {
        let keys = node.keys().unwrap().into_iter();
        let mut names: Vec<String> = keys.map(|key| key.name).collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["self"]);
    let key = node.create_key("k").unwrap();
    assert!(key.id.starts_with("k51"), "{key:?}");
    assert_eq!(names(), ["k", "self"]);
    node.rename_key(&key, "renamed").unwrap();
    assert_eq!(names(), ["renamed", "self"]);
    let keys = node.keys().unwrap();
    let renamed = keys.iter().find(|key| key.name == "renamed").unwrap();
    assert_eq!(renamed.id, key.id);
}

fn a_renamed_key_publishes_under_the_same_name(at: &TestNode) {
    let node = at.node();
    let key = node.create_key("k").unwrap();
    let root = |name| directory(node, CidVersion::V0, &[(name, add(node, b"x"))]);
    let (first, second) = (root("a"), root("b"));
    node.publish(&key, &first, &options()).unwrap();
    node.rename_key(&key, "renamed").unwrap();
    let path = |root| Some(format!("/ipfs/{root}"));
    assert_eq!(node.resolve(&key.id).unwrap(), path(first));
    let keys = node.keys().unwrap();
    let renamed = keys.iter().find(|key| key.name == "renamed").unwrap();
    node.publish(renamed, &second, &options()).unwrap();
    assert_eq!(node.resolve(&key.id).unwrap(), path(second));
    // The node's own name, in both spellings.
    let own = keys.iter().find(|key| key.name == "self").unwrap();
    node.publish(own, &first, &options()).unwrap();
    for name in [&own.id, &node.description().peer_id] {
        assert_eq!(node.resolve(name).unwrap(), path(first), "{name}");
    }
}

fn a_key_that_exists_or_does_not_is_refused(at: &TestNode) {
    let node = at.node();
    let key = node.create_key("k").unwrap();
    let other = node.create_key("other").unwrap();
    is_refused(node.create_key("k"), Refusal::KeyExists);
    assert!(node.create_key("self").is_err());
    is_refused(node.rename_key(&key, "other"), Refusal::KeyExists);
    assert!(node.rename_key(&key, "self").is_err());
    node.rename_key(&other, "elsewhere").unwrap();
    is_refused(node.rename_key(&other, "x"), Refusal::NoSuchKey);
    is_refused(
        node.publish(&other, &missing(), &options()),
        Refusal::NoSuchKey,
    );
}

fn a_key_made_elsewhere_publishes_under_its_name(at: &TestNode) {
    let node = at.node();
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = LocalNode::open(folder.path()).unwrap();
    let made = elsewhere.create_key("made").unwrap();
    let private = elsewhere.export_key(&made).unwrap().unwrap();
    assert_eq!(private.id(), made.id);
    let key = node.import_key("imported", &private).unwrap();
    assert_eq!((&*key.name, &key.id), ("imported", &made.id));
    assert!(node.keys().unwrap().contains(&key));
    let root = directory(node, CidVersion::V0, &[]);
    node.publish(&key, &root, &options()).unwrap();
    let path = Some(format!("/ipfs/{root}"));
    assert_eq!(node.resolve(&made.id).unwrap(), path);
    // A name that is taken keeps its key.
    let taken = node.create_key("taken").unwrap();
    is_refused(node.import_key("taken", &private), Refusal::KeyExists);
    assert!(node.import_key("self", &private).is_err());
    assert!(node.keys().unwrap().contains(&taken));
    match at.is_kubo() {
        // Its RPC hands out none.
        true => assert_eq!(node.export_key(&key).unwrap(), None),
        false => {
            assert_eq!(node.export_key(&key).unwrap(), Some(private));
            is_refused(elsewhere.export_key(&taken), Refusal::NoSuchKey);
        }
    }
    assert!(node.free_bytes().unwrap().is_some_and(|free| free > 0));
}

fn a_name_points_to_what_was_published_last(at: &TestNode) {
    let node = at.node();
    let key = node.create_key("k").unwrap();
    let mut offline = options();
    offline.allow_offline = false;
    let root = |name| directory(node, CidVersion::V0, &[(name, add(node, b"x"))]);
    let (first, second) = (root("a"), root("b"));
    // A node with a network does not publish for itself alone unless told to.
    match at.is_kubo() {
        true => is_refused(node.publish(&key, &first, &offline), Refusal::Offline),
        false => node.publish(&key, &first, &offline).unwrap(),
    }
    for root in [first, second, first] {
        node.publish(&key, &root, &options()).unwrap();
        let path = Some(format!("/ipfs/{root}"));
        assert_eq!(node.resolve(&key.id).unwrap(), path);
    }
    if let Some(record) = node.record(&key.id).unwrap() {
        assert_eq!(record.value, format!("/ipfs/{first}"));
        assert!(record.validity.starts_with("20"), "{record:?}");
        let mut higher = options();
        higher.sequence = Some(record.sequence + 5);
        node.publish(&key, &second, &higher).unwrap();
        let record = node.record(&key.id).unwrap().unwrap();
        assert_eq!(Some(record.sequence), higher.sequence);
    } else {
        // Offline, Kubo tells no record.
        assert!(at.is_kubo());
    }
}

fn a_name_that_was_never_published_resolves_to_nothing(at: &TestNode) {
    let node = at.node();
    let key = node.create_key("k").unwrap();
    assert_eq!(node.resolve(&key.id).unwrap(), None);
    assert_eq!(node.record(&key.id).unwrap(), None);
    let foreign = "k51qzi5uqu5dgyg3xos212pqpfmzl7b4q72dpr4mp54n5vdoqllf8mkfc43cea";
    assert_eq!(node.resolve(foreign).unwrap(), None);
    // A record that has run out is as good as none.
    let root = directory(node, CidVersion::V0, &[]);
    let mut brief = options();
    brief.lifetime = Duration::from_secs(1);
    node.publish(&key, &root, &brief).unwrap();
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(node.resolve(&key.id).unwrap(), None);
}

fn announcements_and_those_of_others_need_a_network(at: &TestNode) {
    let node = at.node();
    let root = add(node, b"a file");
    match node.description().capabilities.network {
        true => is_refused(node.announce(&root), Refusal::Offline),
        // Nobody expects one.
        false => node.announce(&root).unwrap(),
    }
    let limit = Duration::from_secs(2);
    assert_eq!(node.providers(&root, limit).unwrap(), None);
    assert_eq!(node.providers(&missing(), limit).unwrap(), None);
}
