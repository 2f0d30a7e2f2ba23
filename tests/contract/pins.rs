//! Pins.

use crate::support::TestNode;
use crate::{add, directory, is_refused, missing};
use guix_ipfs::ipfs::cid::{CidVersion, unique};
use guix_ipfs::node::{KnownBlocks, Refusal};
use std::sync::Barrier;
use std::thread;

on_both_nodes!(
    a_pin_needs_everything_below_it,
    a_pin_is_found_by_its_whole_name_and_has_one,
    pins_are_found_by_the_beginning_of_their_names,
    content_within_its_own_cid_is_pinned_without_a_block,
    a_pin_is_updated_beside_the_old_one_and_keeps_its_name,
    an_update_is_refused_for_its_reason,
    a_pin_that_was_updated_twice_at_once_is_updated_again,
    what_is_not_pinned_is_unpinned_without_complaint,
);

fn a_pin_needs_everything_below_it(at: &TestNode) {
    let node = at.node();
    let root = directory(node, CidVersion::V0, &[("x", missing())]);
    for cid in [root, missing()] {
        is_refused(node.pin(&cid, "p", KnownBlocks::Unsure), Refusal::Missing);
        assert!(!node.is_pinned(&cid).unwrap());
    }
    assert_eq!(node.pins_named("p").unwrap(), []);
}

fn a_pin_is_found_by_its_whole_name_and_has_one(at: &TestNode) {
    let node = at.node();
    let file = add(node, b"pinned");
    assert!(!node.is_pinned(&file).unwrap());
    node.pin(&file, "a/b", KnownBlocks::All).unwrap();
    assert!(node.is_pinned(&file).unwrap());
    assert_eq!(node.pins_named("a/b").unwrap(), [file]);
    for part in ["a", "a/", "b", "a/b/c"] {
        assert_eq!(node.pins_named(part).unwrap(), [], "{part}");
    }
    // A block below a pin does not have one.
    let root = directory(node, CidVersion::V0, &[("x", add(node, b"below"))]);
    node.pin(&root, "r", KnownBlocks::Unsure).unwrap();
    assert!(!node.is_pinned(&add(node, b"below")).unwrap());
    node.pin(&file, "another", KnownBlocks::All).unwrap();
    assert_eq!(node.pins_named("a/b").unwrap(), []);
    assert_eq!(node.pins_named("another").unwrap(), [file]);
}

fn content_within_its_own_cid_is_pinned_without_a_block(at: &TestNode) {
    let node = at.node();
    let claim = unique();
    assert_ne!(claim, unique());
    node.pin(&claim, "claim", KnownBlocks::All).unwrap();
    at.collect_garbage();
    assert!(node.is_pinned(&claim).unwrap());
    assert_eq!(node.pins_named("claim").unwrap(), [claim]);
    node.unpin(&claim).unwrap();
    assert!(!node.is_pinned(&claim).unwrap());
    at.collect_garbage();
}

fn a_pin_is_updated_beside_the_old_one_and_keeps_its_name(at: &TestNode) {
    let node = at.node();
    let (one, two) = (add(node, b"one"), add(node, b"two"));
    let old = directory(node, CidVersion::V0, &[("one", one)]);
    let new = directory(node, CidVersion::V0, &[("one", one), ("two", two)]);
    node.pin(&old, "name", KnownBlocks::Unsure).unwrap();
    node.pin_update(&old, &new).unwrap();
    let mut pins = node.pins_named("name").unwrap();
    pins.sort();
    let mut both = [old, new];
    both.sort();
    assert_eq!(pins, both);
    node.unpin(&old).unwrap();
    node.collect_garbage().unwrap();
    assert!(at.has_block(&one) && at.has_block(&two) && !at.has_block(&old));
}

fn an_update_is_refused_for_its_reason(at: &TestNode) {
    let node = at.node();
    let (one, two) = (add(node, b"one"), add(node, b"two"));
    let old = directory(node, CidVersion::V0, &[("one", one)]);
    let new = directory(node, CidVersion::V0, &[("two", two)]);
    is_refused(node.pin_update(&old, &new), Refusal::NotPinned);
    node.pin(&old, "old", KnownBlocks::Unsure).unwrap();
    let hollow = directory(node, CidVersion::V0, &[("one", one), ("x", missing())]);
    let error = node.pin_update(&old, &hollow).unwrap_err();
    assert!(error.is_missing(), "{error:?}");
    assert!(!node.is_pinned(&hollow).unwrap() && node.is_pinned(&old).unwrap());
    node.pin(&new, "new", KnownBlocks::Unsure).unwrap();
    is_refused(node.pin_update(&old, &new), Refusal::AlreadyPinned);
    assert_eq!(node.pins_named("new").unwrap(), [new]);
    // Nothing differs, so there is nothing to refuse.
    node.pin_update(&old, &old).unwrap();
    assert_eq!(node.pins_named("old").unwrap(), [old]);
}

/// Kubo pins a CID twice when two calls come at the same moment.
fn a_pin_that_was_updated_twice_at_once_is_updated_again(at: &TestNode) {
    let node = at.node();
    let mut kept = Vec::new();
    for round in 0..40_u8 {
        let name = format!("name-{round}");
        let links: Vec<_> = (0..3).map(|file| add(node, &[round, file])).collect();
        let [first, second, third] = [1, 2, 3].map(|length| {
            let names = ["one", "two", "three"];
            let entries: Vec<_> = names.into_iter().zip(links.iter().copied()).collect();
            directory(node, CidVersion::V0, &entries[..length])
        });
        node.pin(&first, &name, KnownBlocks::Unsure).unwrap();
        let start = Barrier::new(2);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    start.wait();
                    if let Err(error) = node.pin_update(&first, &second) {
                        assert!(error.is(Refusal::AlreadyPinned), "{error:?}");
                    }
                });
            }
        });
        node.pin_update(&second, &third).unwrap();
        is_refused(node.pin_update(&second, &third), Refusal::AlreadyPinned);
        for old in [first, second] {
            node.unpin(&old).unwrap();
        }
        assert_eq!(node.pins_named(&name).unwrap(), [third]);
        kept = links;
    }
    node.collect_garbage().unwrap();
    assert!(kept.iter().all(|file| at.has_block(file)));
}

fn what_is_not_pinned_is_unpinned_without_complaint(at: &TestNode) {
    let node = at.node();
    node.unpin(&missing()).unwrap();
    let file = add(node, b"file");
    node.unpin(&file).unwrap();
    node.pin(&file, "x", KnownBlocks::All).unwrap();
    node.unpin(&file).unwrap();
    node.unpin(&file).unwrap();
    assert!(!node.is_pinned(&file).unwrap());
}

fn pins_are_found_by_the_beginning_of_their_names(at: &TestNode) {
    let node = at.node();
    let pin = |content: &[u8], name: &str| {
        let file = add(node, content);
        node.pin(&file, name, KnownBlocks::All).unwrap();
        (name.to_owned(), file)
    };
    let mut expected = vec![pin(b"1", "a/b"), pin(b"2", "a/b"), pin(b"3", "a/bc")];
    pin(b"4", "b/a/b");
    pin(b"5", "a");
    pin(b"6", "");
    let mut found = node.pins_beginning("a/b").unwrap();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(node.pins_beginning("c").unwrap(), []);
}
