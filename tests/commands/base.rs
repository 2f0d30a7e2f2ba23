//! Which root a run goes on from, and what it says where that is not certain.

use crate::support::{
    Fault, Mirror, Proxy, Spoil, TestNode, Upstream, fixture_roots, item, root_of, tree_of,
    tree_of_fixtures,
};
use guix_ipfs::ipfs::cid::CidVersion::V0;
use std::time::{Duration, Instant};

on_both_nodes!(
    the_prototypes_mirror_is_adopted_under_self,
    a_website_under_the_key_is_never_touched,
    a_name_that_holds_the_empty_directory_was_never_used,
    a_name_that_does_not_resolve_continues_from_the_journal,
    a_name_of_which_nothing_is_known_needs_a_persons_word,
    a_root_that_the_journal_does_not_know_needs_a_persons_word,
    two_mirrors_on_one_node_leave_each_other_alone,
    two_users_of_a_node_share_the_journal,
    a_root_that_moved_meanwhile_is_grafted_onto_with_add_link,
    a_root_that_moved_meanwhile_is_grafted_onto_with_car,
    a_root_that_is_not_whole_here_is_not_adopted,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";

fn the_prototypes_mirror_is_adopted_under_self(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    // As `ipfs add -r` left it: pinned without a name, no nix-cache-info.
    let mut tree = tree_of_fixtures(&[EMPTY]);
    tree.remove("nix-cache-info");
    let old = node.store_tree(&tree, V0);
    node.publish("self", &old);
    mirror.run("sync").exits(1).says("--key self");
    mirror.run(&format!("add {HELLO} --key self")).silently();
    tree.extend(tree_of_fixtures(&[HELLO]));
    tree.remove("nix-cache-info");
    let root = mirror.run("resolve --key self").exits(0).out;
    assert_eq!(root, format!("/ipfs/{}\n", root_of(&tree, V0)));
    mirror.run("verify --deep --key self").silently();
    // Whoever wants another mirror beside it says so.
    mirror.run("init").silently();
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

fn a_website_under_the_key_is_never_touched(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let site = [("index.html".to_owned(), b"<h1>Hello</h1>".to_vec())];
    let root = node.store_tree(&site.into(), V0);
    node.publish("site", &root);
    for command in ["sync", &format!("add {HELLO}"), &format!("remove {HELLO}")] {
        mirror
            .run(&format!("{command} --key site"))
            .exits(1)
            .says("is not a directory of substitutes");
    }
    mirror
        .run("init --key site")
        .exits(1)
        .says("already points to");
    let now = mirror.run("resolve --key site").exits(0).out;
    assert_eq!(now, format!("/ipfs/{root}\n"));
}

/// As an older Kubo leaves `self`.
fn a_name_that_holds_the_empty_directory_was_never_used(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let empty = node.store_tree(&Default::default(), V0);
    node.publish("guix-ipfs", &empty);
    mirror
        .run("sync")
        .exits(1)
        .says("is not a directory of substitutes");
    mirror.run("init").silently();
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

fn a_name_that_does_not_resolve_continues_from_the_journal(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init").silently();
    mirror.run("sync --record-lifetime 3s").silently();
    wait_until_the_name_expires(&mirror);
    mirror.run("resolve").exits(1).says("does not resolve");
    mirror
        .run("init")
        .exits(1)
        .says("journal has its last root");
    upstream.asked();
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
    let asked = upstream.asked();
    assert!(
        !asked.iter().any(|path| path.starts_with("nar/")),
        "{asked:?}"
    );
}

fn a_name_of_which_nothing_is_known_needs_a_persons_word(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    node.create_key("guix-ipfs");
    mirror
        .run("sync")
        .exits(1)
        .says("nothing is known of /ipns/");
    mirror.run("init").silently();
    mirror
        .run("sync --no-closure --record-lifetime 3s")
        .silently();
    let root = mirror.root();
    node.unpin_named("guix-ipfs/");
    wait_until_the_name_expires(&mirror);
    mirror.run("sync").exits(1).says("--base CID");
    mirror.run(&format!("sync --base {root}")).silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

fn wait_until_the_name_expires(mirror: &Mirror) {
    let start = Instant::now();
    while mirror.run("resolve").code == Some(0) {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "it never expires"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn a_root_that_the_journal_does_not_know_needs_a_persons_word(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync --no-closure").silently();
    let ours = mirror.root();
    let theirs = node.store_tree(&tree_of_fixtures(&[EMPTY]), V0);
    node.publish("guix-ipfs", &theirs);
    let run = mirror
        .run("sync")
        .exits(1)
        .says("another writer uses the key");
    let run = run.says(&format!("--base {ours}"));
    run.says(&format!("--base {theirs}"));
    assert_eq!(mirror.root(), theirs);
    mirror.run(&format!("sync --base {ours}")).silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

fn two_mirrors_on_one_node_leave_each_other_alone(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    // Their first roots are the same CID, which has one pin with one name.
    mirror.run("init --key one").silently();
    mirror.run("init --key two").silently();
    mirror
        .run("sync --key one --no-closure --graft car")
        .silently();
    node.collect_garbage();
    mirror.run("verify --key two").silently();
    mirror.run("sync --key two --graft car").silently();
    node.collect_garbage();
    for (key, root) in [("one", 1), ("two", 2)] {
        node.published(&fixture_roots(0)[root]).judge();
        let resolved = mirror.run(&format!("resolve --key {key}")).exits(0).out;
        assert_eq!(resolved, format!("/ipfs/{}\n", fixture_roots(0)[root]));
    }
}

fn two_users_of_a_node_share_the_journal(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let one = Mirror::new(node, &upstream);
    let other = Mirror::new(node, &upstream);
    one.run("sync --no-closure").silently();
    other.run("sync").silently();
    one.run(&format!("add {EMPTY}")).silently();
    node.collect_garbage();
    node.published(&other.root()).judge();
    let pins = node.pins();
    assert_eq!(node.pins_named("guix-ipfs/").len(), 1, "{pins:?}");
}

fn a_root_that_moved_meanwhile_is_grafted_onto_with_add_link(node: &TestNode) {
    moved_meanwhile(node, "add-link");
}

fn a_root_that_moved_meanwhile_is_grafted_onto_with_car(node: &TestNode) {
    moved_meanwhile(node, "car");
}

/// Another user of the node, whose lock is another, publishes during a run.
fn moved_meanwhile(node: &TestNode, graft: &str) {
    let upstream = Upstream::empty();
    let items: Vec<_> = (0..3).map(|number| item(number, "item", 2000)).collect();
    upstream.add_items(&items);
    let slow = Mirror::new(node, &upstream);
    let quick = Mirror::new(node, &upstream);
    slow.run("init").silently();
    let nar = format!("nar/gzip/{}-item", items[0].hash);
    upstream.spoil(&nar, &[Fault::Late(Duration::from_secs(3))]);
    let add = format!("add {} {} --graft {graft}", items[0].hash, items[1].hash);
    let mut running = slow.command(&add).spawn().unwrap();
    let start = Instant::now();
    while !upstream.has_asked(&nar) && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let add = format!("add {} {} --graft {graft}", items[1].hash, items[2].hash);
    quick.run(&add).silently();
    assert_eq!(running.wait().unwrap().code(), Some(0));
    assert_eq!(slow.root(), root_of(&tree_of(&items), V0));
    node.collect_garbage();
    node.published(&quick.root()).judge();
    let pins = node.pins();
    assert_eq!(node.pins_named("guix-ipfs/").len(), 1, "{pins:?}");
}

fn a_root_that_is_not_whole_here_is_not_adopted(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let whole = root_of(&tree_of_fixtures(&[EMPTY]), V0);
    node.publish("guix-ipfs", &whole);
    mirror
        .run("sync")
        .exits(1)
        .says("fetch it first with `ipfs pin add /ipfs/");
}

on_kubo_alone!(a_node_that_is_nearly_full_is_warned_of);

/// The local store has no limit.
fn a_node_that_is_nearly_full_is_warned_of(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    let full = r#"{"RepoSize":9500,"StorageMax":10000,"NumObjects":0,"RepoPath":"","Version":""}"#;
    proxy.spoil("repo/stat", 0, Spoil::Answer(200, full));
    mirror
        .run("sync --no-closure")
        .exits(0)
        .says("warning: the node's repository holds 9.28 KiB of 9.77 KiB");
    assert_eq!(mirror.root(), fixture_roots(0)[1]);
}
