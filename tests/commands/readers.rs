//! A mirror as somebody reads it who has nothing but its name.

use crate::support::{
    Item, Mirror, Network, TestNode, Upstream, fixture_roots, item, run, tree_of,
};
use guix_ipfs::ipfs::cid::CidVersion;
use serde_json::Value;
use std::time::{Duration, Instant};

on_both_nodes!(
    what_a_node_without_a_network_lacks_is_not_waited_for,
    a_damaged_mirror_of_ones_own_is_to_be_repaired,
    what_is_no_mirror_is_named_as_such,
    every_key_of_the_node_is_ones_own,
);

const KEY: &str = "guix-ipfs";
const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
/// The key of the fixtures, `signing-key.pub`.
const SIGNER: &str = "#07AA2C7F570F1AE90858044589335CFA5A864703993825F0F902AAF347DA4447#";

/// The text of a row of `resolve --long`.
#[track_caller]
fn row(long: &str, label: &str) -> String {
    let line = long.lines().find(|line| line.starts_with(label));
    line.unwrap_or_else(|| panic!("no {label} in {long}"))[10..].to_owned()
}

#[track_caller]
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The option that `resolve --long` prints for this name.
fn usage(node: &TestNode, name: &str) -> String {
    format!(
        "--substitute-urls=\"{}/ipns/{name} https://bordeaux.guix.gnu.org https://ci.guix.gnu.org\"",
        node.gateway
    )
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_mirror_of_others_is_read_over_the_network() {
    let network = Network::start(2);
    let upstream = Upstream::of_fixtures();
    let publisher = Mirror::new(&network[0], &upstream).online();
    publisher.run("sync").silently();
    let name = network[0].key_id(KEY).unwrap();
    let reader = Mirror::new(&network[1], &upstream).online();
    let run = reader.run(&format!("resolve --long {name}")).exits(0);
    let long = &run.out;
    assert!(!run.err.contains("repair"), "{run:?}");
    let first: Vec<&str> = long.lines().take(2).collect();
    let root = &fixture_roots(0)[2];
    let used = format!("use       {}", usage(&network[1], &name));
    assert_eq!(first, [format!("/ipfs/{root}"), used]);
    assert_eq!(row(long, "narinfos"), "8");
    assert_eq!(row(long, "nars"), "7 gzip, 7 lzip, 7 zstd, 1 uncompressed");
    assert_eq!(
        row(long, "trust"),
        format!("signed by {SIGNER}: 8 of 8 read")
    );
    let described = json(
        &reader
            .run(&format!("resolve --long --json {name}"))
            .exits(0)
            .out,
    );
    let signed = serde_json::json!([{ "key": SIGNER, "farm": null, "count": 8 }]);
    assert_eq!(described["signers"]["signed"], signed, "{described}");
    assert!(described["trust"][0].is_string(), "{described}");
    let listed = reader.run(&format!("resolve --list {name}")).exits(0).out;
    let mut paths: Vec<&str> = listed.lines().collect();
    paths.sort_unstable();
    assert_eq!(paths, publisher.list());
    let listed = json(
        &reader
            .run(&format!("resolve --list --json {name}"))
            .exits(0)
            .out,
    );
    assert_eq!(listed["name"], name.as_str(), "{listed}");
    assert_eq!(listed["store_paths"].as_array().unwrap().len(), 8);
}

/// Stores a mirror whose root and nar/gzip are sharded.
fn store_many(node: &TestNode, count: u64) -> String {
    let items: Vec<Item> = (0..count).map(|number| item(number, "x", 40)).collect();
    node.store_tree(&tree_of(&items), CidVersion::V0)
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn of_a_large_mirror_of_others_no_more_is_read_than_it_takes() {
    const COUNT: u64 = 4000;
    let network = Network::start(2);
    let root = store_many(&network[0], COUNT);
    network[0].publish(KEY, &root);
    let name = network[0].key_id(KEY).unwrap();
    let reader = Mirror::new(&network[1], &Upstream::empty()).online();
    let long = reader.run(&format!("resolve --long --json {name}"));
    let long = json(&long.exits(0).out);
    assert_eq!(long["root"], root.as_str());
    for count in [&long["narinfos"], &long["nars"]["gzip"]] {
        assert_eq!(count["exact"], false, "{long}");
        let count = count["count"].as_u64().unwrap();
        assert!(count.abs_diff(COUNT) < COUNT / 10, "{long}");
    }
    assert_eq!(long["signers"]["read"], 120, "{long}");
    assert_eq!(long["signers"]["unsigned"], 120, "{long}");
    let received = network[1].json("bitswap/stat")["BlocksReceived"].as_u64();
    assert!(received.unwrap() < 500, "{received:?} blocks");
    let list = reader.run(&format!("resolve --list {name}")).exits(0);
    assert_eq!(list.out.lines().count() as u64, COUNT);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn with_the_publisher_gone_it_is_said_within_the_limits() {
    let mut network = Network::start(3);
    let upstream = Upstream::of_fixtures();
    let publisher = Mirror::new(&network[0], &upstream).online();
    publisher.run("sync").silently();
    let name = network[0].key_id(KEY).unwrap();
    let root = publisher.root();
    let large = store_many(&network[0], 4000);
    let reader = Mirror::new(&network[1], &upstream).online();
    // The second root's first block is there, and nothing of the other.
    network[1].ipfs("block stat", &[&large]);
    network.stop(0);
    let read = |arguments: &str| {
        let start = Instant::now();
        let mut command = reader.command(arguments);
        let run = run(command.env("GUIX_IPFS_READ_TIMEOUT", "1")).exits(75);
        assert!(start.elapsed() < Duration::from_secs(60), "{run:?}");
        assert!(!run.err.contains("repair"), "{run:?}");
        run.says("publisher may be away").says("within 1 seconds")
    };
    let run = read(&format!("resolve --long {name}"));
    assert_eq!(row(&run.out, "use"), usage(&network[1], &name));
    assert!(run.out.starts_with(&format!("/ipfs/{root}\n")), "{run:?}");
    run.says(&format!("the root of /ipfs/{root} cannot be read"));
    let json = json(&read(&format!("resolve --long --json {name}")).out);
    assert!(json["substitute_urls"].is_string(), "{json}");
    assert_eq!(json["exit"], 75, "{json}");
    read(&format!("resolve --list {name}")).says(&format!("the root of /ipfs/{root}"));
    let run = read(&format!("resolve --long /ipfs/{large}"));
    run.says(&format!("the narinfos of /ipfs/{large} cannot be read"));
    let run = read(&format!("resolve --list /ipfs/{large}"));
    run.says(&format!("the narinfos of /ipfs/{large} cannot be read"));
}

fn what_a_node_without_a_network_lacks_is_not_waited_for(node: &TestNode) {
    let mirror = Mirror::new(node, &Upstream::empty());
    let nowhere = "QmQy6xmJhrcC5QLboAcGFcAE1tC8CrwDVkrHdEYJkLscrQ";
    for option in ["--long", "--list"] {
        let run = mirror.run(&format!("resolve {option} /ipfs/{nowhere}"));
        let run = run.exits(1).says("cannot be read").says(nowhere);
        assert!(!run.err.contains("repair"), "{run:?}");
        run.says("no network");
    }
    let run = mirror.run(&format!("resolve /ipfs/{nowhere}")).exits(0);
    assert_eq!(run.out, format!("/ipfs/{nowhere}\n"));
}

fn a_damaged_mirror_of_ones_own_is_to_be_repaired(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let root = mirror.root();
    node.lose(&node.cid_at(&root, "nar/gzip"));
    let run = mirror.run("resolve --long").exits(1);
    assert!(run.out.contains("\nuse       "), "{run:?}");
    run.says("guix-ipfs verify --repair");
    mirror.run("verify --repair").exits(0);
    mirror.run("resolve --long").exits(0);
    // Nothing is known without the first block.
    node.lose(&mirror.root().parse().unwrap());
    let run = mirror.run("resolve --long").exits(1);
    assert!(run.out.contains("\nuse       "), "{run:?}");
    run.says("is not whole on this node").says("init --anew");
    let run = mirror.run("resolve --list").exits(1);
    run.says("is not whole on this node").says("init --anew");
}

fn what_is_no_mirror_is_named_as_such(node: &TestNode) {
    let site = [("index.html".to_owned(), b"<h1>Hello</h1>".to_vec())];
    let site = node.store_tree(&site.into(), CidVersion::V0);
    let file = node.add(b"a file").to_string();
    let mirror = Mirror::new(node, &Upstream::empty());
    for (number, root) in [&site, &file].into_iter().enumerate() {
        node.publish(&format!("site-{number}"), root);
        for target in [format!("site-{number}"), format!("/ipfs/{root}")] {
            for option in ["--long", "--list"] {
                let run = mirror.run(&format!("resolve {option} {target}")).exits(1);
                let run = run.says(&format!("/ipfs/{root} is not a mirror"));
                assert!(!run.out.contains("use "), "{run:?}");
            }
        }
    }
    let id = node.create_key("silent");
    for target in ["silent", &id] {
        let run = mirror.run(&format!("resolve --long {target}")).exits(1);
        run.says(&format!("/ipns/{id} does not resolve"));
    }
}

fn every_key_of_the_node_is_ones_own(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run(&format!("add {HELLO} --key other")).silently();
    let id = node.key_id("other").unwrap();
    for target in ["other", &id] {
        let long = mirror.run(&format!("resolve --long {target}")).exits(0).out;
        let listed = mirror.run(&format!("resolve --list {target}")).exits(0).out;
        assert_eq!(row(&long, "narinfos"), listed.lines().count().to_string());
        assert!(long.contains(&format!("/ipns/{id}")), "{long}");
    }
    // It stands for the journal, so that its root is known to be here.
    node.unpin_named("guix-ipfs/");
    let long = mirror.run("resolve --long other").exits(0).out;
    assert!(long.contains(&id), "{long}");
}
