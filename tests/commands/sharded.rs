//! Mirrors that grow past what one block holds.

use crate::support::{
    Files, Item, Mirror, Proxy, TestNode, Upstream, item, root_of, tree_of, write_tree,
};
use guix_ipfs::ipfs::cid::CidVersion;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicBool, Ordering};

on_both_nodes!(
    the_root_is_that_of_ipfs_add_on_both_sides_of_the_limit,
    a_sharded_child_is_grafted_into_and_add_link_refuses_it,
    whatever_the_runs_and_engines_the_tree_is_that_of_ipfs_add,
    a_collector_that_never_rests_takes_nothing_from_a_car_run,
    beside_a_collector_a_small_run_goes_over_to_car,
);

on_kubo_alone!(
    many_items_beside_many_take_few_calls,
    a_proxy_that_takes_no_long_url_makes_no_difference,
    beside_many_items_a_run_with_nothing_new_makes_few_calls,
);

/// The most narinfos that a plain root holds beside nix-cache-info and nar with
/// CIDv0: 74 bytes each, 48 and 37 for the others, of 262,144.
const MOST_IN_A_PLAIN_ROOT: usize = 3541;

fn items(numbers: std::ops::Range<u64>, name: &str) -> Vec<Item> {
    numbers.map(|number| item(number, name, 40)).collect()
}

/// Mirrors these items with one `sync --from`.
#[track_caller]
fn sync(mirror: &Mirror, items: &[Item], options: &str) {
    let list = mirror.home().join("list");
    let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
    std::fs::write(&list, hashes.join("\n")).unwrap();
    mirror
        .run(&format!("sync --from {} {options}", list.display()))
        .silently();
}

/// Mirrors these items with one `add`.
#[track_caller]
fn add(mirror: &Mirror, items: &[Item], options: &str) {
    let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
    mirror
        .run(&format!("add {} {options}", hashes.join(" ")))
        .silently();
}

/// The root that a real `ipfs add -r` gives where there is one, or the same tree
/// made at once.
pub fn add_r(node: &TestNode, tree: &Files, version: CidVersion) -> String {
    let made = root_of(tree, version);
    if node.is_kubo() {
        let folder = tempfile::tempdir().unwrap();
        write_tree(tree, folder.path());
        let version = version.number();
        let options = format!("add -r -Q --pin=false --cid-version={version}");
        let added = node.ipfs(&options, &[folder.path().to_str().unwrap()]);
        assert_eq!(added.trim(), made);
    }
    made
}

/// The block of a plain directory ends with its UnixFS message, of type 1.
fn is_sharded_directory(node: &TestNode, root: &str) -> bool {
    let block = node.raw_block(root).unwrap();
    !block.ends_with(&[0x0a, 0x02, 0x08, 0x01])
}

fn the_root_is_that_of_ipfs_add_on_both_sides_of_the_limit(node: &TestNode) {
    let upstream = Upstream::empty();
    let items = items(0..MOST_IN_A_PLAIN_ROOT as u64 + 3, "x");
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let mut there = MOST_IN_A_PLAIN_ROOT - 1;
    sync(&mirror, &items[..there], "--graft car");
    // The last one that fits, the first that does not, and one more.
    for options in ["--graft add-link", "", ""] {
        sync(&mirror, &items[there..there + 1], options);
        there += 1;
        let tree = tree_of(&items[..there]);
        assert_eq!(mirror.root(), add_r(node, &tree, CidVersion::V0), "{there}");
        let is_sharded = there > MOST_IN_A_PLAIN_ROOT;
        assert_eq!(is_sharded_directory(node, &mirror.root()), is_sharded);
    }
    assert_eq!(mirror.list().len(), there);
}

fn a_sharded_child_is_grafted_into_and_add_link_refuses_it(node: &TestNode) {
    let upstream = Upstream::empty();
    let long_name = "n".repeat(200);
    // 267 bytes an entry of nar/gzip, 74 of the root.
    let items = items(0..1000, &long_name);
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    sync(&mirror, &items[..990], "--graft car");
    let root = mirror.root();
    assert!(!is_sharded_directory(node, &root), "the root is sharded");

    upstream.asked();
    let one = &items[990].hash;
    let run = mirror.run(&format!("add {one} --graft add-link"));
    run.exits(1).says("nar/gzip").says("nothing was changed");
    assert!(!upstream.asked().iter().any(|path| path.starts_with("nar/")));
    assert_eq!(mirror.root(), root);

    sync(&mirror, &items[990..], "");
    let tree = tree_of(&items);
    assert_eq!(mirror.root(), add_r(node, &tree, CidVersion::V0));
    let nar = format!("nar/gzip/{one}-{long_name}");
    let read = node.get(&format!("/ipfs/{}/{nar}", mirror.root()));
    assert_eq!(read.body, tree[&nar]);
}

fn whatever_the_runs_and_engines_the_tree_is_that_of_ipfs_add(node: &TestNode) {
    // The same runs every time: what fails can be run again.
    let mut drawn = 0u64;
    let mut below = |most: u32| {
        drawn += 1;
        let random = Sha256::digest(drawn.to_be_bytes());
        (u32::from_be_bytes(*random.first_chunk().unwrap()) % most) as usize
    };
    for version in [CidVersion::V0, CidVersion::V1] {
        let upstream = Upstream::empty();
        // Long enough that nar/gzip is sharded on the way, and the root is not.
        let items = items(0..1300, &"long-package-name-".repeat(9));
        upstream.add_items(&items);
        let mirror = Mirror::new(node, &upstream);
        let key = format!("--key random-{}", version.number());
        let init = format!("init {key} --cid-version {}", version.number());
        mirror.run(&init).silently();
        let mut there = 0;
        while there < items.len() {
            let count = match below(3) {
                0 => 1 + below(4),
                1 => 20 + below(60),
                _ => 200 + below(300),
            };
            let next = items.len().min(there + count);
            let options = format!("{key} --jobs 3");
            match below(2) {
                0 if next - there < 100 => add(&mirror, &items[there..next], &options),
                _ => sync(&mirror, &items[there..next], &options),
            }
            there = next;
        }
        let tree = tree_of(&items);
        let resolved = mirror.run(&format!("resolve {key}")).exits(0).out;
        let root = resolved.trim().strip_prefix("/ipfs/").unwrap().to_owned();
        assert_eq!(root, add_r(node, &tree, version));

        let published = node.published(&root);
        published.judge();
        let nars = published.files.keys();
        assert_eq!(
            nars.filter(|path| path.starts_with("nar/gzip/")).count(),
            1300
        );
        for (path, content) in &tree {
            assert_eq!(node.get(&format!("/ipfs/{root}/{path}")).body, *content);
        }
        if node.is_kubo() {
            let copy = format!("/copy-{}", version.number());
            node.ipfs("files cp", &[&format!("/ipfs/{root}"), &copy]);
            let names = node.ipfs("files ls", &[&format!("{copy}/nar/gzip")]);
            assert_eq!(names.lines().count(), 1300);
            let path = items[5].files.keys().last().unwrap();
            let read = node.ipfs("files stat", &[&format!("{copy}/{path}")]);
            assert!(read.contains("Type: file"), "{read}");
        }
    }
}

fn a_collector_that_never_rests_takes_nothing_from_a_car_run(node: &TestNode) {
    // Two segments and more: 300 nars of 40 kB.
    beside_a_collector(node, 300, "--graft car");
}

/// The blocks that add-link makes are not pinned until the end, and the collector
/// takes them.
fn beside_a_collector_a_small_run_goes_over_to_car(node: &TestNode) {
    beside_a_collector(node, 24, "");
}

fn beside_a_collector(node: &TestNode, count: u64, options: &str) {
    let upstream = Upstream::empty();
    let items: Vec<Item> = (0..count).map(|number| item(number, "x", 40_000)).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let done = AtomicBool::new(false);
    let collections = std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut collections = 0;
            while !done.load(Ordering::Relaxed) {
                node.collect_garbage();
                collections += 1;
            }
            collections
        });
        let runs = std::panic::catch_unwind(|| {
            for items in items.chunks(items.len() / 3) {
                sync(&mirror, items, options);
            }
        });
        done.store(true, Ordering::Relaxed);
        runs.unwrap();
        collector.join().unwrap()
    });
    assert!(collections > 3, "the collector ran {collections} times");
    let root = mirror.root();
    assert_eq!(root, root_of(&tree_of(&items), CidVersion::V0));
    for (path, content) in items.iter().flat_map(|item| &item.files) {
        assert_eq!(node.get(&format!("/ipfs/{root}/{path}")).body, *content);
    }
}

/// A mirror of 4,000 items through a proxy, its items, and 60 more.
fn large_mirror(node: &TestNode) -> (Proxy, Upstream, Mirror, Vec<Item>) {
    let proxy = Proxy::new(&node.api);
    let upstream = Upstream::empty();
    let items = items(0..4060, "x");
    upstream.add_items(&items);
    let mirror = Mirror::at(&proxy.url, &upstream);
    sync(&mirror, &items[..4000], "");
    proxy.calls();
    (proxy, upstream, mirror, items)
}

/// Shards, narinfos and nars are read hundreds in a call.
fn many_items_beside_many_take_few_calls(node: &TestNode) {
    let (proxy, _upstream, mirror, items) = large_mirror(node);
    sync(&mirror, &items[4000..], "");
    let root = root_of(&tree_of(&items), CidVersion::V0);
    assert_eq!(mirror.root(), root);
    proxy.calls();
    let calls = |command: &str| {
        let run = mirror.run(command).exits(0);
        (run, proxy.calls())
    };
    sync(&mirror, &items, "");
    let again = proxy.calls();
    assert!(again.len() < 60, "{again:?}");
    let (list, listed) = calls("resolve --list");
    assert_eq!(list.out.lines().count(), 4060);
    assert!(listed.len() < 80, "{listed:?}");
    let (_, verified) = calls("verify");
    assert!(verified.len() < 200, "{verified:?}");
    let (_, removed) = calls(&format!("remove {}", items[7].hash));
    assert!(removed.len() < 100, "{removed:?}");
    let mut rest = items;
    rest.remove(7);
    assert_eq!(mirror.root(), root_of(&tree_of(&rest), CidVersion::V0));
}

fn a_proxy_that_takes_no_long_url_makes_no_difference(node: &TestNode) {
    let (proxy, _upstream, mirror, items) = large_mirror(node);
    proxy.refuse_urls_beyond(8 << 10);
    sync(&mirror, &items[4000..], "");
    assert_eq!(mirror.root(), root_of(&tree_of(&items), CidVersion::V0));
    let list = mirror.run("resolve --list").exits(0).out;
    assert_eq!(list.lines().count(), 4060);
    mirror.run("verify").silently();
}

fn beside_many_items_a_run_with_nothing_new_makes_few_calls(node: &TestNode) {
    let proxy = Proxy::new(&node.api);
    let upstream = Upstream::of_fixtures();
    let items = items(0..4000, "x");
    upstream.add_items(&items);
    let mirror = Mirror::at(&proxy.url, &upstream);
    sync(&mirror, &items, "");
    mirror.run("sync").silently();
    let root = mirror.root();
    proxy.calls();
    proxy.connections();
    mirror.run("sync").silently();
    let calls = proxy.calls();
    assert!(calls.len() < 12, "{calls:?}");
    // Kubo itself ends none of them.
    assert_eq!(proxy.connections(), 1, "{calls:?}");
    assert_eq!(mirror.root(), root);
}
