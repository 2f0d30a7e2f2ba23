//! `verify` and the items that published ones refer to.

use crate::support::{Item, Mirror, TestNode, Upstream, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::CidVersion::V0;

on_both_nodes!(
    a_missing_reference_is_a_fault_and_comes_with_its_own_closure,
    a_reference_that_cannot_be_had_is_named_and_nothing_is_linked_that_needs_it,
    a_repaired_item_brings_what_its_new_narinfo_refers_to,
    a_broken_item_waits_for_no_other_that_is_published,
    a_mirror_without_closures_is_verified_and_repaired_as_one,
    a_reference_that_was_removed_by_hand_is_named_with_the_way_back,
);

fn root(mirror: &Mirror, key: &str) -> String {
    let resolved = mirror.run(&format!("resolve --key {key}")).exits(0).out;
    resolved.trim().trim_start_matches("/ipfs/").to_owned()
}

/// Four items: each refers to the next, and the second to itself too.
fn chain() -> [Item; 4] {
    let fourth = item(4, "x", 400);
    let third = item(3, "x", 300).referring_to([&fourth]);
    let itself = item(2, "x", 200);
    let second = item(2, "x", 200).referring_to([&itself, &third]);
    let first = item(1, "x", 100).referring_to([&second]);
    [first, second, third, fourth]
}

fn publish<'i>(node: &TestNode, key: &str, items: impl IntoIterator<Item = &'i Item>) -> String {
    let root = node.store_tree(&tree_of(items), V0);
    node.publish(key, &root);
    root
}

fn a_missing_reference_is_a_fault_and_comes_with_its_own_closure(node: &TestNode) {
    let items = chain();
    let [first, second, third, fourth] = &items;
    let upstream = Upstream::empty();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let whole = root_of(&tree_of(&items), V0);
    for (number, (published, refers, to)) in [
        (vec![first], first, second),
        (vec![first, second], second, third),
        (vec![first, second, third], third, fourth),
        // Two at once, of which one is the other's.
        (vec![first, third], first, second),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("lacking-{number}");
        publish(node, &key, published);
        let said = format!(
            "{}.narinfo: it refers to /gnu/store/{}-x, which is not published",
            refers.hash, to.hash
        );
        let verify = format!("verify --key {key}");
        mirror.run(&verify).exits(3).says(&said);
        upstream.asked();
        mirror.run(&format!("{verify} --repair")).silently();
        assert_eq!(root(&mirror, &key), whole);
        // What is whole is not fetched again.
        let nar = format!("nar/gzip/{}-x", first.hash);
        assert!(!upstream.has_asked(&nar));
        mirror.run(&verify).silently();
    }
    node.published(&whole).judge();
    node.published(&whole).judge_closures();
}

fn a_reference_that_cannot_be_had_is_named_and_nothing_is_linked_that_needs_it(node: &TestNode) {
    let items = chain();
    let [first, second, third, fourth] = &items;
    for key in ["absent", "no-nar", "torn"] {
        let upstream = Upstream::empty();
        upstream.add_items(&items);
        match key {
            "absent" => upstream.remove_item(fourth),
            "no-nar" => upstream.remove(&fourth.nar()),
            _ => upstream.set(&fourth.nar(), b"<html>".to_vec()),
        }
        let other = item(9, "x", 100);
        let other = other.referring_to([&item(10, "x", 50)]);
        upstream.add_items([&other, &item(10, "x", 50)]);
        let mirror = Mirror::new(node, &upstream);
        publish(node, key, [first, &other]);
        let run = mirror.run(&format!("verify --repair --key {key}")).exits(3);
        run.says(&format!("{}.narinfo: it refers to", first.hash))
            .says(&format!("/gnu/store/{}-x: not repaired", second.hash));
        // Neither the second nor the third came, but what the other needs.
        let tree = tree_of([first, &other, &item(10, "x", 50)]);
        assert_eq!(root(&mirror, key), root_of(&tree, V0), "{key}");
        // It comes when it can.
        upstream.add_items([fourth, third]);
        mirror
            .run(&format!("verify --repair --key {key}"))
            .silently();
        node.published(&root(&mirror, key)).judge_closures();
    }
}

fn a_repaired_item_brings_what_its_new_narinfo_refers_to(node: &TestNode) {
    let needed = item(8, "x", 80);
    let old = item(7, "x", 70);
    let new = item(7, "x", 70).referring_to([&needed]);
    let mut torn = Item {
        hash: old.hash.clone(),
        files: old.files.clone(),
    };
    torn.files.insert(old.nar(), b"torn".to_vec());
    for is_there in [true, false] {
        let key = format!("renewed-{is_there}");
        let upstream = Upstream::empty();
        upstream.add_items([&new]);
        if is_there {
            upstream.add_items([&needed]);
        }
        let mirror = Mirror::new(node, &upstream);
        let before = publish(node, &key, [&torn]);
        let run = mirror.run(&format!("verify --repair --key {key}"));
        match is_there {
            true => {
                run.silently();
                let whole = root_of(&tree_of([&new, &needed]), V0);
                assert_eq!(root(&mirror, &key), whole);
            }
            // As it was, rather than with a reference that is not there.
            false => {
                run.exits(3).says(&needed.hash);
                assert_eq!(root(&mirror, &key), before);
            }
        }
    }
}

fn a_broken_item_waits_for_no_other_that_is_published(node: &TestNode) {
    let items = chain();
    let [first, second, third, fourth] = &items;
    let upstream = Upstream::empty();
    upstream.add_items(&items);
    let mut tree = tree_of(&items);
    for torn in [second, third] {
        tree.insert(torn.nar(), b"torn".to_vec());
    }
    let torn = node.store_tree(&tree, V0);
    for spoilt in ["narinfo", "nar"] {
        let upstream = Upstream::empty();
        upstream.add_items([first, second, third, fourth]);
        match spoilt {
            "narinfo" => upstream.remove(&format!("{}.narinfo", third.hash)),
            _ => upstream.remove(&third.nar()),
        }
        let mirror = Mirror::new(node, &upstream);
        node.publish(spoilt, &torn);
        let run = mirror
            .run(&format!("verify --repair --key {spoilt}"))
            .exits(3);
        run.says(&format!("{}.narinfo: ", third.hash));
        let mut expected = tree.clone();
        expected.insert(second.nar(), second.files[&second.nar()].clone());
        assert_eq!(root(&mirror, spoilt), root_of(&expected, V0), "{spoilt}");
    }
}

fn a_mirror_without_closures_is_verified_and_repaired_as_one(node: &TestNode) {
    let items = chain();
    let [first, second, ..] = &items;
    let upstream = Upstream::empty();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("add --no-closure {} {}", first.hash, second.hash))
        .silently();
    let whole = root_of(&tree_of([first, second]), V0);
    // It is said how such a mirror is verified.
    mirror.run("verify").exits(3).says("--no-closure");
    mirror.run("verify --no-closure").silently();
    mirror.run("verify --no-closure --repair").silently();
    let mut by_variable = mirror.command("verify --deep");
    by_variable.env("GUIX_IPFS_NO_CLOSURE", "1");
    crate::support::run(&mut by_variable).silently();
    assert_eq!(mirror.root(), whole);
    // What is broken is repaired, and no more comes.
    let mut tree = tree_of([first, second]);
    tree.remove(&second.nar());
    node.publish("torn", &node.store_tree(&tree, V0));
    mirror
        .run("verify --no-closure --repair --key torn")
        .silently();
    assert_eq!(root(&mirror, "torn"), whole);
}

fn a_reference_that_was_removed_by_hand_is_named_with_the_way_back(node: &TestNode) {
    let items = chain();
    let upstream = Upstream::empty();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    mirror.run(&format!("add {}", items[0].hash)).silently();
    let whole = mirror.root();
    let [_, second, third, fourth] = &items;
    // One, the last, and two of which one refers to the other.
    for removed in [vec![second], vec![fourth], vec![third, fourth]] {
        let hashes: Vec<&str> = removed.iter().map(|item| &*item.hash).collect();
        mirror
            .run(&format!("remove --force {}", hashes.join(" ")))
            .silently();
        let lacking = mirror.root();
        mirror.run("verify").exits(3).says("`--repair` fetches");
        let run = mirror.run("verify --repair").exits(3);
        let hash = &removed[0].hash;
        let run = run.says(&format!(
            "/gnu/store/{hash}-x: not repaired: it was removed by hand"
        ));
        let run = run.says(&format!(
            "`guix-ipfs add /gnu/store/{hash}-x` adds it again"
        ));
        assert!(!run.err.contains("`--repair` fetches"), "{run:?}");
        assert_eq!(mirror.root(), lacking);
        mirror.run(&format!("add {}", hashes.join(" "))).silently();
        mirror.run("verify").silently();
        assert_eq!(mirror.root(), whole);
    }
}
