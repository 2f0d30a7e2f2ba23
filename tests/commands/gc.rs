//! `gc` frees what nothing pins, and nothing else.

use crate::faults::FAULTS;
use crate::support::{Mirror, Proxy, Spoil, TestNode, Upstream, item, run};
use guix_ipfs::ipfs::cid::{Cid, CidVersion, RAW, cid_of};
use serde_json::Value;
use std::process::{Command, Stdio};

on_both_nodes!(
    what_was_removed_comes_free_and_what_is_published_stays,
    remove_collects_at_its_end_where_it_is_asked_to,
    a_prune_collects_at_its_end_where_it_is_asked_to,
    a_damaged_block_below_a_pin_stops_the_collector_and_is_said,
    a_block_that_cannot_be_removed_is_said,
    killed_in_the_middle_it_has_taken_nothing_that_is_published,
);

on_kubo_alone!(a_fault_of_the_call_is_named_and_the_next_one_frees_the_rest);

/// A fault of a block's file.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Damaged,
    Lost,
}

/// The store hashes of items of 200 kB each, which are mirrored.
fn mirrored(mirror: &Mirror, upstream: &Upstream) -> Vec<String> {
    let items: Vec<_> = (0..6).map(|number| item(number, "item", 200_000)).collect();
    upstream.add_items(&items);
    let hashes: Vec<String> = items.iter().map(|item| item.hash.clone()).collect();
    mirror.run(&format!("add {}", hashes.join(" "))).silently();
    hashes
}

/// Stores some small blocks, unprotected from the collector.
fn put(node: &TestNode, count: u8) -> Vec<Cid> {
    let blocks = (0..count).map(|number| {
        let content = [number, 7];
        let cid = cid_of(CidVersion::V1, RAW, &content);
        node.node().put_block(&cid, &content).unwrap();
        cid
    });
    blocks.collect()
}

fn bytes(node: &TestNode) -> u64 {
    node.node().usage().unwrap().bytes
}

fn what_was_removed_comes_free_and_what_is_published_stays(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    let hashes = mirrored(&mirror, &upstream);
    mirror.run("gc").silently();
    let before = bytes(node);
    mirror
        .run(&format!("remove {}", hashes[1..].join(" ")))
        .silently();
    let said = mirror.run("gc -v").exits(0);
    assert!(
        said.err.contains("collected ") && said.err.contains(" blocks, "),
        "{said:?}"
    );
    assert!(
        bytes(node) + 900_000 < before,
        "{} of {before}",
        bytes(node)
    );
    node.published(&mirror.root()).judge();
    assert_eq!(mirror.list().len(), 1);
    let summary = mirror.run("gc --json").exits(0).out;
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["command"], "gc");
    assert_eq!(summary["blocks"], 0, "{summary}");
    assert_eq!(summary["bytes_after"], bytes(node));
}

fn remove_collects_at_its_end_where_it_is_asked_to(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    let hashes = mirrored(&mirror, &upstream);
    let before = bytes(node);
    let removed = mirror.run(&format!("remove --gc --json {}", hashes[1..].join(" ")));
    let summary: Value = serde_json::from_str(&removed.exits(0).out).unwrap();
    assert_eq!(summary["removed"].as_array().unwrap().len(), 5);
    assert!(
        summary["collected"]["blocks"].as_u64().unwrap() >= 5,
        "{summary}"
    );
    assert_eq!(summary["collected"]["bytes_after"], bytes(node));
    assert!(bytes(node) + 900_000 < before);
    node.published(&mirror.root()).judge();
}

fn a_prune_collects_at_its_end_where_it_is_asked_to(node: &TestNode) {
    let upstream = Upstream::empty();
    upstream.set("api/latestbuilds", "[]");
    for verb in ["prune", "sync"] {
        let mirror = Mirror::new(node, &upstream);
        mirrored(&mirror, &upstream);
        mirror.run("gc").silently();
        let before = bytes(node);
        let pruned = mirror.run(&format!("{verb} --max-size 450K --gc --json"));
        let summary: Value = serde_json::from_str(&pruned.exits(0).out).unwrap();
        let kept = bytes(node);
        assert!(kept + 700_000 < before, "{kept} of {before}");
        assert_eq!(summary["collected"]["bytes_after"], kept);
        assert_eq!(mirror.list().len(), 2);
        node.published(&mirror.root()).judge();
        // Nothing went, so nothing is looked for.
        let again = mirror.run(&format!("{verb} --max-size 450K --gc --json"));
        let summary: Value = serde_json::from_str(&again.exits(0).out).unwrap();
        assert!(summary.get("collected").is_none(), "{summary}");
    }
}

fn a_damaged_block_below_a_pin_stops_the_collector_and_is_said(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    // Of each, what is below it is not known.
    let parts = [
        ("nar", Fault::Damaged),
        ("NARINFO", Fault::Damaged),
        ("nar/gzip", Fault::Lost),
        ("", Fault::Lost),
    ];
    for (number, (path, fault)) in parts.into_iter().enumerate() {
        let upstream = Upstream::empty();
        let mirror = Mirror::new(node, &upstream);
        let hashes = mirrored(&mirror, &upstream);
        let garbage = put(node, 100);
        let root = mirror.root();
        let block = match path.replace("NARINFO", &format!("{}.narinfo", hashes[0])) {
            path if path.is_empty() => root.parse().unwrap(),
            path => node.cid_at(&root, &path),
        };
        match fault {
            Fault::Damaged => node.damage(&block),
            Fault::Lost => node.lose(&block),
        }
        let said = mirror.run("gc").exits(1).says("collect garbage: ");
        let said = said.says("guix-ipfs verify --repair");
        if node.is_kubo() && fault == Fault::Damaged {
            said.says("ipfs repo verify --drop");
        }
        let summary = mirror.run("gc --json").exits(1).out;
        assert!(
            summary.contains(r#""error":"collect garbage: "#),
            "{summary}"
        );
        assert!(garbage.iter().all(|cid| node.has_block(cid)), "{path:?}");
        // Without the pin nobody needs the block.
        node.unpin_named("");
        node.rename_key("guix-ipfs", &format!("done-{number}"));
        mirror.run("gc").silently();
        assert!(!garbage.iter().any(|cid| node.has_block(cid)), "{path:?}");
    }
}

fn a_block_that_cannot_be_removed_is_said(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    mirrored(&mirror, &upstream);
    let garbage = put(node, 20);
    node.obstruct(&garbage[11]);
    mirror.run("gc").exits(1).says("collect garbage: ");
    node.published(&mirror.root()).judge();
}

fn killed_in_the_middle_it_has_taken_nothing_that_is_published(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    mirrored(&mirror, &upstream);
    mirror.run("gc").silently();
    let root = mirror.root();
    let blocks = (0..30_000_u32).map(|number| {
        let content = number.to_be_bytes();
        (cid_of(CidVersion::V1, RAW, &content), content.to_vec())
    });
    let mut was_half = false;
    for _ in 0..10 {
        node.store(blocks.clone());
        let garbage: Vec<Cid> = blocks.clone().map(|(cid, _)| cid).collect();
        let is_left = |cid: &&Cid| node.has_block(cid);
        let mut command = mirror.command("gc");
        let mut collector = command.stderr(Stdio::null()).spawn().unwrap();
        while garbage.iter().step_by(3000).all(|cid| is_left(&cid)) {
            assert!(collector.try_wait().unwrap().is_none(), "nothing is gone");
        }
        collector.kill().unwrap();
        collector.wait().unwrap();
        node.published(&root).judge();
        was_half |= garbage.iter().step_by(100).any(|cid| is_left(&cid));
        mirror.run("gc").silently();
        assert!(!garbage.iter().step_by(100).any(|cid| is_left(&cid)));
        node.published(&root).judge();
        if was_half {
            return;
        }
    }
    panic!("no collection was killed in the middle");
}

#[test]
fn a_full_disk_does_not_stop_the_collector() {
    let node = TestNode::local();
    let upstream = Upstream::empty();
    let mirror = Mirror::new(&node, &upstream);
    mirrored(&mirror, &upstream);
    // In a store that was never collected, and in one that was.
    for _ in 0..2 {
        let garbage = put(&node, 100);
        // Without the trap the signal of the limit would end the program.
        let mut shell = limited(&mirror.command("gc"), "trap '' XFSZ; ulimit -f 0");
        run(&mut shell).silently();
        assert!(!garbage.iter().any(|cid| node.has_block(cid)));
        node.published(&mirror.root()).judge();
    }
}

/// The same command in a shell that has run this before.
fn limited(command: &Command, before: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before}; exec \"$0\" \"$@\"")]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env_clear();
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell
}

/// The items weigh 6 MB each.
#[test]
fn a_local_store_frees_its_room_by_itself_when_much_was_removed() {
    let node = TestNode::local();
    let upstream = Upstream::empty();
    let items: Vec<_> = (0..16).map(|at| item(at, "item", 6_000_000)).collect();
    upstream.add_items(&items);
    let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
    let mirror = Mirror::new(&node, &upstream);
    let garbage = put(&node, 10);
    // Adding never collects, though the store grows to a multiple at each run.
    for (from, to) in [(0, 1), (1, 4), (4, 16)] {
        mirror
            .run(&format!("add {}", hashes[from..to].join(" ")))
            .silently();
        assert!(garbage.iter().all(|cid| node.has_block(cid)));
    }
    let all = bytes(&node);
    assert!(all > 96_000_000, "{all}");
    // 30 MB, then 54: more than half, but less than 64 MiB.
    for (from, to) in [(0, 5), (5, 9)] {
        mirror
            .run(&format!("remove {}", hashes[from..to].join(" ")))
            .silently();
        assert!(bytes(&node) >= all);
        assert!(garbage.iter().all(|cid| node.has_block(cid)));
    }
    mirror
        .run(&format!("remove {}", hashes[9..13].join(" ")))
        .silently();
    let left = bytes(&node);
    assert!(left < 20_000_000, "{left} of {all}");
    assert!(!garbage.iter().any(|cid| node.has_block(cid)));
    node.published(&mirror.root()).judge();
    assert_eq!(mirror.list().len(), 3);
    // Nothing that was published is fetched again, and the rest can be had again.
    mirror.run("verify --deep").silently();
    mirror.run(&format!("add {}", hashes[0])).silently();
    node.published(&mirror.root()).judge();
}

fn a_fault_of_the_call_is_named_and_the_next_one_frees_the_rest(node: &TestNode) {
    let upstream = Upstream::empty();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirrored(&mirror, &upstream);
    mirror.run("gc").silently();
    for (spoil, says) in FAULTS {
        // An odd number, so that half of the answer ends within a line.
        let garbage = put(node, 101);
        proxy.spoil("repo/gc", 0, spoil);
        mirror
            .run("gc")
            .exits(1)
            .says("collect garbage: ")
            .says(says);
        mirror.run("gc").silently();
        assert!(!garbage.iter().any(|cid| node.has_block(cid)), "{spoil:?}");
        node.published(&mirror.root()).judge();
    }
    // Nothing depends on the figures.
    let garbage = put(node, 1);
    proxy.spoil("repo/stat", 0, Spoil::After);
    let summary = mirror.run("gc --json").exits(0).out;
    let summary: Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(
        (&summary["bytes_before"], &summary["blocks"]),
        (&Value::Null, &Value::from(1))
    );
    assert!(!node.has_block(&garbage[0]));
}
