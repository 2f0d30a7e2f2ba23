//! `verify` finds what is broken in a published root, and mends it.

use crate::support::{Mirror, TestNode, Upstream, fixture_roots, root_of, tree_of_fixtures};
use guix_ipfs::ipfs::cid::CidVersion::V0;

on_both_nodes!(
    a_whole_mirror_is_verified_in_silence,
    each_broken_item_is_named_with_its_reason_and_mended,
    what_no_upstream_has_stays_broken_and_is_named,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";
const GTK: &str = "vd8dhrxfry0ccfs98jyrfq9mxfpbc8w5";
const HELLO_NAR: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";

fn a_whole_mirror_is_verified_in_silence(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("verify").exits(1).says("no key named");
    mirror.run("sync").silently();
    mirror.run("verify").silently();
    mirror.run("verify --deep").silently();
    let run = mirror.run("verify --json").exits(0);
    let sum: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((&sum["narinfos"], &sum["nars"]), (&8.into(), &22.into()));
}

/// Publishes a tree in which something is broken.
fn broken(node: &TestNode, key: &str, path: &str, content: Option<&[u8]>) {
    let mut tree = tree_of_fixtures(&[HELLO, EMPTY]);
    match content {
        Some(content) => tree.insert(path.to_owned(), content.to_vec()),
        None => tree.remove(path),
    };
    let root = node.store_tree(&tree, V0);
    node.publish(key, &root);
}

fn each_broken_item_is_named_with_its_reason_and_mended(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let narinfo = format!("{HELLO}.narinfo");
    let mut flipped = upstream.get(HELLO_NAR);
    flipped[30] ^= 1;
    let foreign = upstream.get(&format!("{EMPTY}.narinfo"));
    let cut = &flipped[..20];
    let cases: [(&str, Option<&[u8]>, bool, &str); 6] = [
        (&narinfo, Some(b"<html>"), false, "narinfo"),
        (
            &narinfo,
            Some(&foreign),
            false,
            "it describes /gnu/store/ifc",
        ),
        (HELLO_NAR, None, false, "it is not there"),
        (
            HELLO_NAR,
            Some(cut),
            false,
            "it has 20 bytes, but its FileSize is",
        ),
        (HELLO_NAR, Some(cut), true, "FileSize"),
        (HELLO_NAR, Some(&flipped), true, "rig-hello.txt: "),
    ];
    let whole = root_of(&tree_of_fixtures(&[HELLO, EMPTY]), V0);
    for (number, (path, content, deep, says)) in cases.into_iter().enumerate() {
        let key = format!("broken-{number}");
        broken(node, &key, path, content);
        let deep = if deep { "--deep" } else { "" };
        let verify = format!("verify {deep} --key {key}");
        mirror
            .run(&verify)
            .exits(3)
            .says(&format!("{HELLO}.narinfo: "))
            .says(says);
        mirror.run(&format!("{verify} --repair")).silently();
        let root = mirror.run(&format!("resolve --key {key}")).exits(0).out;
        assert_eq!(root, format!("/ipfs/{whole}\n"), "{path}");
        mirror.run(&format!("verify --deep --key {key}")).silently();
        node.published(&whole).judge();
    }
    // A nar of the same size with another content is for --deep to find.
    broken(node, "shallow", HELLO_NAR, Some(&flipped));
    mirror.run("verify --key shallow").silently();
}

fn what_no_upstream_has_stays_broken_and_is_named(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let mut tree = tree_of_fixtures(&[HELLO, GTK]);
    tree.remove(HELLO_NAR);
    let root = node.store_tree(&tree, V0);
    node.publish("lost", &root);
    upstream.remove(&format!("{HELLO}.narinfo"));
    mirror
        .run("verify --repair --key lost")
        .exits(3)
        .says("no upstream has it")
        .says("it is not there");
    let now = mirror.run("resolve --key lost").exits(0).out;
    assert_eq!(now, format!("/ipfs/{root}\n"));
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

/// A file of a local store loses its end, as in a power cut.
#[test]
fn a_damaged_block_is_found_and_mended() {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::at("", &upstream);
    let node = mirror.home().join("node");
    let mirror = mirror.with_api(&format!("embedded:{}", node.display()));
    mirror.run("sync").silently();
    let mut open = vec![node.join("blocks")];
    let mut damaged = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        // The large nars are nobody's directory.
        let content = std::fs::read(&path).unwrap();
        if content.len() > 50_000 {
            std::fs::write(&path, &content[..content.len() / 2]).unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0);
    mirror
        .run("verify --deep")
        .exits(3)
        .says("missing or damaged");
    mirror.run("verify --deep --repair").silently();
    mirror.run("verify --deep").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}
