//! Items that are broken upstream are refused and named, and the rest is mirrored.

use crate::support::{Fault, Mirror, TestNode, Upstream, fixture_roots};

on_both_nodes!(
    a_bad_item_is_refused_and_the_others_are_mirrored,
    what_refers_to_a_bad_item_waits_for_it,
    an_unreachable_upstream_is_for_another_time,
    what_the_network_spoils_is_asked_for_again,
    what_stays_broken_is_named_in_the_end,
    words_that_name_nothing_are_a_usage_error,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";

/// A broken item, and a part of the message about it.
type Breakage = (&'static str, fn(&Upstream), &'static str);

const BREAKAGES: [Breakage; 10] = [
    (
        "a nar with another content",
        |upstream| upstream.edit_text(HELLO, "NarHash: sha256:0", "NarHash: sha256:1"),
        "NarHash",
    ),
    (
        "a nar of another size",
        |upstream| upstream.edit_text(HELLO, "NarSize: 168", "NarSize: 176"),
        "NarSize",
    ),
    (
        "a file of another size",
        |upstream| upstream.edit_text(HELLO, "FileSize: ", "FileSize: 1"),
        "FileSize",
    ),
    (
        "a nar that is cut",
        |upstream| upstream.edit(&nar("gzip"), |nar| nar[..nar.len() / 2].to_vec()),
        "FileSize",
    ),
    (
        "a nar that is not compressed as it says",
        |upstream| upstream.edit(&nar("zstd"), |nar| vec![b'?'; nar.len()]),
        "zstd",
    ),
    (
        "a nar that is not there",
        |upstream| upstream.remove(&nar("lzip")),
        "404",
    ),
    (
        "a compression that nobody knows",
        |upstream| upstream.edit_text(HELLO, "Compression: lzip", "Compression: pied-piper"),
        "pied-piper",
    ),
    (
        "a narinfo that is none",
        |upstream| upstream.set(&narinfo(HELLO), "<html>maintenance</html>"),
        "narinfo",
    ),
    (
        "a narinfo about something else",
        |upstream| upstream.set(&narinfo(HELLO), upstream.get(&narinfo(EMPTY))),
        "its narinfo describes",
    ),
    (
        "a name that leads out of the directory",
        |upstream| upstream.edit_text(HELLO, "URL: nar/gzip/", "URL: nar/../../"),
        "..",
    ),
];

fn narinfo(hash: &str) -> String {
    format!("{hash}.narinfo")
}

fn nar(compression: &str) -> String {
    format!("nar/{compression}/{HELLO}-rig-hello.txt")
}

fn a_bad_item_is_refused_and_the_others_are_mirrored(node: &TestNode) {
    for (number, (what, break_it, said)) in BREAKAGES.into_iter().enumerate() {
        for graft in ["add-link", "car"] {
            let upstream = Upstream::of_fixtures();
            break_it(&upstream);
            let mirror = Mirror::new(node, &upstream);
            let options = format!("--key {graft}-{number} --graft {graft}");
            let run = mirror.run(&format!("add {HELLO} {EMPTY} {options}"));
            eprintln!("{what}, {graft}: {run:?}");
            run.exits(3).says(HELLO).says(said);
            let list = format!("resolve --list --key {graft}-{number}");
            let listed = mirror.run(&list).exits(0).out;
            assert_eq!(listed, format!("/gnu/store/{EMPTY}-rig-empty\n"));
        }
    }
}

fn what_refers_to_a_bad_item_waits_for_it(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    upstream.edit_text(HELLO, "NarHash: sha256:0", "NarHash: sha256:1");
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").exits(3).says(HELLO);
    let listed = mirror.list();
    assert_eq!(listed.len(), 6, "{listed:?}");
    assert!(!listed.iter().any(|path| path.contains("rig-refers")));
}

fn an_unreachable_upstream_is_for_another_time(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init").silently();
    let root = mirror.root();
    drop(upstream);
    mirror.run("sync").exits(75);
    mirror.run(&format!("add {HELLO}")).exits(75);
    assert_eq!(mirror.root(), root);
}

fn words_that_name_nothing_are_a_usage_error(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("add /gnu/store/nothing").exits(2);
    mirror.run("sync --no-such-option").exits(2);
    mirror.run("sync --graft by-hand").exits(2);
    assert!(upstream.asked().is_empty());
}

fn what_the_network_spoils_is_asked_for_again(node: &TestNode) {
    for graft in ["add-link", "car"] {
        let upstream = Upstream::of_fixtures();
        upstream.spoil(&narinfo(HELLO), &[Fault::Status(503)]);
        upstream.spoil(&nar("gzip"), &[Fault::Status(500), Fault::Cut]);
        upstream.spoil(&nar("zstd"), &[Fault::Cut]);
        let mirror = Mirror::new(node, &upstream);
        let key = format!("--key spoiled-{graft}");
        mirror
            .run(&format!("sync {key} --graft {graft}"))
            .silently();
        let root = mirror.run(&format!("resolve {key}")).exits(0).out;
        assert_eq!(root, format!("/ipfs/{}\n", fixture_roots(0)[2]));
    }
}

fn what_stays_broken_is_named_in_the_end(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    upstream.spoil(&nar("lzip"), &[Fault::Status(503); 20]);
    let mirror = Mirror::new(node, &upstream);
    let run = mirror.run(&format!("add {HELLO} {EMPTY}"));
    run.exits(3).says(HELLO).says("503");
    let asked = upstream.asked();
    let tries = asked.iter().filter(|path| **path == nar("lzip")).count();
    assert_eq!(tries, 3);
    assert_eq!(mirror.list().len(), 1);
}
