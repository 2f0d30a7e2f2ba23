//! The output of a run, its silence, and the lines of `resolve --long`.

use crate::support::{Mirror, Nothing, TestNode, Upstream, fixture_roots};
use guix_ipfs::guix::base32;
use guix_ipfs::ipfs::cid::CidVersion;
use guix_ipfs::ipfs::directory::{Changes, Entry, patch};
use sha2::{Digest, Sha256};

on_both_nodes!(
    verbose_says_a_line_an_item_and_a_sum,
    the_sum_is_of_the_run,
    a_run_that_stops_says_so_in_its_sum,
    resolve_long_says_all_there_is_to_know,
    the_entries_of_a_large_directory_are_estimated,
);

fn verbose_says_a_line_an_item_and_a_sum(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let run = mirror.run("sync -v").exits(0);
    assert!(run.out.is_empty(), "{run:?}");
    let mut items: Vec<&str> = run
        .err
        .lines()
        .filter(|line| line.starts_with("/gnu/store/") && !line.contains(": "))
        .collect();
    items.sort_unstable();
    assert_eq!(items, mirror.list(), "{run:?}");
    let sum = run.err.lines().last().unwrap();
    assert!(sum.starts_with("mirrored 8 items, "), "{run:?}");
    assert!(sum.ends_with(&fixture_roots(0)[2]), "{run:?}");
    // No terminal, so nothing that moves and no colour.
    assert!(!run.err.contains(['\r', '\x1b']), "{run:?}");
    let again = mirror.run("sync -v").exits(0);
    let sum = again.err.lines().last().unwrap();
    assert!(sum.starts_with("nothing new; "), "{again:?}");
    mirror.run("sync").silently();
}

fn the_sum_is_of_the_run(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let run = Mirror::new(node, &upstream).run("sync --json").exits(0);
    let sum: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(sum["root"], fixture_roots(0)[2]);
    assert_eq!(sum["added"].as_array().unwrap().len(), 8, "{sum}");
    assert!(sum["seconds"].as_f64().unwrap() > 0.0, "{sum}");
}

fn a_run_that_stops_says_so_in_its_sum(node: &TestNode) {
    let mirror = Mirror::new(node, &Upstream::empty());
    let run = mirror
        .run("sync --json --upstream http://127.0.0.1:1")
        .exits(75);
    let sum: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(sum["exit"], 75);
    assert!(
        sum["error"].as_str().unwrap().contains("cannot reach"),
        "{sum}"
    );
    assert!(sum["try"].as_str().unwrap().contains("--upstream"), "{sum}");
}

fn resolve_long_says_all_there_is_to_know(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let long = mirror.run("resolve --long").exits(0).out;
    let row = |label: &str| {
        let line = long.lines().find(|line| line.starts_with(label));
        line.unwrap_or_else(|| panic!("no {label} in {long}"))[10..].to_owned()
    };
    assert!(row("name").starts_with("/ipns/k51"), "{long}");
    assert!(long.contains("\n          /ipns/12D3Koo"), "{long}");
    assert_eq!(row("narinfos"), "8");
    assert_eq!(row("nars"), "7 gzip, 7 lzip, 7 zstd, 1 uncompressed");
    let agent = &node.node().description().agent;
    assert!(row("node").starts_with(agent), "{long}");
    let name = row("name");
    let usage = match node.is_kubo() {
        true => format!(
            "--substitute-urls=\"{}{name} https://bordeaux.guix.gnu.org https://ci.guix.gnu.org\"",
            node.gateway
        ),
        false => "`guix-ipfs node` serves it".to_owned(),
    };
    assert_eq!(row("use"), usage);
    // The other spelling names the same.
    let peer = long
        .lines()
        .find_map(|line| line.trim().strip_prefix("/ipns/12D3"));
    let other = mirror.run(&format!("resolve --long 12D3{}", peer.unwrap()));
    assert_eq!(other.exits(0).out, long);
    let json = mirror.run("resolve --long --json").exits(0).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["nars"]["zstd"]["count"], 7, "{json}");
    let size = json["bytes"].as_u64().unwrap();
    assert!(size > 1_900_000 && size < 2_500_000, "{json}");
}

fn the_entries_of_a_large_directory_are_estimated(node: &TestNode) {
    const ENTRIES: u64 = 30_000;
    let target = Entry {
        cid: node.add(b"a narinfo"),
        size: 10,
    };
    let name = |i: u64| base32::encode(&Sha256::digest(i.to_le_bytes())[..20]);
    let changes: Changes = (0..ENTRIES)
        .map(|i| (format!("{}.narinfo", name(i)), Some(target)))
        .collect();
    let mut blocks = Vec::new();
    let mut put = |cid, block: Vec<u8>| {
        blocks.push((cid, block));
        Ok(())
    };
    let root = patch(&Nothing, None, changes, CidVersion::V0, &mut put).unwrap();
    node.store(blocks);
    let mirror = Mirror::new(node, &Upstream::empty());
    let json = mirror.run(&format!("resolve --long --json /ipfs/{}", root.cid));
    let json: serde_json::Value = serde_json::from_str(&json.exits(0).out).unwrap();
    assert_eq!(json["narinfos"]["exact"], false, "{json}");
    let count = json["narinfos"]["count"].as_u64().unwrap();
    assert!(count.abs_diff(ENTRIES) < ENTRIES / 20, "{json}");
}
