//! Nars that no narinfo lists: they block nothing, and they go.

use crate::support::{Files, Item, Mirror, TestNode, Upstream, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::CidVersion::V0;

on_both_nodes!(
    a_nar_that_no_narinfo_lists_gives_way_to_its_item,
    a_nar_that_its_published_item_does_not_list_gives_way_to_a_repair,
    remove_takes_the_nars_that_bear_the_hash_of_an_unreadable_narinfo,
    remove_leaves_the_nars_that_another_narinfo_lists,
    verify_tells_of_unlisted_nars_and_a_repair_removes_them,
    beside_an_unreadable_narinfo_no_nar_counts_as_unlisted_that_may_be_its_own,
);

/// Publishes a tree under a key of its own.
fn publish(node: &TestNode, key: &str, tree: &Files) {
    node.publish(key, &node.store_tree(tree, V0));
}

fn root(mirror: &Mirror, key: &str) -> String {
    let resolved = mirror.run(&format!("resolve --key {key}")).exits(0).out;
    resolved.trim().trim_start_matches("/ipfs/").to_owned()
}

fn two() -> (Upstream, Item, Item) {
    let upstream = Upstream::empty();
    let (first, second) = (item(1, "first", 2000), item(2, "second", 2000));
    upstream.add_items([&first, &second]);
    (upstream, first, second)
}

fn a_nar_that_no_narinfo_lists_gives_way_to_its_item(node: &TestNode) {
    let (upstream, first, second) = two();
    let mirror = Mirror::new(node, &upstream);
    let whole = root_of(&tree_of([&first, &second]), V0);
    let nar = format!("nar/gzip/{}-second", second.hash);
    for (number, graft) in ["auto", "add-link", "car"].into_iter().enumerate() {
        let key = format!("stale-{number}");
        let mut tree = tree_of([&first]);
        tree.insert(nar.clone(), b"an older one".to_vec());
        publish(node, &key, &tree);
        let run = format!("add {} --key {key} --graft {graft}", second.hash);
        mirror.run(&run).silently();
        assert_eq!(root(&mirror, &key), whole, "{graft}");
    }
    node.published(&whole).judge();
    // Nor does one that stays because another item, as an earlier program let it, lists
    // it under this one's name.
    let mut thief = first.files[&format!("{}.narinfo", first.hash)].clone();
    let own = format!("nar/gzip/{}-first", first.hash);
    thief = String::from_utf8(thief).unwrap().replace(&own, &nar).into();
    let mut tree = tree_of([]);
    tree.insert(format!("{}.narinfo", first.hash), thief);
    tree.insert(nar.clone(), first.files[&own].clone());
    publish(node, "listed", &tree);
    mirror
        .run(&format!("add {} --key listed", second.hash))
        .silently();
    let published = node.published(&root(&mirror, "listed"));
    assert_eq!(published.files[&nar], second.files[&nar]);
}

fn a_nar_that_its_published_item_does_not_list_gives_way_to_a_repair(node: &TestNode) {
    let (upstream, first, second) = two();
    let mirror = Mirror::new(node, &upstream);
    let narinfo = format!("{}.narinfo", second.hash);
    let nar = format!("nar/gzip/{}-second", second.hash);
    for (number, (content, of_nar)) in [
        (b"<html>".to_vec(), b"an older one".to_vec()),
        (
            first.files[&format!("{}.narinfo", first.hash)].clone(),
            b"x".to_vec(),
        ),
        (Vec::new(), Vec::new()),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("unlisted-{number}");
        let mut tree = tree_of([&first, &second]);
        tree.insert(narinfo.clone(), content);
        tree.insert(nar.clone(), of_nar);
        publish(node, &key, &tree);
        mirror
            .run(&format!("verify --repair --key {key}"))
            .silently();
        let whole = root_of(&tree_of([&first, &second]), V0);
        assert_eq!(root(&mirror, &key), whole);
    }
}

fn remove_takes_the_nars_that_bear_the_hash_of_an_unreadable_narinfo(node: &TestNode) {
    let (upstream, first, second) = two();
    let mirror = Mirror::new(node, &upstream);
    let hash = &second.hash;
    let narinfo = format!("{hash}.narinfo");
    let foreign = first.files[&format!("{}.narinfo", first.hash)].clone();
    for (number, content) in [Some(b"<html>".to_vec()), Some(foreign), None]
        .into_iter()
        .enumerate()
    {
        let key = format!("torn-{number}");
        let mut tree = tree_of([&first, &second]);
        for nar in [
            format!("nar/{hash}-second"),
            format!("nar/zstd/{hash}-second"),
            format!("nar/lzip/{hash}.nar.lz"),
            format!("nar/none/{hash}"),
        ] {
            tree.insert(nar, b"a nar".to_vec());
        }
        match content {
            Some(content) => tree.insert(narinfo.clone(), content),
            None => tree.remove(&narinfo),
        };
        publish(node, &key, &tree);
        mirror.run(&format!("remove {hash} --key {key}")).silently();
        assert_eq!(root(&mirror, &key), root_of(&tree_of([&first]), V0));
        let add = format!("add {hash} --key {key}");
        mirror.run(&add).silently();
        let whole = root_of(&tree_of([&first, &second]), V0);
        assert_eq!(root(&mirror, &key), whole);
    }
}

fn remove_leaves_the_nars_that_another_narinfo_lists(node: &TestNode) {
    let (upstream, first, second) = two();
    let mirror = Mirror::new(node, &upstream);
    // The first lists a nar of the second's name, which holds the first's nar.
    let own = format!("nar/gzip/{}-first", first.hash);
    let other = format!("nar/gzip/{}-other", second.hash);
    let mut kept = tree_of([&first]);
    let narinfo = format!("{}.narinfo", first.hash);
    let text = String::from_utf8(kept[&narinfo].clone()).unwrap();
    kept.insert(narinfo, text.replace(&own, &other).into());
    let nar = kept.remove(&own).unwrap();
    kept.insert(other, nar);
    let mut tree = kept.clone();
    tree.extend(second.files.clone());
    tree.insert(format!("{}.narinfo", second.hash), b"<html>".to_vec());
    publish(node, "shared", &tree);
    mirror
        .run(&format!("remove {} --key shared", second.hash))
        .silently();
    assert_eq!(root(&mirror, "shared"), root_of(&kept, V0));
}

fn verify_tells_of_unlisted_nars_and_a_repair_removes_them(node: &TestNode) {
    let (upstream, first, second) = two();
    let mirror = Mirror::new(node, &upstream);
    let whole = tree_of([&first]);
    for (number, names) in [
        // Of an item that is not published; of one that is, but does not list it; and
        // of nobody by its name. A directory that is then empty goes too.
        vec![format!("nar/gzip/{}-second", second.hash)],
        vec![format!("nar/gzip/{}-other", first.hash)],
        vec!["nar/gzip/shared.nar.gz".to_owned()],
        vec![
            format!("nar/zstd/{}-first", first.hash),
            format!("nar/{}-first", first.hash),
            "nar/xz/some.nar.xz".to_owned(),
        ],
    ]
    .iter()
    .enumerate()
    {
        let key = format!("left-{number}");
        let mut tree = whole.clone();
        for name in names {
            tree.insert(name.clone(), b"a nar".to_vec());
        }
        publish(node, &key, &tree);
        // All that is published works, so nothing is wrong.
        let run = mirror.run(&format!("verify --json --key {key}")).exits(0);
        let sum: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        let unlisted = sum["unlisted"].as_array().unwrap();
        assert_eq!(unlisted.len(), names.len(), "{sum}");
        assert!(
            names
                .iter()
                .all(|name| unlisted.contains(&name.as_str().into())),
            "{sum}"
        );
        mirror
            .run(&format!("verify -v --key {key}"))
            .says("no narinfo lists");
        mirror
            .run(&format!("verify --repair --key {key}"))
            .silently();
        assert_eq!(root(&mirror, &key), root_of(&whole, V0));
    }
    // What does not lie in `nar` is nobody's nar.
    let mut tree = whole;
    tree.insert("README".to_owned(), b"by hand".to_vec());
    publish(node, "readme", &tree);
    mirror.run("verify --repair --key readme").silently();
    assert_eq!(root(&mirror, "readme"), root_of(&tree, V0));
}

fn beside_an_unreadable_narinfo_no_nar_counts_as_unlisted_that_may_be_its_own(node: &TestNode) {
    let (upstream, first, second) = two();
    upstream.remove(&format!("{}.narinfo", second.hash));
    let mirror = Mirror::new(node, &upstream);
    let mut tree = tree_of([&first, &second]);
    tree.insert(format!("{}.narinfo", second.hash), b"<html>".to_vec());
    tree.insert("nar/gzip/neutral.nar.gz".to_owned(), b"a nar".to_vec());
    tree.insert(format!("nar/gzip/{}-old", first.hash), b"a nar".to_vec());
    publish(node, "unsure", &tree);
    mirror.run("verify --repair --key unsure").exits(3);
    tree.remove(&format!("nar/gzip/{}-old", first.hash));
    assert_eq!(root(&mirror, "unsure"), root_of(&tree, V0));
}
