//! Mirroring some of the compressions only.

use crate::support::{Mirror, TestNode, Upstream, fixture, root_of, tree_of_fixtures};
use guix_ipfs::ipfs::cid::CidVersion;

on_both_nodes!(
    only_the_wanted_variants_are_published,
    what_is_repaired_has_only_the_wanted_variants_too,
    an_item_without_a_wanted_variant_is_an_error_named_as_such,
    what_is_signed_is_never_cut,
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

fn an_item_without_a_wanted_variant_is_an_error_named_as_such(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let run = mirror.run(&format!("add {SOURCE} {HELLO} --compression zstd"));
    run.exits(3)
        .says(SOURCE)
        .says("it has none of the wanted compressions, only none");
    assert_eq!(mirror.list().len(), 1);
    let run = mirror.run("sync --compression xz");
    run.exits(2).says("gzip, lzip, zstd or none");
}

fn what_is_signed_is_never_cut(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let name = format!("{HELLO}.narinfo");
    let text = String::from_utf8(upstream.get(&name)).unwrap();
    let (signed, rest) = text.split_once("Signature:").unwrap();
    let (signature, urls) = rest.split_once('\n').unwrap();
    for (early, said) in [
        (
            format!("{urls}{signed}Signature:{signature}\n"),
            "their lines are part of what is signed",
        ),
        (format!("{signed}{urls}"), "it is not signed"),
    ] {
        upstream.set(&name, early);
        let run = mirror.run(&format!("add {HELLO} --compression zstd"));
        run.exits(3).says(HELLO).says(said);
    }
    assert!(mirror.list().is_empty());
    // All of them are as the upstream has them, signed early or not at all.
    mirror.run(&format!("add {HELLO}")).silently();
}
