//! What others on a network see of what is published here.

use crate::support::{Mirror, Network, TestNode, Upstream, fixture, fixture_roots};

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const HELLO_NAR: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";
const KEY: &str = "guix-ipfs";

#[test]
fn what_is_published_on_one_node_is_found_by_another() {
    let Some(network) = Network::start(3) else {
        return;
    };
    let upstream = Upstream::of_fixtures();
    Mirror::new(&network[0], &upstream)
        .online()
        .run("sync")
        .silently();
    let name = network[0].name_of(KEY);
    points_to(&network[1], &name, &fixture_roots(0)[2]);
    // Nothing but the name is known to the other node.
    for path in [&format!("{HELLO}.narinfo"), HELLO_NAR] {
        let got = network[2].get(&format!("/ipns/{name}/{path}"));
        let content = std::fs::read(fixture(&format!("substitute-server/{path}"))).unwrap();
        let is_it = got.status == 200 && got.body == content;
        assert!(is_it, "{path}: {}", got.status);
    }
}

#[test]
fn a_restarted_publisher_goes_on_where_it_was() {
    let Some(mut network) = Network::start(3) else {
        return;
    };
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&network[0], &upstream).online();
    mirror.run("sync --no-closure").silently();
    let name = network[0].name_of(KEY);
    network.restart(0);
    points_to(&network[0], &name, &fixture_roots(0)[1]);
    mirror.run("sync").silently();
    points_to(&network[1], &name, &fixture_roots(0)[2]);
}

#[test]
fn a_publisher_rebuilt_from_its_key_adopts_what_the_network_knows() {
    let Some(mut network) = Network::start(3) else {
        return;
    };
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&network[0], &upstream).online();
    mirror.run("init").silently();
    mirror.run("sync --no-closure").silently();
    let name = network[0].name_of(KEY);
    network[1].ipfs("pin add", &[&format!("/ipns/{name}")]);
    let key = network[0].export_key(KEY);
    network.rebuild(0, KEY, &key);
    network.connect();
    let mirror = Mirror::new(&network[0], &upstream).online();
    let run = mirror.run("sync").exits(1);
    run.says(&format!("ipfs pin add /ipns/{name}"));
    points_to(&network[2], &name, &fixture_roots(0)[1]);
    network[0].ipfs("pin add", &[&format!("/ipns/{name}")]);
    mirror.run("sync").silently();
    points_to(&network[2], &name, &fixture_roots(0)[2]);
}

#[test]
fn a_second_publisher_of_one_key_is_not_overwritten() {
    let Some(network) = Network::start(3) else {
        return;
    };
    let upstream = Upstream::of_fixtures();
    let first = Mirror::new(&network[0], &upstream).online();
    first.run("sync --no-closure").silently();
    let name = network[0].name_of(KEY);
    network[1].import_key(KEY, &network[0].export_key(KEY));
    network[1].ipfs("pin add", &[&format!("/ipns/{name}")]);
    let second = Mirror::new(&network[1], &upstream).online();
    second.run("sync").silently();
    points_to(&network[2], &name, &fixture_roots(0)[2]);
    let run = first.run("add ifcypyirz39fix6ji7mblpsp5nfhmm7k").exits(1);
    run.says("another writer uses the key").says("--base");
    points_to(&network[2], &name, &fixture_roots(0)[2]);
}

/// Fails the test unless a node resolves the name to this root.
#[track_caller]
fn points_to(node: &TestNode, name: &str, root: &str) {
    let resolved = node.resolves(name);
    let path = format!("{{\"Path\":\"/ipfs/{root}\"}}\n");
    assert_eq!(resolved.text(), path);
}
