//! Names that point somewhere before the program comes: to a website, to a root in an
//! odd spelling, to a mirror whose blocks are lost.

use crate::support::{Mirror, TestNode, Upstream, fixture_roots, root_of, tree_of_fixtures};
use guix_ipfs::ipfs::cid::CidVersion::V0;

on_both_nodes!(
    a_key_whose_name_looks_begun_is_never_taken_over,
    a_root_with_a_slash_at_its_end_is_that_root,
    a_persons_word_counts_whatever_the_name_holds,
    a_mirror_whose_blocks_are_lost_is_begun_anew,
    what_is_published_is_given_up_only_on_demand,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const EMPTY: &str = "ifcypyirz39fix6ji7mblpsp5nfhmm7k";

fn site(node: &TestNode) -> String {
    let files = [("index.html".to_owned(), b"<h1>Hello</h1>".to_vec())];
    node.store_tree(&files.into(), V0)
}

fn a_key_whose_name_looks_begun_is_never_taken_over(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let site = site(node);
    let old = node.store_tree(&tree_of_fixtures(&[EMPTY]), V0);
    for (key, root) in [("site", &site), ("mirror", &old)] {
        let names = [format!("{key}.new"), format!("{key}.guix-ipfs-new")];
        for name in &names {
            node.publish(name, root);
        }
        for command in ["sync", "init"] {
            let run = mirror.run(&format!("{command} --key {key}")).exits(1);
            let run = run.says(&format!("already publishes /ipfs/{root}"));
            run.says("ipfs key rename").says("--key NAME");
        }
        assert_eq!(node.key_id(key), None);
        for name in &names {
            let id = node.key_id(name).unwrap();
            let path = node.node().resolve(&id).unwrap();
            assert_eq!(path, Some(format!("/ipfs/{root}")));
        }
        node.rename_key(&names[1], &format!("{key}-kept"));
        mirror.run(&format!("sync --key {key}")).silently();
        let id = node.key_id(&names[0]).unwrap();
        let path = node.node().resolve(&id).unwrap();
        assert_eq!(path, Some(format!("/ipfs/{root}")));
    }
}

fn a_root_with_a_slash_at_its_end_is_that_root(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let root = node.store_tree(&tree_of_fixtures(&[EMPTY]), V0);
    node.publish("guix-ipfs", &root);
    node.point("guix-ipfs", &format!("/ipfs/{root}/"));
    assert_eq!(mirror.root(), root);
    mirror.run("verify").silently();
    mirror.run(&format!("add {EMPTY}")).silently();
    assert_eq!(mirror.root(), root);
    mirror.run(&format!("add {HELLO}")).silently();
    let tree = tree_of_fixtures(&[EMPTY, HELLO]);
    assert_eq!(mirror.root(), root_of(&tree, V0));
}

fn a_persons_word_counts_whatever_the_name_holds(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let site = site(node);
    let base = node.store_tree(&tree_of_fixtures(&[EMPTY]), V0);
    node.publish("another", &site);
    for (number, path) in [
        format!("/ipfs/{site}"),
        format!("/ipfs/{site}/"),
        format!("/ipfs/{site}/index.html"),
        format!("/ipns/{}", node.create_key("another")),
    ]
    .iter()
    .enumerate()
    {
        let key = format!("key-{number}");
        node.publish(&key, &site);
        node.point(&key, path);
        let mirror = Mirror::new(node, &upstream);
        for command in ["sync", "init"] {
            mirror.run(&format!("{command} --key {key}")).exits(1);
        }
        let add = format!("add {EMPTY} --key {key} --base {base}");
        mirror.run(&add).silently();
        let resolved = mirror.run(&format!("resolve --key {key}")).exits(0).out;
        assert_eq!(resolved, format!("/ipfs/{base}\n"), "{path}");
        mirror.run(&format!("sync --key {key}")).silently();
    }
}

fn a_mirror_whose_blocks_are_lost_is_begun_anew(node: &mut TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for (begin, resume) in [
        ("init", "sync"),
        ("init --anew", "resolve"),
        ("init --anew --cid-version 1", "sync --no-closure"),
    ] {
        mirror.run(begin).exits(0);
        mirror.run(resume).exits(0);
        let lost = mirror.root();
        node.lose_blocks(&[]);
        mirror.run("sync").exits(1).says("init --anew");
        mirror.run("init").exits(1).says("--anew");
        let run = mirror.run("init --anew").exits(0);
        run.says(&format!("is abandoned: /ipfs/{lost}"));
        assert_eq!(node.pins_named("guix-ipfs/").len(), 1);
        mirror.run("sync").silently();
        assert_eq!(mirror.root(), fixture_roots(0)[2]);
        node.collect_garbage();
        node.published(&fixture_roots(0)[2]).judge();
    }
}

fn what_is_published_is_given_up_only_on_demand(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    // Where nothing was, nothing is given up.
    mirror.run("init --anew").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[0]);
    mirror.run("sync").silently();
    mirror
        .run("init")
        .exits(1)
        .says("already points to")
        .says("--anew");
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
    let run = mirror.run("init --anew").exits(0);
    let run = run.says("all that was published under /ipns/");
    run.says(&format!("is abandoned: /ipfs/{}", fixture_roots(0)[2]));
    assert_eq!(mirror.root(), fixture_roots(0)[0]);
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
    // A website, and a path that is no root.
    let site = site(node);
    node.publish("site", &site);
    node.point("site", &format!("/ipfs/{site}/index.html"));
    let run = mirror.run("init --anew --key site").exits(0);
    run.says("is abandoned: /ipfs/");
    let resolved = mirror.run("resolve --key site").exits(0).out;
    assert_eq!(resolved, format!("/ipfs/{}\n", fixture_roots(0)[0]));
}
