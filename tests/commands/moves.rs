//! A mirror moves to another node, with its name, and back.

use crate::support::{
    Item, Mirror, Proxy, Setup, Spoil, TestNode, Upstream, item, root_of, tree_of,
};
use guix_ipfs::ipfs::cid::CidVersion;
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

on_both_nodes!(
    a_mirror_moves_with_its_name_and_its_ledger,
    the_old_node_publishes_no_more_until_the_mirror_comes_back,
    a_sharded_mirror_moves,
    what_the_other_node_has_is_left_alone,
    a_mirror_under_the_nodes_own_key_gets_one_of_its_own,
    a_node_that_cannot_take_the_mirror_changes_nothing,
    a_persons_word_brings_a_mirror_back_from_a_lost_node,
);

on_kubo_alone!(
    a_key_of_kubo_comes_from_a_file_or_by_hand,
    parts_that_came_are_not_sent_again,
    what_is_published_during_a_move_comes_too,
    a_block_that_the_collector_took_is_sent_again,
    a_collector_that_never_rests_takes_nothing_from_a_move,
    a_node_that_counted_further_publishes_above_its_own_number,
    secrets_are_sent_to_the_node_that_they_are_for,
    little_room_is_said_before_the_move,
);

/// Some items; the nar of one has several leaves.
fn items() -> Vec<Item> {
    let size = |number| if number == 3 { 700_000 } else { 500 };
    let items = (0..8).map(|number| item(number, "item", size(number)));
    items.collect()
}

/// A mirror of these items on `origin`, where one more is owed.
fn mirror_of(origin: &TestNode, upstream: &Upstream, items: &[Item], version: u8) -> Mirror {
    upstream.add_items(items);
    let mirror = Mirror::new(origin, upstream);
    mirror
        .run(&format!("init --cid-version {version}"))
        .silently();
    let list = mirror.home().join("list");
    let missing = item(1000, "missing", 10);
    let hashes = items.iter().chain([&missing]).map(|item| &*item.hash);
    std::fs::write(&list, hashes.collect::<Vec<_>>().join("\n")).unwrap();
    let sync = mirror.run(&format!("sync --from {}", list.display()));
    sync.exits(3).says("no upstream has it");
    mirror
}

/// The answer of `resolve --long` on a node.
fn long(mirror: &Mirror, node: &TestNode) -> Value {
    let api = &node.api;
    let long = mirror.run(&format!("--api {api} resolve --long --json"));
    serde_json::from_str(&long.exits(0).out).unwrap()
}

fn root(mirror: &Mirror, node: &TestNode) -> String {
    let resolved = mirror.run(&format!("--api {} resolve", node.api));
    resolved.exits(0).out.trim().replace("/ipfs/", "")
}

/// Moves the mirror, and returns the summary.
#[track_caller]
fn moved(mirror: &Mirror, from: &TestNode, to: &TestNode, options: &str) -> Value {
    let (from, to) = (&from.api, &to.api);
    let run = mirror.run(&format!("--api {from} move --to {to} --json {options}"));
    serde_json::from_str(&run.exits(0).out).unwrap()
}

/// Fails the test unless the node keeps this root whole, with the pin of its journal and
/// nothing else.
#[track_caller]
fn keeps(node: &TestNode, root: &str) {
    node.collect_garbage();
    let published = node.published(root);
    published.judge();
    published.judge_closures();
    let pins = node.pins();
    assert!(
        pins.len() == 1 && pins.values().all(|name| name.starts_with("guix-ipfs/k51")),
        "{pins:?}"
    );
}

fn a_mirror_moves_with_its_name_and_its_ledger(node: &TestNode) {
    for version in [CidVersion::V0, CidVersion::V1] {
        let (origin, upstream) = (TestNode::local(), Upstream::empty());
        let items = items();
        let mirror = mirror_of(&origin, &upstream, &items, version.number());
        let before = long(&mirror, &origin);
        assert_eq!(before["owed"].as_array().unwrap().len(), 1);
        let summary = moved(&mirror, &origin, node, "");
        assert_eq!(summary["moved"], true);
        assert_eq!(summary["name"], before["name"]);
        let after = long(&mirror, node);
        for same in ["name", "root", "owed", "narinfos", "nars"] {
            assert_eq!(before[same], after[same], "{same}");
        }
        assert_eq!(
            after["root"].as_str().unwrap(),
            root_of(&tree_of(&items), version)
        );
        if let Some(sequence) = after["record"]["sequence"].as_u64() {
            assert!(sequence > before["record"]["sequence"].as_u64().unwrap());
        }
        keeps(node, &root(&mirror, node));
        keeps(&origin, &root(&mirror, &origin));
        // It goes on there.
        let more = item(100, "more", 100);
        upstream.add_items([&more]);
        let add = format!("--api {} add {}", node.api, more.hash);
        mirror.run(&add).silently();
        let whole = root_of(&tree_of(items.iter().chain([&more])), version);
        assert_eq!(root(&mirror, node), whole);
        let again = moved(&mirror, &origin, node, "");
        assert_eq!(
            (&again["moved"], again["root"].as_str().unwrap()),
            (&Value::Bool(false), &*whole)
        );
        node.rename_key("guix-ipfs", &format!("version-{}", version.number()));
        node.unpin_named("guix-ipfs/");
    }
}

fn the_old_node_publishes_no_more_until_the_mirror_comes_back(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let items = items();
    let mirror = mirror_of(&origin, &upstream, &items, 0);
    let before = root(&mirror, &origin);
    moved(&mirror, &origin, node, "");
    let hash = &items[0].hash;
    let elsewhere = TestNode::local();
    for verb in [
        "sync",
        "sync --dry-run",
        &format!("add {hash}"),
        &format!("remove {hash}"),
        "init",
        "init --anew",
        &format!("move --to {}", elsewhere.api),
    ] {
        let refused = mirror.run(verb).exits(1);
        let refused = refused.says(&format!("was moved to the node at {}", node.api));
        refused.says(&format!("--api {} --key guix-ipfs move --to", node.api));
    }
    assert_eq!(root(&mirror, &origin), before);
    // With nothing to mend, nothing is published.
    mirror.run("verify --deep --repair").silently();
    let again = mirror.run(&format!("move --to {} -v", node.api));
    again.exits(0).says("nothing to do");
    mirror
        .run(&format!("--api {} remove {hash}", node.api))
        .silently();
    let there = root(&mirror, node);
    // Only what is new is sent back: two directories, the root, and the ledger.
    let summary = moved(&mirror, node, &origin, "");
    assert!(summary["bytes"].as_u64().unwrap() < 20_000, "{summary}");
    assert_eq!(root(&mirror, &origin), there);
    keeps(&origin, &there);
    mirror.run(&format!("add {hash}")).silently();
    assert_eq!(root(&mirror, &origin), before);
    let refused = mirror.run(&format!("--api {} add {hash}", node.api));
    refused.exits(1).says("was moved to the node at embedded:/");
}

fn a_sharded_mirror_moves(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let items: Vec<_> = (0..3600).map(|number| item(number, "x", 40)).collect();
    for version in [CidVersion::V0, CidVersion::V1] {
        let root = origin.store_tree(&tree_of(&items), version);
        let mirror = Mirror::new(&origin, &upstream);
        let key = format!("--key version-{}", version.number());
        mirror.run(&format!("init {key}")).silently();
        let named = key.replace("--key ", "");
        origin.publish(&named, &root);
        let adopt = mirror.run(&format!("add {} {key} --base {root}", items[0].hash));
        adopt.exits(0);
        moved(&mirror, &origin, node, &key);
        let resolved = mirror.run(&format!("--api {} resolve {key}", node.api));
        assert_eq!(resolved.exits(0).out.trim(), format!("/ipfs/{root}"));
        node.collect_garbage();
        let listed = mirror.run(&format!("--api {} resolve {key} --list", node.api));
        assert_eq!(listed.exits(0).out.lines().count(), items.len());
        assert_eq!(node.pins_named("moving").len(), 0);
    }
}

fn what_the_other_node_has_is_left_alone(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let other = Mirror::new(node, &upstream);
    other.run("sync --key other").silently();
    let (others, other_key) = (other.run("resolve --key other").out, node.key_id("other"));
    let origin = TestNode::local();
    let items = items();
    let mirror = mirror_of(&origin, &upstream, &items, 0);
    // A key of the same name is another mirror's.
    let taken = node.create_key("guix-ipfs");
    let refused = mirror.run(&format!("move --to {}", node.api)).exits(1);
    refused.says(&taken).says(match node.is_kubo() {
        true => "ipfs key rename guix-ipfs",
        false => "--to embedded:DIR",
    });
    mirror.run("sync").exits(0);
    node.rename_key("guix-ipfs", "another");
    moved(&mirror, &origin, node, "");
    assert_eq!(other.run("resolve --key other").out, others);
    assert_eq!(node.key_id("other"), other_key);
    other.run("sync --key other").silently();
    // The mirror that moved and the other one: a journal each.
    assert_eq!(node.pins().len(), 2);
    // Two nodes that publish under one key do not overwrite each other.
    let first = root(&mirror, &origin);
    mirror.run(&format!("sync --base {first}")).exits(0);
    let hash = &items[0].hash;
    mirror.run(&format!("remove {hash}")).silently();
    let refused = mirror.run(&format!("move --to {}", node.api)).exits(1);
    refused.says("publishes under the same key").says(&first);
}

fn a_node_that_cannot_take_the_mirror_changes_nothing(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream).online();
    let sync = "sync --allow-offline";
    mirror.run(sync).silently();
    let before = mirror.root();
    let to_itself = mirror.run(&format!("move --to {}", node.api));
    to_itself.exits(1).says("is the node that the mirror is on");
    let nobody = "http://127.0.0.1:9";
    let unreachable = mirror.run(&format!("move --to {nobody}"));
    unreachable.exits(75).says("no node answers").says("--to");
    mirror.run("move --to ftp://host").exits(2).says("--to");
    let unknown = mirror.run("move --key unknown --to embedded:/tmp/never-made");
    unknown.exits(1).says("no key named \"unknown\"");
    // Neither a key nor a file of one.
    let file = mirror.home().join("file");
    std::fs::write(&file, "not a key").unwrap();
    let options = format!("--to {nobody} --key-file {}", file.display());
    let not_a_key = mirror.run(&format!("move {options}"));
    not_a_key.exits(1).says("Ed25519 private key");
    mirror.run(sync).silently();
    assert_eq!(mirror.root(), before);
    if node.is_kubo() {
        // A Kubo that reaches nobody is not moved to without a person's word.
        let origin = TestNode::local();
        let mirror = mirror.with_api(&origin.api);
        mirror.run("init").silently();
        node.rename_key("guix-ipfs", "other");
        let offline = mirror.run(&format!("move --to {}", node.api));
        offline.exits(1).says("is offline").says("--allow-offline");
        mirror.run("sync").silently();
    }
}

fn a_persons_word_brings_a_mirror_back_from_a_lost_node(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync --no-closure").silently();
    let before = mirror.root();
    if node.is_kubo() {
        // The key cannot be had, and nothing is begun.
        let away = TestNode::local();
        mirror.run(&format!("move --to {}", away.api)).exits(1);
        mirror.run("sync --no-closure").silently();
        return;
    }
    let lost = TestNode::local();
    moved(&mirror, node, &lost, "");
    drop(lost);
    mirror
        .run("sync")
        .exits(1)
        .says(&format!("--base {before}"));
    mirror.run(&format!("sync --base {before}")).silently();
    mirror.run("sync").silently();
    let found = TestNode::local();
    moved(&mirror, node, &found, "");
    keeps(&found, &root(&mirror, &found));
}

fn a_key_of_kubo_comes_from_a_file_or_by_hand(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let before = root(&mirror, node);
    let third = TestNode::local();
    let to_third = format!("move --to {}", third.api);
    let refused = mirror.run(&to_third).exits(1);
    refused
        .says("ipfs key export guix-ipfs")
        .says("--key-file guix-ipfs.key");
    let other = TestNode::kubo();
    let refused = mirror.run(&format!("move --to {}", other.api)).exits(1);
    refused.says("ipfs key import guix-ipfs guix-ipfs.key");
    node.create_key("wrong");
    for (name, format) in [
        ("wrong", "libp2p-protobuf-cleartext"),
        ("guix-ipfs", "pem-pkcs8-cleartext"),
    ] {
        let file = mirror.home().join(name);
        let export = format!("key export --format={format} {name} -o");
        node.ipfs(&export, &[file.to_str().unwrap()]);
    }
    let file = |name| mirror.home().join(name).display().to_string();
    let wrong = mirror.run(&format!("{to_third} --key-file {}", file("wrong")));
    wrong.exits(1).says("but the mirror is /ipns/k51");
    mirror.run("sync").silently();
    let run = mirror.run(&format!("{to_third} --key-file {}", file("guix-ipfs")));
    run.exits(0).says("ipfs key rm guix-ipfs");
    assert_eq!(third.key_id("guix-ipfs"), node.key_id("guix-ipfs"));
    keeps(&third, &before);
    assert_eq!(root(&mirror, &third), before);
    // From there to a Kubo that got the key by hand, under another name.
    let import = "key import --format=pem-pkcs8-cleartext by-hand";
    other.ipfs(import, &[&file("guix-ipfs")]);
    let summary = moved(&mirror, &third, &other, "");
    assert_eq!(summary["key_there"], "by-hand");
    keeps(&other, &before);
    let name = node.key_id("guix-ipfs").unwrap();
    let resolved = mirror.run(&format!("--api {} resolve {name}", other.api));
    assert_eq!(resolved.exits(0).out.trim(), format!("/ipfs/{before}"));
    // And from Kubo to Kubo, the first one.
    let options = "--key by-hand";
    let summary = moved(&mirror, &other, node, options);
    assert_eq!(summary["key_there"], "guix-ipfs");
    mirror.run("sync").silently();
    keeps(node, &before);
}

/// Many items: three parts.
fn many(upstream: &Upstream, origin: &TestNode) -> (Mirror, String) {
    let items: Vec<_> = (0..700).map(|number| item(number, "x", 40)).collect();
    let root = origin.store_tree(&tree_of(&items), CidVersion::V0);
    let mirror = Mirror::new(origin, upstream);
    mirror.run("init").silently();
    origin.publish("guix-ipfs", &root);
    upstream.add_items(&items[..1]);
    let adopt = mirror.run(&format!("add {} --base {root}", items[0].hash));
    adopt.exits(0);
    (mirror, root)
}

fn parts_that_came_are_not_sent_again(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let (mirror, root) = many(&upstream, &origin);
    let proxy = Proxy::new(&node.api);
    let to = format!("move --to {} --json", proxy.url);
    // The third part does not come.
    proxy.spoil("dag/import", 2, Spoil::Before);
    let cut = mirror.run(&to).exits(1);
    cut.says(&format!("the node at {}", proxy.url));
    node.collect_garbage();
    assert_eq!(node.pins_named("moving").len(), 2);
    proxy.calls();
    let run = mirror.run(&to).exits(0);
    let summary: Value = serde_json::from_str(&run.out).unwrap();
    let blocks = summary["blocks"].as_u64().unwrap();
    assert!((300..500).contains(&blocks), "{summary}");
    let imports = proxy.calls();
    let imports = imports.iter().filter(|call| *call == "dag/import");
    // The last part, what keeps it all, and the journal.
    assert_eq!(imports.count(), 3);
    let resolved = mirror.run(&format!("--api {} resolve", node.api));
    assert_eq!(resolved.exits(0).out.trim(), format!("/ipfs/{root}"));
    keeps(node, &root);
}

fn what_is_published_during_a_move_comes_too(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let (mirror, _) = many(&upstream, &origin);
    let more: Vec<_> = (5000..5003).map(|number| item(number, "y", 9)).collect();
    upstream.add_items(&more);
    let proxy = Proxy::new(&node.api);
    // The move waits for this answer while others are published.
    proxy.spoil("dag/import", 1, Spoil::Late(Duration::from_secs(2)));
    let mut command = mirror.command(&format!("move --to {}", proxy.url));
    let mut moving = command.stderr(Stdio::null()).spawn().unwrap();
    while proxy.seen() < 8 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let hashes: Vec<&str> = more.iter().map(|item| &*item.hash).collect();
    mirror.run(&format!("add {}", hashes.join(" "))).silently();
    assert!(moving.try_wait().unwrap().is_none(), "it was too quick");
    assert!(moving.wait().unwrap().success());
    let now = root(&mirror, &origin);
    assert_eq!(root(&mirror, node), now);
    keeps(node, &now);
    assert!(node.published(&now).hashes().contains(&more[2].hash));
}

fn a_block_that_the_collector_took_is_sent_again(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let (mirror, root) = many(&upstream, &origin);
    // All of it is there, but only until the collector runs.
    let items: Vec<_> = (0..700).map(|number| item(number, "x", 40)).collect();
    node.store_tree(&tree_of(&items), CidVersion::V0);
    node.unpin_named("");
    // The narinfos come first.
    let narinfos = tree_of(&items)
        .into_keys()
        .filter(|path| path.ends_with(".narinfo"));
    let lost = origin.cid_at(&root, &narinfos.min().unwrap());
    let proxy = Proxy::new(&node.api);
    // It goes after the first part was found to be there, and before its pin.
    proxy.spoil("dag/import", 0, Spoil::Late(Duration::from_secs(1)));
    let mut command = mirror.command(&format!("move --to {} --json", proxy.url));
    let moving = command.stdout(Stdio::piped()).spawn().unwrap();
    while !proxy.calls().contains(&"dag/import".to_owned()) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let removed = node.rpc(&format!("block/rm?arg={lost}"));
    assert!(!removed.text().contains("Error"), "{}", removed.text());
    let ended = moving.wait_with_output().unwrap();
    assert!(ended.status.success());
    let summary: Value = serde_json::from_slice(&ended.stdout).unwrap();
    // Nothing of the other parts was sent but what stands beside the ledger.
    let blocks = summary["blocks"].as_u64().unwrap();
    assert!((513..720).contains(&blocks), "{summary}");
    keeps(node, &root);
}

fn a_collector_that_never_rests_takes_nothing_from_a_move(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let (mirror, root) = many(&upstream, &origin);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                node.collect_garbage();
            }
        });
        let run = mirror.run(&format!("move --to {}", node.api));
        done.store(true, Ordering::Relaxed);
        run.exits(0);
    });
    keeps(node, &root);
}

fn a_node_that_counted_further_publishes_above_its_own_number(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let items = items();
    let mirror = mirror_of(&origin, &upstream, &items, 0);
    let whole = root(&mirror, &origin);
    moved(&mirror, &origin, node, "");
    for item in &items[..4] {
        let there = |verb| format!("--api {} {verb} {}", node.api, item.hash);
        mirror.run(&there("remove")).silently();
        mirror.run(&there("add")).silently();
    }
    // Offline, Kubo does not tell how far it has counted.
    moved(&mirror, node, &origin, "");
    mirror.run(&format!("remove {}", items[0].hash)).silently();
    let less = root(&mirror, &origin);
    assert_ne!(less, whole);
    moved(&mirror, &origin, node, "");
    assert_eq!(root(&mirror, node), less);
    keeps(node, &less);
}

fn a_mirror_under_the_nodes_own_key_gets_one_of_its_own(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::of_fixtures());
    let mirror = Mirror::new(&origin, &upstream);
    mirror.run("init --key self").silently();
    mirror.run("sync --key self").silently();
    let before = mirror.run("resolve --key self").exits(0).out;
    let summary = moved(&mirror, &origin, node, "--key self");
    assert_eq!(summary["key_there"], "guix-ipfs");
    assert_eq!(format!("/ipfs/{}\n", root(&mirror, node)), before);
    let name = summary["name"].as_str().unwrap();
    assert_eq!(origin.key_id("self").unwrap(), name);
    assert_eq!(node.key_id("guix-ipfs").unwrap(), name);
    mirror.run(&format!("--api {} sync", node.api)).silently();
    moved(&mirror, node, &origin, "");
    mirror.run("sync --key self").silently();
}

fn secrets_are_sent_to_the_node_that_they_are_for(_: &TestNode) {
    let asks = |config: &mut Value| {
        config["API"]["Authorizations"] = json!({
            "user": {"AuthSecret": "basic:me:hunter2", "AllowedPaths": ["/api/v0"]},
        });
    };
    let node = TestNode::kubo_with(Setup {
        configure: &asks,
        password: Some("me:hunter2"),
        ..Setup::default()
    });
    let (origin, upstream) = (TestNode::local(), Upstream::of_fixtures());
    let mirror = Mirror::new(&origin, &upstream);
    mirror.run("sync").silently();
    let file = mirror.home().join("secret");
    std::fs::write(&file, "basic:me:hunter2\n").unwrap();
    // That of the old node is not sent to the new one.
    let mut command = mirror.command(&format!("move --to {}", node.api));
    let of_the_old = command.env("GUIX_IPFS_API_AUTH", "basic:me:hunter2");
    crate::support::run(of_the_old)
        .exits(1)
        .says("refuses access")
        .says("--to-auth-file");
    let to = node.api.replace("//", "//me:hunter2@");
    let in_url = mirror.run(&format!("move -v --to {to}")).exits(0);
    assert!(!in_url.err.contains("hunter2"), "{in_url:?}");
    let refused = mirror.run("sync").exits(1).says(&node.api);
    assert!(!refused.err.contains("hunter2"), "{refused:?}");
    let options = format!("--to-auth-file {}", file.display());
    let again = mirror.run(&format!("move -v --to {} {options}", node.api));
    again.exits(0).says("nothing to do");
}

fn little_room_is_said_before_the_move(_: &TestNode) {
    let small = |config: &mut Value| config["Datastore"]["StorageMax"] = json!("100KB");
    let node = TestNode::kubo_with(Setup {
        configure: &small,
        ..Setup::default()
    });
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let mirror = mirror_of(&origin, &upstream, &items(), 0);
    let run = mirror.run(&format!("move --to {}", node.api)).exits(0);
    run.says("the mirror has up to 7")
        .says("Datastore.StorageMax");
    keeps(&node, &root(&mirror, &node));
}
