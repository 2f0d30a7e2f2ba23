//! `remove` takes items out, and nothing that somebody else needs.

use crate::support::{Mirror, TestNode, Upstream, fixture_roots, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::CidVersion::V0;

on_both_nodes!(
    what_was_added_and_is_removed_leaves_the_root_as_it_was,
    what_published_items_refer_to_stays_unless_forced,
    a_large_mirror_shrinks_to_what_ipfs_add_gives,
    what_is_not_published_is_named,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";
const ODD: &str = "j27dn2bh38aqgg30cc6qhdhdik1gzpr6";

fn what_was_added_and_is_removed_leaves_the_root_as_it_was(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let roots = fixture_roots(0);
    mirror.run("sync").silently();
    mirror.run(&format!("add {EMPTY} {ODD}")).silently();
    assert_eq!(mirror.root(), roots[3]);
    mirror.run(&format!("remove {EMPTY} {ODD}")).silently();
    assert_eq!(mirror.root(), roots[2]);
    node.collect_garbage();
    node.published(&mirror.root()).judge();
    node.published(&mirror.root()).judge_closures();
    // The directories that are then empty go too.
    let all: Vec<String> = mirror.list();
    mirror.run(&format!("remove {}", all.join(" "))).silently();
    assert_eq!(mirror.root(), roots[0]);
    // They stay out until a person adds them.
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), roots[0]);
    mirror.run(&format!("add {}", all.join(" "))).silently();
    assert_eq!(mirror.root(), roots[2]);
}

fn what_published_items_refer_to_stays_unless_forced(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let before = mirror.root();
    mirror
        .run(&format!("remove {HELLO}"))
        .exits(1)
        .says("is referred to by /gnu/store/")
        .says("--force");
    assert_eq!(mirror.root(), before);
    mirror.run(&format!("remove {HELLO} --force")).silently();
    assert_eq!(mirror.root(), fixture_roots(0)[1]);
}

/// From a sharded root back to a plain one.
fn a_large_mirror_shrinks_to_what_ipfs_add_gives(node: &TestNode) {
    let items: Vec<_> = (0..3600).map(|number| item(number, "i", 10)).collect();
    let root = node.store_tree(&tree_of(&items), V0);
    node.publish("guix-ipfs", &root);
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    for (from, to) in [(3550, 3600), (3500, 3550)] {
        let hashes: Vec<&str> = items[from..to].iter().map(|item| &*item.hash).collect();
        mirror
            .run(&format!("remove {}", hashes.join(" ")))
            .silently();
        assert_eq!(mirror.root(), root_of(&tree_of(&items[..from]), V0));
    }
}

fn what_is_not_published_is_named(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("remove {HELLO}"))
        .exits(1)
        .says("no key");
    mirror.run("sync --no-closure").silently();
    mirror
        .run(&format!("remove {HELLO}"))
        .exits(3)
        .says("it is not published");
    // In the order in which they were given.
    let absent = ["3", "1", "5", "2", "4"].map(|digit| digit.repeat(32));
    let run = mirror.run(&format!("remove {}", absent.join(" "))).exits(3);
    let lines = run.err.lines();
    let named: Vec<&str> = lines
        .filter_map(|line| absent.iter().find(|hash| line.contains(*hash)))
        .map(String::as_str)
        .collect();
    assert_eq!(named, absent);
    assert_eq!(mirror.root(), fixture_roots(0)[1]);
}
