//! A mirror that is followed over a network: a publisher, a follower and a user, who know
//! each other only.

use crate::support::{Files, Item, Mirror, Network, TestNode, Upstream, item, tree_of};
use guix_ipfs::ipfs::cid::CidVersion;
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};

const KEY: &str = "guix-ipfs";

/// A publisher, a follower and a user.
struct Setting {
    network: Network,
    upstream: Upstream,
    publisher: Mirror,
    follower: Mirror,
}

impl Setting {
    fn new() -> Self {
        let network = Network::start(3);
        let upstream = Upstream::empty();
        Self {
            publisher: Mirror::new(&network[0], &upstream).online(),
            follower: Mirror::new(&network[1], &upstream).online(),
            network,
            upstream,
        }
    }

    /// Mirrors these items, and returns the name.
    fn publish(&self, items: &[Item], options: &str) -> String {
        self.upstream.add_items(items);
        let list = self.publisher.home().join("list");
        let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
        std::fs::write(&list, hashes.join("\n")).unwrap();
        let sync = format!("sync --from {} {options}", list.display());
        self.publisher.run(&sync).silently();
        self.network[0].key_id(KEY).unwrap()
    }

    /// Follows the name, and returns the result.
    fn follow(&self, name: &str) -> Value {
        let follow = format!("follow --unsigned --json {name}");
        let run = self.follower.run(&follow).exits(0);
        let summary: Value = serde_json::from_str(&run.out).unwrap();
        summary["names"][0].clone()
    }

    /// Bytes that the follower has received.
    fn received(&self) -> u64 {
        let stat = self.network[1].json("bitswap/stat");
        stat["DataReceived"].as_u64().unwrap()
    }
}

/// Fails the test unless a node that has nothing can read all of a root from others.
fn reads_all(user: &TestNode, root: &str) {
    let fetch = |cid: &str| {
        let answer = user.rpc(&format!("block/get?arg={cid}&timeout=20s"));
        (answer.status == 200).then_some(answer.body)
    };
    user.published_through(&fetch, root).judge();
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn each_of_twenty_changes_moves_little_more_than_what_is_new() {
    let mut setting = Setting::new();
    let all: Vec<Item> = (0..660).map(|number| item(number, "x", 20_000)).collect();
    let name = setting.publish(&all[..600], "");
    let first = setting.follow(&name);
    let begun = setting.received();
    println!(
        "600 items: {} bytes of files, {begun} moved",
        first["bytes_new"]
    );
    let (mut moved, mut new) = (0, 0);
    for change in 0..20 {
        let before = setting.received();
        setting.publish(&all[600 + 3 * change..603 + 3 * change], "");
        let summary = setting.follow(&name);
        assert_eq!(summary["new"], 3);
        let bytes = summary["bytes_new"].as_u64().unwrap();
        let received = setting.received() - before;
        println!("change {change}: {bytes} bytes of files, {received} moved");
        new += bytes;
        moved += received;
    }
    println!("20 changes: {new} bytes of files, {moved} moved");
    // The root and nar/gzip are one block each.
    assert!(moved < new + 20 * 3 * 70_000, "{moved} for {new}");
    // Without its publisher, it is there under its name.
    setting.network.stop(0);
    let user = &setting.network[2];
    let last = &all[659];
    for (path, content) in &last.files {
        let got = user.get(&format!("/ipns/{name}/{path}"));
        assert!(got.status == 200 && got.body == *content, "{}", got.status);
    }
    let root = setting.follower.run("follow --list").exits(0).out;
    let (_, root) = root.trim().split_once(" /ipfs/").unwrap();
    reads_all(user, root);
    assert_eq!(user.published(root).hashes().len(), 660);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_record_that_ends_leaves_what_is_held() {
    let mut setting = Setting::new();
    let all: Vec<Item> = (0..5).map(|number| item(number, "x", 9000)).collect();
    let name = setting.publish(&all, "--record-lifetime 12s");
    let published = Instant::now();
    let root = setting.follow(&name)["root"].as_str().unwrap().to_owned();
    setting.network.stop(0);
    let user = &setting.network[2];
    let narinfo = format!("{}.narinfo", all[0].hash);
    let by_name = || user.get(&format!("/ipns/{name}/{narinfo}"));
    assert_eq!(by_name().status, 200);
    setting.follower.run("follow --unsigned").silently();
    let rest = Duration::from_secs(14).saturating_sub(published.elapsed());
    std::thread::sleep(rest);
    // The name is gone, and the root is not.
    let asked = Instant::now();
    let status = by_name().status;
    println!(
        "after the record: HTTP {status} after {:?}",
        asked.elapsed()
    );
    assert_ne!(status, 200);
    for (path, content) in &all[3].files {
        let got = user.get(&format!("/ipfs/{root}/{path}"));
        assert!(got.status == 200 && got.body == *content, "{}", got.status);
    }
    reads_all(user, &root);
    let run = setting.follower.run("follow --unsigned").exits(75);
    run.says("does not resolve now")
        .says(&format!("; /ipfs/{root} is kept"));
    let run = setting.follower.run("follow --list").exits(0);
    assert_eq!(run.out, format!("{name} /ipfs/{root}\n"));
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn killed_at_random_a_follower_continues() {
    let setting = Setting::new();
    let all: Vec<Item> = (0..16).map(|number| item(number, "x", 3 << 20)).collect();
    let name = setting.publish(&all[..1], "");
    setting.follow(&name);
    let before = setting.received();
    setting.publish(&all[1..], "");
    let mut chance = 29u64;
    for _ in 0..25 {
        // Knuth's MMIX generator: the moments are the same in every run.
        chance = chance
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let moment = Duration::from_millis((chance >> 33) % 500);
        let mut follow = setting.follower.command("follow --unsigned");
        let mut running = follow.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        let _ = running.kill();
        running.wait().unwrap();
        let pins = setting.network[1].pins_named("guix-ipfs/follow/");
        assert!((1..=2).contains(&pins.len()), "{pins:?}");
        let listed = setting.follower.run("follow --list").exits(0).out;
        let (_, root) = listed.trim().split_once(" /ipfs/").unwrap();
        setting.network[1].published(root).judge();
    }
    let root = setting.follow(&name)["root"].as_str().unwrap().to_owned();
    let pins = setting.network[1].pins_named("guix-ipfs/follow/");
    assert_eq!(pins.len(), 1);
    setting.network[1].collect_garbage();
    let published = setting.network[1].published(&root);
    published.judge();
    assert_eq!(published.hashes().len(), 16);
    let moved = setting.received() - before;
    println!("15 items of 3 MiB: {moved} bytes moved");
    // At each kill up to 64 blocks of 256 KiB are on the way, and may come twice.
    assert!(moved < (15 * 3 + 25 * 16) << 20, "{moved}");
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_forged_root_is_not_fetched() {
    let setting = Setting::new();
    let all: Vec<Item> = (0..4).map(|number| item(number, "x", 9000)).collect();
    let name = setting.publish(&all, "");
    let good = setting.follow(&name)["root"].as_str().unwrap().to_owned();
    let before = setting.received();
    let mut with_a_film = tree_of(&all);
    let film = |byte: u8| -> Vec<u8> {
        let blocks = (0..40u32 << 10).flat_map(|block| block.to_be_bytes().repeat(128));
        blocks.map(|it| it ^ byte).collect()
    };
    with_a_film.insert("film.mkv".to_owned(), film(0));
    let mut in_a_nar = tree_of(&all);
    in_a_nar.insert(all[0].nar(), film(1));
    let mut website = Files::new();
    website.insert("index.html".to_owned(), film(2));
    let mut without_nars = tree_of(&all);
    without_nars.retain(|path, _| !path.starts_with("nar/"));
    for forged in [with_a_film, in_a_nar, website, without_nars] {
        let root = setting.network[0].store_tree(&forged, CidVersion::V0);
        setting.network[0].publish(KEY, &root);
        let follow = format!("follow --unsigned {name}");
        let run = setting.follower.run(&follow).exits(1);
        run.says(&format!("/ipfs/{root} of /ipns/{name} is rejected"))
            .says(&format!("; /ipfs/{good} is kept"));
    }
    let moved = setting.received() - before;
    println!("four forged roots: {moved} bytes moved");
    assert!(moved < 1 << 20, "{moved}");
    setting.network[1].published(&good).judge();
}
