//! `prune`, and the same as options of `sync`, as a person calls them.

use crate::killed::kill_at_call;
use crate::sharded::add_r;
use crate::support::{Item, Mirror, Proxy, TestNode, Upstream, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::CidVersion;
use serde_json::Value;
use std::process::Stdio;

on_both_nodes!(
    a_dry_run_names_what_would_go_and_what_would_be_left,
    a_large_mirror_shrinks_to_what_ipfs_add_gives_in_either_version,
    a_sync_lets_go_of_what_has_no_room,
    a_prune_without_a_rule_or_with_a_wrong_one_is_a_fault_of_usage,
);

on_kubo_alone!(killed_at_any_call_it_loses_nothing_that_stays);

/// Items that are mirrored, the last ones larger, and their mirror.
fn mirrored(node: &TestNode, upstream: &Upstream) -> (Mirror, Vec<Item>) {
    let items: Vec<Item> = (0..4).map(|number| item(number, "x", 40_000)).collect();
    let last = item(9, "x", 40_000).referring_to([&items[0]]);
    let items: Vec<Item> = items.into_iter().chain([last]).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, upstream);
    let hashes: Vec<&str> = items.iter().map(|item| &*item.hash).collect();
    mirror.run(&format!("add {}", hashes.join(" "))).silently();
    (mirror, items)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The published items out of these.
fn left<'i>(mirror: &Mirror, items: &'i [Item]) -> Vec<&'i Item> {
    let listed = mirror.list().join(" ");
    let is_left = |item: &&Item| listed.contains(&item.hash);
    items.iter().filter(is_left).collect()
}

fn a_dry_run_names_what_would_go_and_what_would_be_left(node: &TestNode) {
    let upstream = Upstream::empty();
    let (mirror, items) = mirrored(node, &upstream);
    let before = mirror.root();
    let shown = mirror.run("prune --max-size 150K --dry-run").exits(0);
    assert_eq!(mirror.root(), before);
    let lines: Vec<&str> = shown.out.lines().collect();
    let (last, named) = lines.split_last().unwrap();
    assert!(
        last.contains(" would be pruned; ") && last.ends_with(" would be kept"),
        "{last}"
    );
    let day = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let wanted = format!("last wanted on {}", &day[..10]);
    for line in named {
        assert!(
            line.starts_with("/gnu/store/") && line.ends_with(&wanted),
            "{line}"
        );
        assert!(line.contains("KiB, "), "{line}");
    }
    let shown = json(&mirror.run("prune --max-size 150K -n --json").exits(0).out);
    assert_eq!(
        (&shown["command"], &shown["dry_run"]),
        (&"prune".into(), &true.into())
    );
    assert_eq!(shown["pruned"], named.len());
    assert_eq!(shown["items"].as_array().unwrap().len(), named.len());
    let done = json(&mirror.run("prune --max-size 150K --json").exits(0).out);
    assert_eq!(done["items"], shown["items"]);
    assert_eq!(
        (&done["published"], &done["before"]),
        (&true.into(), &before.clone().into())
    );
    let root = mirror.root();
    assert_eq!(done["root"], root);
    assert_eq!(
        root,
        root_of(&tree_of(left(&mirror, &items)), CidVersion::V0)
    );
    assert!(done["kept_bytes"].as_u64().unwrap() <= 150 << 10);
    node.collect_garbage();
    node.published(&root).judge_closures();
    // Nobody wanted anything on another day.
    mirror.run("prune --keep-for 1d").silently();
    assert_eq!(mirror.root(), root);
}

/// From sharded directories to smaller ones, and back to plain ones.
fn a_large_mirror_shrinks_to_what_ipfs_add_gives_in_either_version(node: &TestNode) {
    let items: Vec<Item> = (0..3600).map(|number| item(number, "i", 10)).collect();
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    for version in [CidVersion::V0, CidVersion::V1] {
        let key = format!("{version:?}");
        let root = node.store_tree(&tree_of(&items), version);
        node.publish(&key, &root);
        let options = format!("--key {key} --json");
        // Enough for some 3570 items, 3300 and 900; 3540 make the directory of narinfos
        // plain, and 3300 that of nars.
        for size in ["1500K", "1450K", "1360K", "350K", "5K"] {
            let done = mirror.run(&format!("prune --max-size {size} {options}"));
            let done = json(&done.exits(0).out);
            let bytes = size.trim_end_matches('K').parse::<u64>().unwrap() << 10;
            let kept = done["kept_bytes"].as_u64().unwrap();
            assert!(kept <= bytes, "{size}: {kept}");
            let listed = mirror
                .run(&format!("resolve --list --key {key}"))
                .exits(0)
                .out;
            let is_left = |item: &&Item| listed.contains(&item.hash);
            let left: Vec<&Item> = items.iter().filter(is_left).collect();
            assert_eq!(done["kept"], left.len());
            assert_eq!(done["root"], add_r(node, &tree_of(left), version), "{size}");
        }
    }
}

fn a_sync_lets_go_of_what_has_no_room(node: &TestNode) {
    let upstream = Upstream::empty();
    let (mirror, items) = mirrored(node, &upstream);
    upstream.set("api/latestbuilds", "[]");
    // Once a day cron hears that the rule has no room for what is wanted today.
    mirror
        .run("sync --max-size 150K")
        .exits(0)
        .says("--max-size has no room for 2 items");
    let left = left(&mirror, &items);
    assert_eq!(left.len(), 3);
    mirror.run("sync --max-size 150K").silently();
    let shown = mirror.run("resolve --long").exits(0).out;
    let rule = shown.lines().find(|line| line.starts_with("keeps "));
    assert!(
        rule.unwrap().contains("up to 150.00 KiB, pruned last "),
        "{shown}"
    );
    let shown = json(&mirror.run("resolve --long --json").exits(0).out);
    assert_eq!(shown["retention"]["max_size"], 150 << 10);
    // What is not wanted to go is not fetched again by itself.
    upstream.asked();
    mirror.run("sync --max-size 150K").silently();
    assert!(
        upstream
            .asked()
            .iter()
            .all(|path| !path.ends_with(".narinfo"))
    );
}

fn a_prune_without_a_rule_or_with_a_wrong_one_is_a_fault_of_usage(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("prune").exits(2).says("--keep-for 90d");
    for wrong in [
        "--keep-for 0d",
        "--keep-for 400d",
        "--keep-for 90",
        "--max-size x",
    ] {
        mirror.run(&format!("prune {wrong}")).exits(2);
    }
    mirror.run("prune --keep-for 90d").exits(1).says("no key");
    upstream.set("api/latestbuilds", "[]");
    mirror.run("sync").exits(0);
    mirror.run("prune --keep-for 90d --max-size 1G").silently();
    // Nothing would be left.
    let (mirror, _) = mirrored(node, &upstream);
    let before = mirror.root();
    mirror
        .run("prune --max-size 1K")
        .exits(1)
        .says("would prune all 5 items")
        .says("--force");
    assert_eq!(mirror.root(), before);
    mirror.run("prune --max-size 1K --force").exits(0);
    assert!(mirror.list().is_empty());
}

/// Kills a prune when the node has seen its n-th call, for every n.
fn killed_at_any_call_it_loses_nothing_that_stays(node: &TestNode) {
    let items: Vec<Item> = (0..40).map(|number| item(number, "x", 3000)).collect();
    let upstream = Upstream::empty();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    let root = node.store_tree(&tree_of(&items), CidVersion::V0);
    let prune = |key: &str| format!("prune --max-size 80K --key {key}");
    node.publish("whole", &root);
    mirror.run(&format!("{} -q", prune("whole"))).exits(0);
    let expected = mirror.run("resolve --key whole").exits(0).out;
    let calls = proxy.calls().len();
    for n in 1..=calls {
        let key = format!("killed-{n}");
        node.publish(&key, &root);
        proxy.calls();
        let mut command = mirror.command(&prune(&key));
        let run = command.stderr(Stdio::null()).spawn().unwrap();
        kill_at_call(run, &proxy, n);
        node.collect_garbage();
        let resolved = mirror.run(&format!("resolve --key {key}")).exits(0).out;
        let resolved = resolved.trim().strip_prefix("/ipfs/").unwrap().to_owned();
        assert!(
            [root.as_str(), expected.trim().trim_start_matches("/ipfs/")].contains(&&*resolved)
        );
        node.published(&resolved).judge();
        mirror.run(&format!("{} -q", prune(&key))).exits(0);
        assert_eq!(
            mirror.run(&format!("resolve --key {key}")).exits(0).out,
            expected
        );
    }
    let pins = node.pins();
    let nameless = pins.values().filter(|name| name.is_empty()).count();
    // The tree itself was pinned without a name.
    assert!(nameless <= 1, "staging is left: {pins:?}");
}
