//! `check`: a mirror through good, stale, unreachable and lying gateways.

use crate::support::{
    Item, Liar, Lie, Mirror, Network, Run, TestNode, Upstream, item, run, signal, tree_of,
};
use guix_ipfs::ipfs::cid::CidVersion;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

on_both_nodes!(
    a_good_mirror_is_found_good,
    gateways_that_are_away_are_told_apart,
    a_lying_gateway_is_found_out_by_the_nodes_own_blocks,
    figures_are_written_and_quiet_leaves_out_what_is_good,
    what_cannot_be_checked_is_said,
    a_signal_ends_it,
    a_large_mirror_is_looked_at_in_part,
);

on_kubo_alone!(
    nobody_needs_a_node_to_look_through_a_gateway,
    a_lying_gateway_is_found_out_without_a_node,
    a_gateway_with_an_old_root_is_stale,
    a_gateway_that_catches_up_is_waited_for,
    what_is_published_during_a_check_makes_nobody_stale,
    a_record_that_ends_is_stale,
    a_gateway_that_redirects_is_noted,
);

/// Small items, and one of several blocks.
fn items() -> Vec<Item> {
    let sizes = [100, 2000, 700_000];
    (0..)
        .zip(sizes)
        .map(|(number, size)| item(number, "x", size))
        .collect()
}

/// A mirror of these items.
fn mirror(node: &TestNode) -> (Mirror, Vec<Item>) {
    let upstream = Upstream::empty();
    let items = items();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
    mirror.run(&format!("add {}", hashes.join(" "))).exits(0);
    (mirror, items)
}

fn check(mirror: &Mirror, arguments: &str) -> Run {
    mirror.run(&format!("check --sample 9 --read-timeout 2 {arguments}"))
}

/// The check without a node, of a name.
fn check_alone(mirror: &Mirror, arguments: &str) -> Run {
    let nowhere = mirror.home().join("no-node");
    std::fs::create_dir_all(&nowhere).unwrap();
    std::fs::write(nowhere.join("api"), "/ip4/127.0.0.1/tcp/9").unwrap();
    let mut command = mirror.command(&format!("check --sample 9 {arguments}"));
    command
        .env_remove("GUIX_IPFS_API")
        .env("IPFS_PATH", nowhere);
    run(&mut command)
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

/// The verdicts on a kind of thing at a place.
fn verdicts(found: &Value, at: &str, kind: &str) -> Vec<String> {
    let findings = found["findings"].as_array().unwrap().iter();
    let there = findings.filter(|it| it["at"] == at && it["kind"] == kind);
    there
        .map(|it| it["verdict"].as_str().unwrap().to_owned())
        .collect()
}

fn a_good_mirror_is_found_good(node: &TestNode) {
    let (mirror, items) = mirror(node);
    let at = &node.gateway;
    let good = check(&mirror, &format!("--gateway {at}")).exits(0);
    assert!(good.err.is_empty(), "{good:?}");
    for line in good.out.lines() {
        let verdict = line.split(' ').next().unwrap();
        assert!(["good", "note", "mirror"].contains(&verdict), "{line}");
    }
    for item in &items {
        assert!(good.out.contains(&format!("{}.narinfo", item.hash)));
        assert!(good.out.contains(&format!("{}: begins", item.nar())));
    }
    let found = json(&check(&mirror, &format!("--gateway {at} --json")).exits(0));
    assert_eq!(found["root"], mirror.root());
    assert_eq!(found["narinfos"]["count"], items.len());
    assert!(found["bytes"].as_u64().unwrap() > 700_000);
    assert!(found["record"]["end"].as_str().unwrap().starts_with("20"));
    assert_eq!(verdicts(&found, at, "narinfo"), ["good"; 3]);
    assert_eq!(verdicts(&found, at, "nar"), ["good"; 3]);
    assert_eq!(verdicts(&found, at, "cache-info"), ["good"]);
    if node.is_kubo() {
        assert!(good.out.contains(", as published"), "{}", good.out);
        assert!(good.out.contains("begins and ends as in the root"));
        assert_eq!(verdicts(&found, at, "root"), ["good"]);
        if !node.is_old_kubo() {
            assert_eq!(verdicts(&found, at, "record"), ["good"]);
        }
    }
    // A root, a name and a key are the same mirror.
    let id = node.key_id("guix-ipfs").unwrap();
    let root = mirror.root();
    for target in [id.clone(), format!("/ipns/{id}"), format!("/ipfs/{root}")] {
        let found = check(&mirror, &format!("{target} --gateway {at} --json"));
        assert_eq!(json(&found.exits(0))["root"], root, "{target}");
    }
    let none = mirror
        .run(&format!("check --gateway {at} --sample 0 --json"))
        .exits(0);
    assert!(verdicts(&json(&none), at, "narinfo").is_empty());
}

fn nobody_needs_a_node_to_look_through_a_gateway(node: &TestNode) {
    let (mirror, _) = mirror(node);
    let at = &node.gateway;
    let id = node.key_id("guix-ipfs").unwrap();
    let good = check_alone(&mirror, &format!("{id} --gateway {at}")).exits(0);
    assert!(
        good.out.contains("begins and ends as in the root"),
        "{good:?}"
    );
    assert!(!good.out.contains(" node: "), "{good:?}");
    let found = json(&check_alone(&mirror, &format!("{id} --gateway {at} --json")).exits(0));
    assert_eq!(found["root"], mirror.root());
    assert_eq!(verdicts(&found, at, "nar"), ["good"; 3]);
    let root = mirror.root();
    check_alone(&mirror, &format!("/ipfs/{root} --gateway {at}")).exits(0);
    // What only a node can tell.
    check_alone(&mirror, &id).exits(75).says("127.0.0.1:9");
    check_alone(&mirror, &format!("--gateway {at}")).exits(75);
    check_alone(&mirror, &format!("a-key --gateway {at}"))
        .exits(2)
        .says("a-key");
    // A node that was named must be there.
    let mut named = mirror.command(&format!("check {id} --gateway {at}"));
    named.env("GUIX_IPFS_API", "http://127.0.0.1:9");
    run(&mut named).exits(75);
}

fn gateways_that_are_away_are_told_apart(node: &TestNode) {
    let (mirror, _) = mirror(node);
    let refused = {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        format!("http://{}", port.local_addr().unwrap())
    };
    let silent = Liar::silent().url;
    let busy = Liar::new(&node.gateway, |mut lie: Lie| {
        lie.answer(504, "Gateway Timeout: no providers found");
    });
    let without_nars = Liar::new(&node.gateway, |mut lie: Lie| {
        if lie.asked.contains("/nar/") {
            lie.answer(504, "Gateway Timeout: no providers found");
        }
    });
    let all = format!(
        "{refused} {silent} {} {} {}",
        busy.url, without_nars.url, node.gateway
    );
    let mut command = mirror.command("check --json --read-timeout 1 --low-speed-time 1");
    let found = run(command.env("GUIX_IPFS_GATEWAYS", all)).exits(3);
    let found = json(&found);
    for away in [&refused, &silent, &busy.url] {
        assert_eq!(verdicts(&found, away, "root"), ["unreachable"], "{found:#}");
        assert!(verdicts(&found, away, "narinfo").is_empty());
    }
    assert_eq!(verdicts(&found, &without_nars.url, "narinfo"), ["good"; 3]);
    assert_eq!(
        verdicts(&found, &without_nars.url, "nar"),
        ["unreachable"; 3]
    );
    assert_eq!(verdicts(&found, &node.gateway, "nar"), ["good"; 3]);
    let text = found.to_string();
    assert!(text.contains("status 504 (Gateway Timeout: no providers found)"));
}

/// Changes the last byte.
fn spoil(bytes: &mut [u8]) {
    if let Some(byte) = bytes.last_mut() {
        *byte ^= 1;
    }
}

fn a_lying_gateway_is_found_out_by_the_nodes_own_blocks(node: &TestNode) {
    let (mirror, _) = mirror(node);
    type Told = fn(Lie);
    let lies: [(&str, &str, Told); 3] = [
        (".narinfo", "narinfo", |lie| spoil(lie.body)),
        ("/nar/", "nar", |lie| lie.body[0] ^= 1),
        ("/nix-cache-info", "cache-info", |lie| spoil(lie.body)),
    ];
    for (path, kind, lie) in lies {
        let liar = Liar::new(&node.gateway, move |told| {
            if told.asked.contains(path) {
                lie(told);
            }
        });
        let found = check(&mirror, &format!("--gateway {} --json", liar.url)).exits(3);
        let found = json(&found);
        let wrong = verdicts(&found, &liar.url, kind);
        assert!(wrong.contains(&"wrong".to_owned()), "{kind}: {found:#}");
    }
}

fn a_lying_gateway_is_found_out_without_a_node(node: &TestNode) {
    let (mirror, items) = mirror(node);
    let id = node.key_id("guix-ipfs").unwrap();
    let other = node.add(b"another").to_string();
    // The item of several blocks.
    let nar = items[2].nar();
    let is_nar = move |asked: &str| asked.ends_with(&nar);
    let is_last_part = |lie: &Lie| !lie.head.iter().any(|it| it.contains("bytes 0-"));
    type Told = Box<dyn Fn(Lie) + Send + Sync>;
    let lies: Vec<(&str, Told)> = vec![
        (
            "narinfo",
            Box::new(|lie| {
                if lie.asked.ends_with(".narinfo") {
                    spoil(lie.body);
                }
            }),
        ),
        (
            "narinfo",
            Box::new(|mut lie| {
                if lie.asked.ends_with(".narinfo") {
                    let half = lie.body.len() / 2;
                    lie.body.truncate(half);
                    lie.set("Content-Type", "text/plain");
                }
            }),
        ),
        (
            "blocks",
            Box::new(|lie| {
                if lie.asked.contains("format=raw") {
                    spoil(lie.body);
                }
            }),
        ),
        (
            "nar",
            Box::new(move |lie| {
                if is_nar(lie.asked) && is_last_part(&lie) {
                    spoil(lie.body);
                }
            }),
        ),
        (
            "nar",
            Box::new(|lie| {
                if lie.asked.contains("/nar/") {
                    lie.body[0] ^= 1;
                }
            }),
        ),
        (
            "nar",
            Box::new(|lie| {
                // An end that is another part of the nar.
                if lie.asked.contains("/nar/") {
                    let shorter = lie.body.len() - 1;
                    lie.body.truncate(shorter);
                }
            }),
        ),
        (
            "root",
            Box::new(move |mut lie| lie.set("X-Ipfs-Roots", &other)),
        ),
        (
            "record",
            Box::new(|lie| {
                if lie.asked.contains("ipns-record") {
                    spoil(lie.body);
                }
            }),
        ),
    ];
    let mut believed = Vec::new();
    for (number, (kind, lie)) in lies.into_iter().enumerate() {
        if node.is_old_kubo() && kind == "record" {
            continue;
        }
        let liar = Liar::new(&node.gateway, lie);
        let found = check_alone(&mirror, &format!("{id} --gateway {} --json", liar.url));
        let found = json(&found);
        // A root that is not the newest may be one of before.
        let verdict = if kind == "root" { "stale" } else { "wrong" };
        if !verdicts(&found, &liar.url, kind).contains(&verdict.to_owned()) {
            believed.push((number, found));
        }
    }
    assert!(believed.is_empty(), "{believed:#?}");
}

/// A gateway that stays at a root, with the record of a name as it was then.
fn frozen(node: &TestNode, name: &str, root: &str) -> Liar {
    let record = node.get(&format!("/ipns/{name}?format=ipns-record"));
    let (name, root) = (name.to_owned(), root.to_owned());
    Liar::elsewhere(
        &node.gateway,
        move |path| match path.contains("ipns-record") {
            true => format!("/ipfs/{root}/nix-cache-info"),
            false => path.replace(&format!("/ipns/{name}"), &format!("/ipfs/{root}")),
        },
        move |mut lie| {
            if lie.asked.contains("ipns-record") {
                lie.answer(200, "");
                lie.set("Content-Type", "application/vnd.ipfs.ipns-record");
                *lie.body = record.body.clone();
            }
        },
    )
}

fn a_gateway_with_an_old_root_is_stale(node: &TestNode) {
    let (mirror, items) = mirror(node);
    let id = node.key_id("guix-ipfs").unwrap();
    let old = mirror.root();
    let stale = frozen(node, &id, &old).url;
    let gateways = format!("--gateway {stale} --gateway {}", node.gateway);
    check(&mirror, &gateways).exits(0);
    mirror.run(&format!("remove {}", items[0].hash)).exits(0);
    let found = json(&check(&mirror, &format!("{gateways} --json")).exits(3));
    assert_eq!(found["root"], mirror.root());
    assert_eq!(verdicts(&found, &stale, "root"), ["stale"], "{found:#}");
    assert_eq!(verdicts(&found, &stale, "record"), ["stale"]);
    // It is consistent with itself.
    assert_eq!(verdicts(&found, &stale, "narinfo"), ["good"; 3]);
    assert_eq!(verdicts(&found, &node.gateway, "root"), ["good"]);
    // The record tells without a node, too.
    let found = check_alone(&mirror, &format!("{id} {gateways} --json")).exits(3);
    let found = json(&found);
    assert_eq!(found["root"], mirror.root());
    assert_eq!(verdicts(&found, &stale, "root"), ["stale"], "{found:#}");
}

fn a_gateway_that_catches_up_is_waited_for(node: &TestNode) {
    let (mirror, items) = mirror(node);
    let id = node.key_id("guix-ipfs").unwrap();
    let old = mirror.root();
    mirror.run(&format!("remove {}", items[0].hash)).exits(0);
    let asked = Arc::new(AtomicUsize::new(0));
    let late = Liar::elsewhere(
        &node.gateway,
        move |path| match path.ends_with("nix-cache-info") {
            true if asked.fetch_add(1, Ordering::SeqCst) < 2 => {
                format!("/ipfs/{old}/nix-cache-info")
            }
            _ => path.to_owned(),
        },
        |_| (),
    );
    let gateway = format!("{id} --gateway {}", late.url);
    let behind = check(&mirror, &gateway).exits(3);
    assert!(behind.out.contains("caches its answer for"), "{behind:?}");
    let waited = check(&mirror, &format!("{gateway} --wait 20s")).exits(0);
    assert!(waited.out.contains(", as published"), "{waited:?}");
}

fn what_is_published_during_a_check_makes_nobody_stale(node: &TestNode) {
    let (mirror, items) = mirror(node);
    let id = node.key_id("guix-ipfs").unwrap();
    let at = Arc::new(Mutex::new(mirror.root()));
    let remove = |item: &Item| mirror.run(&format!("remove {}", item.hash)).exits(0);
    remove(&items[0]);
    let first = mirror.root();
    let asked = Arc::new(AtomicUsize::new(0));
    let (counted, stands) = (Arc::clone(&asked), Arc::clone(&at));
    let (name, told) = (id.clone(), node.gateway.clone());
    let slow = Liar::elsewhere(
        &told,
        move |path| {
            counted.fetch_add(
                usize::from(path.ends_with("nix-cache-info")),
                Ordering::SeqCst,
            );
            let root = format!("/ipfs/{}/", stands.lock().unwrap());
            path.replace(&format!("/ipns/{name}/"), &root)
        },
        |_| (),
    );
    let mut command = mirror.command(&format!("check {id} --gateway {} --wait 20s", slow.url));
    let checking = command.stdout(Stdio::piped()).spawn().unwrap();
    while asked.load(Ordering::SeqCst) < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    // It comes to the root of the beginning, and another is published by then.
    remove(&items[1]);
    *at.lock().unwrap() = first;
    let ended = checking.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
}

fn a_record_that_ends_is_stale(node: &TestNode) {
    let (mirror, _) = mirror(node);
    let root = mirror.root();
    let publish = |key: &str, lifetime: &str| {
        let name = node.create_key(key);
        let options = "resolve=false&allow-offline=true&ttl=1s";
        node.json(&format!(
            "name/publish?arg=/ipfs/{root}&key={key}&{options}&lifetime={lifetime}"
        ));
        name
    };
    let soon = publish("soon", "90m");
    let soon = check(&mirror, &soon).exits(3);
    assert!(soon.out.contains("ends in 89 minutes"), "{soon:?}");
    let id = publish("ended", "2s");
    let ended = frozen(node, &id, &root).url;
    while node.get(&format!("/ipns/{id}/nix-cache-info")).status == 200 {
        std::thread::sleep(Duration::from_millis(100));
    }
    let found = check_alone(&mirror, &format!("{id} --gateway {ended}")).exits(3);
    let line = format!("stale       {ended}: record: sequence");
    let line = found.out.lines().find(|it| it.starts_with(&line));
    assert!(line.is_some_and(|it| it.contains("ended 20")), "{found:?}");
    // The node finds nothing under the name.
    let found = json(&check(&mirror, &format!("{id} --json")).exits(3));
    assert_eq!(
        verdicts(&found, "node", "root"),
        ["unreachable"],
        "{found:#}"
    );
}

fn a_gateway_that_redirects_is_noted(node: &TestNode) {
    let (mirror, _) = mirror(node);
    let true_one = node.gateway.clone();
    let liar = Liar::new(&node.gateway, move |mut lie| {
        let target = format!("{true_one}{}", lie.asked);
        lie.answer(302, "elsewhere");
        lie.set("Location", &target);
    });
    let id = node.key_id("guix-ipfs").unwrap();
    let found = check_alone(&mirror, &format!("{id} --gateway {}", liar.url)).exits(0);
    let note = format!(
        "redirects to {}/ipns/{id}, and guix follows no redirects",
        node.gateway
    );
    assert!(found.out.contains(&note), "{found:?}");
}

fn figures_are_written_and_quiet_leaves_out_what_is_good(node: &TestNode) {
    let (mirror, _) = mirror(node);
    let file = mirror.home().join("check.prom");
    let metrics = format!("--metrics {}", file.display());
    let at = &node.gateway;
    let good = check(&mirror, &format!("-q --gateway {at} {metrics}"));
    good.silently();
    let text = std::fs::read_to_string(&file).unwrap();
    let labels = format!("mirror=\"guix-ipfs\",at=\"{at}\"");
    for line in [
        "guix_ipfs_check_exit_code{mirror=\"guix-ipfs\"} 0".to_owned(),
        "guix_ipfs_check_narinfos{mirror=\"guix-ipfs\"} 3".to_owned(),
        format!("guix_ipfs_check_first_byte_seconds{{{labels},kind=\"narinfo\"}} "),
        format!("guix_ipfs_check_findings{{{labels},verdict=\"good\"}} "),
        "guix_ipfs_check_record_end_timestamp_seconds{mirror=\"guix-ipfs\"} ".to_owned(),
    ] {
        assert!(text.contains(&line), "no {line} in {text}");
    }
    let liar = Liar::new(at, |lie: Lie| {
        if lie.asked.ends_with(".narinfo") {
            spoil(lie.body);
        }
    });
    let bad = check(&mirror, &format!("-q --gateway {} {metrics}", liar.url)).exits(3);
    assert_eq!(bad.out.lines().count(), 3, "{bad:?}");
    assert!(bad.out.lines().all(|line| line.starts_with("wrong ")));
    let text = std::fs::read_to_string(&file).unwrap();
    let count = format!("at=\"{}\",verdict=\"wrong\"}} 3", liar.url);
    assert!(text.contains(&count), "{text}");
    // A check that cannot be done leaves its exit code.
    let mut away = mirror.command(&format!("check {metrics}"));
    run(away.env("GUIX_IPFS_API", "http://127.0.0.1:9")).exits(75);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("guix_ipfs_check_exit_code{mirror=\"guix-ipfs\"} 75\n"));
    assert!(!text.contains("guix_ipfs_check_findings"), "{text}");
    let nowhere = mirror.home().join("no-folder/file");
    let warned = check(
        &mirror,
        &format!("--gateway {at} --metrics {}", nowhere.display()),
    );
    warned.exits(0).says("cannot write");
}

fn what_cannot_be_checked_is_said(node: &TestNode) {
    let (mirror, _) = mirror(node);
    if !node.is_kubo() {
        let run = check(&mirror, "").exits(1);
        run.says("no gateway").says("--gateway");
    }
    check(&mirror, "no-name").exits(2).says("no-name");
    check(&mirror, "--key other").exits(1).says("other");
    for bad in ["ftp://x", "http://x/ipns/name", "http://x/?a"] {
        check(&mirror, &format!("--gateway {bad}")).exits(2);
    }
    // A name that nobody published.
    let name = node.create_key("silent");
    let found = check(
        &mirror,
        &format!("{name} --gateway {} --json", node.gateway),
    )
    .exits(3);
    let found = json(&found);
    assert_eq!(found["root"], Value::Null);
    assert_eq!(verdicts(&found, &node.gateway, "root"), ["unreachable"]);
    // A website.
    let site = node.store_tree(
        &[("index.html".to_owned(), b"<h1>".to_vec())].into(),
        CidVersion::V0,
    );
    let found = check(&mirror, &format!("/ipfs/{site} --gateway {}", node.gateway));
    found.exits(3);
}

fn a_signal_ends_it(node: &TestNode) {
    let (mirror, _) = mirror(node);
    let silent = Liar::silent().url;
    let mut command = mirror.command(&format!("check --gateway {silent}"));
    let mut checking = command.stdout(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    // A shell lets what runs in the background ignore SIGINT.
    signal(&checking, "-TERM");
    let ended = checking.wait().unwrap();
    assert!(!ended.success(), "{ended:?}");
    assert!(!matches!(ended.code(), Some(0 | 1 | 3)), "{ended:?}");
}

/// Its root is sharded, so that a part of it is read.
fn a_large_mirror_is_looked_at_in_part(node: &TestNode) {
    let items: Vec<Item> = (0..4000).map(|number| item(number, "x", 10)).collect();
    let root = node.store_tree(&tree_of(&items), CidVersion::V0);
    let mirror = Mirror::new(node, &Upstream::empty());
    let target = format!("/ipfs/{root} --gateway {}", node.gateway);
    let run = mirror.run(&format!("check {target} --sample 20 --json"));
    let found = json(&run.exits(0));
    let at = &node.gateway;
    assert_eq!(verdicts(&found, at, "narinfo").len(), 20);
    assert_eq!(found["narinfos"]["exact"], false);
    let count = found["narinfos"]["count"].as_u64().unwrap();
    assert!((2500..6000).contains(&count), "{count}");
    // Others the next time.
    let names = |found: &Value| {
        let findings = found["findings"].as_array().unwrap().iter();
        let files = findings.filter_map(|it| it["file"].as_str());
        files.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let again = json(&mirror.run(&format!("check {target} --sample 20 --json")));
    assert_ne!(names(&again), names(&found));
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_network_tells_who_has_the_mirror() {
    let mut network = Network::start(2);
    let upstream = Upstream::empty();
    let items = items();
    upstream.add_items(&items);
    let publisher = Mirror::new(&network[0], &upstream).online();
    let hash = &items[0].hash;
    publisher.run(&format!("add {hash}")).exits(0);
    let id = network[0].key_id("guix-ipfs").unwrap();
    let found = json(&publisher.run("check --json").exits(0));
    assert_eq!(found["swarm"]["peers"], 1, "{found:#}");
    assert_eq!(found["swarm"]["root_providers"], 0);

    let user = Mirror::new(&network[1], &upstream).online();
    let seen = user.run(&format!("check {id} --read-timeout 20")).exits(0);
    assert!(
        seen.out.contains("the root is announced by 1 other node"),
        "{seen:?}"
    );
    assert!(seen.out.contains("node: peers: 1 peer"), "{seen:?}");

    // The user's gateway keeps what it looked up, the node does not.
    publisher.run(&format!("add {}", items[1].hash)).exits(0);
    let found = json(&user.run(&format!("check {id} --json")).exits(3));
    assert_eq!(found["root"], publisher.root());
    let at = &network[1].gateway;
    assert_eq!(verdicts(&found, at, "root"), ["stale"], "{found:#}");
    assert_eq!(verdicts(&found, at, "narinfo"), ["good"]);

    // What was read is here now, and nobody else has it.
    network.stop(0);
    let alone = user
        .run(&format!("check {id} --json --read-timeout 3"))
        .exits(3);
    let found = json(&alone);
    assert_eq!(
        verdicts(&found, "node", "peers"),
        ["unreachable"],
        "{found:#}"
    );
}
