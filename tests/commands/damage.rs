//! Blocks that the node has lost or keeps damaged: directories, journals,
//! `nix-cache-info`, narinfos. Nothing stops for ever, and a repair makes them again.

use crate::support::{Files, Item, Mirror, TestNode, Upstream, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::Cid;
use guix_ipfs::ipfs::cid::CidVersion::V0;
use guix_ipfs::ipfs::directory::{Child, DirectoryNode};

on_both_nodes!(
    a_lost_part_is_named_and_made_again,
    a_damaged_part_is_made_again_or_the_one_command_is_named,
    beside_a_lost_directory_what_no_upstream_has_is_named_and_the_rest_comes,
    the_items_of_a_lost_part_of_the_root_are_known_by_their_nars,
    the_nars_of_a_lost_shard_are_fetched_again,
    several_losses_at_once_are_mended_in_one_run,
    a_lost_journal_stops_nothing_and_is_unpinned,
    a_lost_part_of_the_ledger_is_named_and_dropped,
    a_cache_info_that_is_another_file_is_replaced,
    without_a_journal_what_cannot_be_had_can_be_removed,
    a_narinfo_that_cannot_be_read_stops_no_sync,
);

fn mirrored(
    node: &TestNode,
    upstream: &Upstream,
    numbers: std::ops::Range<u64>,
) -> (Mirror, Vec<Item>) {
    let items: Vec<Item> = numbers.map(|number| item(number, "item", 2000)).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, upstream);
    let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
    mirror.run(&format!("add {}", hashes.join(" "))).silently();
    (mirror, items)
}

/// Lets the next case begin anew on the same node.
fn forget(node: &TestNode, number: usize) {
    node.unpin_named("");
    node.rename_key("guix-ipfs", &format!("done-{number}"));
    node.collect_garbage();
}

/// The only journal.
fn journal(node: &TestNode) -> Cid {
    let pins = node.pins_named("guix-ipfs/");
    assert_eq!(pins.len(), 1, "{pins:?}");
    pins[0].parse().unwrap()
}

fn a_lost_part_is_named_and_made_again(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    for (number, path) in ["nar/gzip", "nar", "nix-cache-info", "NARINFO"]
        .into_iter()
        .enumerate()
    {
        let upstream = Upstream::empty();
        let (mirror, items) = mirrored(node, &upstream, 0..3);
        let root = mirror.root();
        let path = path.replace("NARINFO", &format!("{}.narinfo", items[1].hash));
        node.lose(&node.cid_at(&root, &path));
        // Nothing waits for ever: the way out is told, or the rest goes on.
        let new = item(7, "new", 100);
        upstream.add_items([&new]);
        let add = mirror.run(&format!("add {}", new.hash));
        let is_added = add.code == Some(0);
        if path.starts_with("nar") {
            add.exits(1).says("guix-ipfs verify --repair");
        } else {
            add.silently();
        }
        mirror.run("verify").exits(3).says(&format!("{path}: "));
        mirror.run("verify --deep --repair").silently();
        let whole = tree_of(items.iter().chain(is_added.then_some(&new)));
        assert_eq!(mirror.root(), root_of(&whole, V0), "{path}");
        node.published(&mirror.root()).judge();
        mirror.run("verify --deep").silently();
        mirror.run(&format!("add {}", new.hash)).silently();
        node.collect_garbage();
        node.published(&mirror.root()).judge();
        journal(node);
        forget(node, number);
    }
}

fn a_damaged_part_is_made_again_or_the_one_command_is_named(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    for (number, path) in ["nar/gzip", "nar", "nix-cache-info", "NARINFO", "NAR"]
        .into_iter()
        .enumerate()
    {
        let upstream = Upstream::empty();
        let (mirror, items) = mirrored(node, &upstream, 0..3);
        let root = mirror.root();
        let path = match path {
            "NARINFO" => format!("{}.narinfo", items[1].hash),
            "NAR" => items[1].nar(),
            path => path.to_owned(),
        };
        node.damage(&node.cid_at(&root, &path));
        mirror.run("verify").exits(3);
        if node.is_kubo() {
            // It never replaces a block that it has.
            let run = mirror.run("verify --repair").exits(3);
            run.says("ipfs repo verify --drop");
            assert_eq!(mirror.root(), root, "{path}");
            node.ipfs("repo verify --drop", &[]);
        }
        mirror.run("verify --deep --repair").silently();
        assert_eq!(mirror.root(), root, "{path}");
        node.published(&root).judge();
        mirror.run("verify --deep").silently();
        forget(node, number);
    }
}

fn beside_a_lost_directory_what_no_upstream_has_is_named_and_the_rest_comes(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    for (number, path) in ["nar/gzip", "nar"].into_iter().enumerate() {
        let upstream = Upstream::empty();
        let (mirror, items) = mirrored(node, &upstream, 0..3);
        node.lose(&node.cid_at(&mirror.root(), path));
        upstream.remove_item(&items[0]);
        let run = mirror.run("verify --repair").exits(3);
        run.says(&format!("{}.narinfo: not repaired", items[0].hash));
        let mut tree = tree_of(&items);
        tree.remove(&items[0].nar());
        assert_eq!(mirror.root(), root_of(&tree, V0), "{path}");
        mirror.run(&format!("remove {}", items[0].hash)).silently();
        mirror.run("verify --deep").silently();
        node.published(&mirror.root()).judge();
        forget(node, number);
    }
}

/// A mirror of many items, whose upstream has all of it.
fn large(node: &TestNode, count: u64, name: &str) -> (Upstream, Mirror, Vec<Item>, String) {
    let mut items: Vec<Item> = (0..count).map(|number| item(number, name, 10)).collect();
    let root = node.store_tree(&tree_of(&items), V0);
    node.publish("guix-ipfs", &root);
    let one = item(count, name, 10);
    items.push(one);
    let upstream = Upstream::empty();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    // So that a journal holds it.
    let last = &items[items.len() - 1].hash;
    mirror.run(&format!("add {last}")).silently();
    let root = mirror.root();
    (upstream, mirror, items, root)
}

/// A mirror whose root is sharded.
fn with_sharded_root(node: &TestNode) -> (Upstream, Mirror, Vec<Item>, String) {
    large(node, 3600, "an-item")
}

/// A mirror of which only `nar/gzip` is sharded, by its long names.
fn with_sharded_nars(node: &TestNode) -> (Upstream, Mirror, Vec<Item>, String) {
    large(node, 1300, &"long-".repeat(36))
}

/// The first shards below the directory at `path`, with the names in each.
fn shards(node: &TestNode, root: &str, path: &str) -> Vec<(Cid, Vec<String>)> {
    let directory = match path {
        "" => root.parse().unwrap(),
        path => node.cid_at(root, path),
    };
    let read = |cid: &Cid| DirectoryNode::decode(cid, &node.node().block(cid).unwrap()).unwrap();
    let DirectoryNode::Sharded(top) = read(&directory) else {
        panic!("{path} is plain");
    };
    let below = top.children.values().filter_map(|child| match child {
        Child::Shard(link) => Some(link.cid),
        Child::Entry(..) => None,
    });
    let named = below.filter_map(|cid| match read(&cid) {
        DirectoryNode::Sharded(shard) => {
            let names = shard.children.into_values().map(|child| match child {
                Child::Entry(name, _) => Some(name),
                Child::Shard(_) => None,
            });
            Some((cid, names.collect::<Option<_>>()?))
        }
        DirectoryNode::Plain(_) => None,
    });
    named.collect()
}

fn item_of<'i>(items: &'i [Item], name: &str) -> &'i Item {
    items
        .iter()
        .find(|item| name.starts_with(&item.hash))
        .unwrap()
}

fn the_items_of_a_lost_part_of_the_root_are_known_by_their_nars(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let (upstream, mirror, items, root) = with_sharded_root(node);
    let shards = shards(node, &root, "");
    let of_items =
        |shard: &&(Cid, Vec<String>)| shard.1.iter().all(|name| name.ends_with(".narinfo"));
    let lost: Vec<_> = shards.iter().filter(of_items).take(2).collect();
    lost.iter().for_each(|(shard, _)| node.lose(shard));
    let run = mirror.run("verify").exits(3);
    for name in lost.iter().flat_map(|(_, names)| names) {
        assert!(run.err.contains(name.as_str()), "{name}: {run:?}");
    }
    // What reads all of the root does not take the rest for all.
    mirror.run("resolve --list").exits(1);
    let remove = format!("remove {}", items[5].hash);
    mirror
        .run(&remove)
        .exits(1)
        .says("guix-ipfs verify --repair");
    // Where no upstream has one any more, it is named, and its nar goes.
    let gone = item_of(&items, &lost[0].1[0]);
    upstream.remove_item(gone);
    mirror
        .run("verify --repair")
        .exits(3)
        .says(&format!("{}-an-item: not repaired", gone.hash));
    let left = items.iter().filter(|item| item.hash != gone.hash);
    assert_eq!(mirror.root(), root_of(&tree_of(left), V0));
}

fn the_nars_of_a_lost_shard_are_fetched_again(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let (upstream, mirror, items, root) = with_sharded_nars(node);
    let shards = shards(node, &root, "nar/gzip");
    let (lost, names) = &shards[3];
    node.lose(lost);
    let run = mirror.run("verify").exits(3).says("/nar/gzip: ");
    for name in names {
        let hash = &item_of(&items, name).hash;
        assert!(run.err.contains(&format!("{hash}.narinfo: ")), "{hash}");
    }
    upstream.asked();
    mirror.run("verify --repair").silently();
    assert_eq!(mirror.root(), root);
    let asked = upstream.asked();
    let nars = asked.iter().filter(|path| path.starts_with("nar/"));
    assert_eq!(nars.count(), names.len(), "no others");
    node.published(&root).judge();
}

fn several_losses_at_once_are_mended_in_one_run(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let (_upstream, mirror, items, root) = with_sharded_nars(node);
    let shards = shards(node, &root, "nar/gzip");
    for (shard, _) in shards.iter().step_by(50) {
        node.lose(shard);
    }
    for path in [
        "nix-cache-info",
        &format!("{}.narinfo", items[3].hash),
        &items[7].nar(),
    ] {
        node.lose(&node.cid_at(&root, path));
    }
    mirror.run("verify --repair").silently();
    assert_eq!(mirror.root(), root);
    node.published(&root).judge();
}

fn a_lost_journal_stops_nothing_and_is_unpinned(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    for (number, (part, verb)) in [
        ("", "sync"),
        ("state", "sync"),
        ("", "verify"),
        ("state", "verify"),
    ]
    .into_iter()
    .enumerate()
    {
        let upstream = Upstream::empty();
        let (mirror, items) = mirrored(node, &upstream, 0..3);
        let journal_before = journal(node);
        let lost = match part {
            "" => journal_before,
            part => node.cid_at(&journal_before.to_string(), part),
        };
        node.lose(&lost);
        let mut items = items;
        if verb == "sync" {
            let new = item(7, "new", 100);
            upstream.add_items([&new]);
            mirror.run(&format!("add {}", new.hash)).silently();
            items.push(new);
        }
        let whole = root_of(&tree_of(&items), V0);
        assert_eq!(mirror.root(), whole);
        if verb == "verify" {
            mirror.run("verify").exits(3).says("the journal ");
            mirror.run("verify --repair").silently();
        }
        mirror.run("verify").silently();
        assert_ne!(journal(node), journal_before);
        node.collect_garbage();
        node.published(&whole).judge();
        forget(node, number);
    }
}

fn a_lost_part_of_the_ledger_is_named_and_dropped(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    for (number, part) in ["ledger", "ledger/wanted", "ledger/owed"]
        .into_iter()
        .enumerate()
    {
        let upstream = Upstream::empty();
        let (mirror, mut items) = mirrored(node, &upstream, 0..3);
        // An owed item, so that there is something to lose.
        mirror
            .run(&format!("add {}", item(8, "x", 100).hash))
            .exits(3);
        let whole = root_of(&tree_of(&items), V0);
        node.lose(&node.cid_at(&journal(node).to_string(), part));
        let new = item(7, "new", 100);
        upstream.add_items([&new]);
        let add = format!("add {}", new.hash);
        mirror.run(&add).exits(1).says("verify --repair");
        assert_eq!(mirror.root(), whole);
        mirror.run("verify").exits(3).says("the ledger");
        mirror.run("verify --repair").silently();
        mirror.run("verify").silently();
        mirror.run(&add).silently();
        items.push(new);
        node.collect_garbage();
        node.published(&root_of(&tree_of(&items), V0)).judge();
        journal(node);
        forget(node, number);
    }
}

fn without_a_journal_what_cannot_be_had_can_be_removed(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let upstream = Upstream::empty();
    let (mirror, items) = mirrored(node, &upstream, 0..3);
    let root = mirror.root();
    node.lose(&node.cid_at(&root, &items[0].nar()));
    node.lose(&journal(node));
    upstream.remove_item(&items[0]);
    mirror.run("verify --repair").exits(3).says("the journal ");
    assert_eq!(mirror.root(), root);
    mirror.run(&format!("remove {}", items[0].hash)).silently();
    mirror.run("verify --repair").silently();
    assert_eq!(mirror.root(), root_of(&tree_of(&items[1..]), V0));
    journal(node);
    node.collect_garbage();
    node.published(&mirror.root()).judge();
}

fn a_cache_info_that_is_another_file_is_replaced(node: &TestNode) {
    let upstream = Upstream::empty();
    let items = [item(1, "item", 100)];
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    for (number, content) in ["", "<html>", "StoreDir: /nix/store\n"]
        .into_iter()
        .enumerate()
    {
        let key = format!("info-{number}");
        let mut tree = tree_of(&items);
        tree.insert("nix-cache-info".to_owned(), content.into());
        node.publish(&key, &node.store_tree(&tree, V0));
        let verify = format!("verify --key {key}");
        mirror.run(&verify).exits(3).says("nix-cache-info");
        mirror.run(&format!("{verify} --repair")).silently();
        let root = mirror.run(&format!("resolve --key {key}")).exits(0).out;
        assert_eq!(root, format!("/ipfs/{}\n", root_of(&tree_of(&items), V0)));
    }
}

fn a_narinfo_that_cannot_be_read_stops_no_sync(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    type Spoil = fn(&TestNode, &Cid);
    for (number, spoil) in [TestNode::lose as Spoil, TestNode::damage]
        .into_iter()
        .enumerate()
    {
        let upstream = Upstream::empty();
        let (mirror, items) = mirrored(node, &upstream, 0..3);
        let narinfo = format!("{}.narinfo", items[1].hash);
        spoil(node, &node.cid_at(&mirror.root(), &narinfo));
        // The broken one is wanted again, and so is a new one that refers to it.
        let new = item(7, "new", 100).referring_to([&items[1]]);
        upstream.add_items([&new]);
        let add = format!("add {} {} {}", items[0].hash, items[1].hash, new.hash);
        mirror.run(&add).silently();
        let tree: Files = tree_of(items.iter().chain([&new]));
        assert_eq!(mirror.root(), root_of(&tree, V0));
        forget(node, number);
    }
}
