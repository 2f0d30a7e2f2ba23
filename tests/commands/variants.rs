//! Mirroring some of the compressions, where an item has them.

use crate::support::{Mirror, TestNode, Upstream, fixture, root_of, tree_of_fixtures};
use guix_ipfs::ipfs::cid::CidVersion;

on_both_nodes!(
    only_the_wanted_variants_are_published,
    what_is_repaired_has_only_the_wanted_variants_too,
    an_item_without_a_wanted_variant_comes_as_it_is,
    a_preference_loses_no_item_of_the_list,
    a_narinfo_whose_variants_cannot_be_dropped_comes_whole,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
/// Not worth compressing: its narinfo lists `none` alone.
const SOURCE: &str = "hz8xc542z4ycr7z1b9b81g2aqh455gsk";

fn only_the_wanted_variants_are_published(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let own = format!("--trusted-keys {}", fixture("signing-key.pub").display());
    let wanted = "--compression zstd --compression lzip --compression none";
    for (number, graft) in ["add-link", "car"].into_iter().enumerate() {
        upstream.asked();
        let key = format!("--key variants-{number}");
        mirror
            .run(&format!("sync {key} {wanted} {own} --graft {graft}"))
            .silently();
        assert!(
            !upstream
                .asked()
                .iter()
                .any(|path| path.starts_with("nar/gzip"))
        );
        let root = mirror.run(&format!("resolve {key}")).exits(0).out;
        let root = root.trim();
        let listed = mirror.run(&format!("resolve --list {key}")).exits(0).out;
        assert_eq!(listed.lines().count(), 8);
        for path in listed.lines() {
            let name = format!("{}.narinfo", &path["/gnu/store/".len()..][..32]);
            let narinfo = node.get(&format!("{root}/{name}")).text();
            let upstreams = String::from_utf8(upstream.get(&name)).unwrap();
            assert_eq!(narinfo, without_gzip(&upstreams));
            for url in narinfo
                .lines()
                .filter_map(|line| line.strip_prefix("URL: "))
            {
                assert_eq!(node.get(&format!("{root}/{url}")).status, 200, "{url}");
            }
        }
        assert_eq!(node.get(&format!("{root}/nar/gzip")).status, 404);
    }
}

fn what_is_repaired_has_only_the_wanted_variants_too(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let mut tree = tree_of_fixtures(&[HELLO]);
    tree.retain(|path, _| !path.starts_with("nar/gzip/"));
    let narinfo = tree.get_mut(&format!("{HELLO}.narinfo")).unwrap();
    let all = String::from_utf8(narinfo.clone()).unwrap();
    *narinfo = without_gzip(&all).into_bytes();
    let whole = root_of(&tree, CidVersion::V0);
    tree.retain(|path, _| !path.starts_with("nar/zstd/"));
    let broken = node.store_tree(&tree, CidVersion::V0);
    node.publish("guix-ipfs", &broken);
    mirror.run("verify").exits(3).says("it is not there");
    mirror
        .run("verify --repair --compression zstd --compression lzip")
        .silently();
    assert_eq!(mirror.root(), whole);
}

/// Today's order: URL, Compression and FileSize, one after another.
fn without_gzip(narinfo: &str) -> String {
    let mut kept = String::new();
    let mut lines = narinfo.split_inclusive('\n');
    while let Some(line) = lines.next() {
        match line.starts_with("URL: nar/gzip/") {
            true => assert!(lines.by_ref().nth(1).unwrap().starts_with("FileSize: ")),
            false => kept.push_str(line),
        }
    }
    kept
}

fn an_item_without_a_wanted_variant_comes_as_it_is(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("add {SOURCE} {HELLO} --compression zstd"))
        .silently();
    assert_eq!(mirror.list().len(), 2);
    let root = mirror.root();
    node.published(&root).judge();
    for (name, compressions) in [
        (format!("{SOURCE}.narinfo"), vec!["none"]),
        (format!("{HELLO}.narinfo"), vec!["zstd"]),
    ] {
        let narinfo = node.get(&format!("/ipfs/{root}/{name}")).text();
        assert_eq!(listed(&narinfo), compressions, "{narinfo}");
    }
    // Nothing of what is there already is asked for again.
    upstream.asked();
    mirror
        .run(&format!("add {SOURCE} {HELLO} --compression lzip"))
        .silently();
    assert!(!upstream.asked().iter().any(|path| path.contains("nar/")));
    let run = mirror.run("sync --compression xz");
    run.exits(2).says("gzip, lzip, zstd, none");
}

fn a_preference_loses_no_item_of_the_list(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    for (number, wanted) in ["zstd", "lzip", "gzip", "none", "none zstd"]
        .into_iter()
        .enumerate()
    {
        let mirror = Mirror::new(node, &upstream);
        let options: String = wanted
            .split(' ')
            .map(|name| format!(" --compression {name}"))
            .collect();
        let key = format!("--key preference-{number}");
        mirror.run(&format!("sync {key}{options}")).silently();
        let listed = mirror.run(&format!("resolve --list {key}")).exits(0).out;
        assert_eq!(listed.lines().count(), 8, "{wanted}: {listed}");
    }
}

/// The compressions that a narinfo lists.
fn listed(narinfo: &str) -> Vec<&str> {
    let lines = narinfo.lines();
    lines
        .filter_map(|line| line.strip_prefix("Compression: "))
        .collect()
}

/// Variants before the signature, or without one.
fn a_narinfo_whose_variants_cannot_be_dropped_comes_whole(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let name = format!("{HELLO}.narinfo");
    let text = String::from_utf8(upstream.get(&name)).unwrap();
    let (signed, rest) = text.split_once("Signature:").unwrap();
    let (signature, urls) = rest.split_once('\n').unwrap();
    let kinds = [
        format!("{urls}{signed}Signature:{signature}\n"),
        format!("{signed}{urls}"),
    ];
    for (number, narinfo) in kinds.into_iter().enumerate() {
        upstream.set(&name, narinfo.as_str());
        let key = format!("--key whole-{number}");
        mirror
            .run(&format!("add {HELLO} --compression zstd {key}"))
            .silently();
        let root = mirror.run(&format!("resolve {key}")).exits(0).out;
        let root = root.trim();
        assert_eq!(node.get(&format!("{root}/{name}")).text(), narinfo);
        node.published(root.trim_start_matches("/ipfs/")).judge();
    }
}
