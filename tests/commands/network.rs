//! A publication as others on a network see it.

use crate::support::{
    Item, Mirror, Network, Proxy, Spoil, TestNode, Upstream, fixture, fixture_roots, item, root_of,
    run, tree_of,
};
use guix_ipfs::ipfs::cid::CidVersion;
use std::time::{Duration, Instant};

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const HELLO_NAR: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";
const KEY: &str = "guix-ipfs";

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn what_is_published_on_one_node_is_found_by_another() {
    let network = Network::start(3);
    let upstream = Upstream::of_fixtures();
    Mirror::new(&network[0], &upstream)
        .online()
        .run("sync")
        .silently();
    let name = network[0].key_id(KEY).unwrap();
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
#[ignore = "needs a real Kubo: scripts/test"]
fn a_restarted_publisher_continues_where_it_was() {
    let mut network = Network::start(3);
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&network[0], &upstream).online();
    mirror.run("sync --no-closure").silently();
    let name = network[0].key_id(KEY).unwrap();
    network.restart(0);
    points_to(&network[0], &name, &fixture_roots(0)[1]);
    mirror.run("sync").silently();
    points_to(&network[1], &name, &fixture_roots(0)[2]);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_publisher_rebuilt_from_its_key_adopts_what_the_network_knows() {
    let mut network = Network::start(3);
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&network[0], &upstream).online();
    mirror.run("init").silently();
    mirror.run("sync --no-closure").silently();
    let name = network[0].key_id(KEY).unwrap();
    network[1].ipfs("pin add", &[&format!("/ipns/{name}")]);
    let key = network[0].export_key(KEY);
    network.rebuild(0, KEY, &key);
    network.connect();
    let mirror = Mirror::new(&network[0], &upstream).online();
    let run = mirror.run("sync").exits(1);
    let published = format!("/ipfs/{}", fixture_roots(0)[1]);
    run.says(&format!("ipfs pin add {published}"));
    points_to(&network[2], &name, &fixture_roots(0)[1]);
    network[0].ipfs("pin add", &[&published]);
    mirror.run("sync").silently();
    points_to(&network[2], &name, &fixture_roots(0)[2]);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_second_publisher_of_one_key_is_not_overwritten() {
    let network = Network::start(3);
    let upstream = Upstream::of_fixtures();
    let first = Mirror::new(&network[0], &upstream).online();
    first.run("sync --no-closure").silently();
    let name = network[0].key_id(KEY).unwrap();
    network[1].import_key(KEY, &network[0].export_key(KEY));
    network[1].ipfs("pin add", &[&format!("/ipns/{name}")]);
    let second = Mirror::new(&network[1], &upstream).online();
    second.run("sync").silently();
    points_to(&network[2], &name, &fixture_roots(0)[2]);
    let run = first.run("add ifcypyirz39fix6ji7mblpsp5nfhmm7k").exits(1);
    run.says("another writer uses the key").says("--base");
    points_to(&network[2], &name, &fixture_roots(0)[2]);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_publisher_whose_count_fell_behind_publishes_above_the_networks() {
    let network = Network::start(3);
    let items: Vec<_> = (0..7).map(|number| item(number, "x", 2000)).collect();
    let upstream = Upstream::empty();
    upstream.add_items(&items);
    let add = |mirror: &Mirror, number: usize, base: &str| {
        let hash = &items[number].hash;
        mirror.run(&format!("add {hash} {base}")).silently();
        root_of(&tree_of(&items[..=number]), CidVersion::V0)
    };
    // Fetches what the other has published, and goes on from it.
    let take_over = |node: usize, root: &str| {
        network[node].ipfs("pin add", &[&format!("/ipfs/{root}")]);
        format!("--base {root}")
    };
    let first = Mirror::new(&network[0], &upstream).online();
    first.run("init").silently();
    let root = add(&first, 0, "");
    let name = network[0].key_id(KEY).unwrap();
    network[1].import_key(KEY, &network[0].export_key(KEY));
    let second = Mirror::new(&network[1], &upstream).online();
    let root = add(&second, 1, &take_over(1, &root));
    add(&first, 2, &take_over(0, &root));
    for number in 3..5 {
        add(&first, number, "");
    }
    let root = add(&first, 5, "");
    // The second has counted no further than its own record.
    let base = take_over(1, &root);
    if network[1].is_old_kubo() {
        let run = second
            .run(&format!("add {} {base}", items[6].hash))
            .exits(1);
        run.says("Kubo 0.40 or newer");
        points_to(&network[2], &name, &root);
        return;
    }
    let before = network[2].record_number(&name);
    let root = add(&second, 6, &base);
    for node in 0..3 {
        points_to(&network[node], &name, &root);
        assert_eq!(network[node].record_number(&name), before + 1);
    }
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_mirror_that_moves_is_found_at_its_new_node() {
    let mut network = Network::start(3);
    let upstream = Upstream::of_fixtures();
    let old = Mirror::new(&network[0], &upstream).online();
    old.run("init").silently();
    old.run("sync --no-closure").silently();
    let name = network[0].key_id(KEY).unwrap();
    let is_told = !network[0].is_old_kubo();
    let before = is_told.then(|| network[2].record_number(&name));
    let key = old.home().join("key");
    std::fs::write(&key, network[0].export_key(KEY)).unwrap();
    let to = format!("--to {} --key-file {}", network[1].api, key.display());
    let moved = old.run(&format!("move {to}")).exits(0);
    moved.says("ipfs key rm guix-ipfs");
    let new = Mirror::new(&network[1], &upstream).online();
    // The old one is away, and its record is not the newest any more.
    network.stop(0);
    points_to(&network[2], &name, &fixture_roots(0)[1]);
    if let Some(before) = before {
        assert_eq!(network[2].record_number(&name), before + 1);
    }
    new.run("sync").silently();
    points_to(&network[2], &name, &fixture_roots(0)[2]);
    let got = network[2].get(&format!("/ipns/{name}/{HELLO}.narinfo"));
    assert_eq!(got.status, 200);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_record_that_expired_is_published_again() {
    let network = Network::start(3);
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&network[0], &upstream).online();
    mirror.run("sync --record-lifetime 6s").silently();
    let name = network[0].key_id(KEY).unwrap();
    points_to(&network[1], &name, &fixture_roots(0)[2]);
    std::thread::sleep(Duration::from_secs(7));
    for node in 0..3 {
        let resolved = network[node].resolves(&name);
        assert_eq!(resolved.status, 500, "{}", resolved.text());
    }
    mirror.run("sync").silently();
    for node in 0..3 {
        points_to(&network[node], &name, &fixture_roots(0)[2]);
    }
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_block_that_nobody_has_ends_a_run_and_hangs_none() {
    let mut network = Network::start(3);
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&network[0], &upstream).online();
    mirror.run("sync").silently();
    let root = mirror.root();
    let key = network[0].export_key(KEY);
    network[1].import_key(KEY, &key);
    // All of it but what is below nar, which is then lost with its publisher.
    network[1].ipfs(
        "get -o /dev/null",
        &[&format!("/ipfs/{root}/{HELLO}.narinfo")],
    );
    network.stop(0);
    let other = Mirror::new(&network[1], &upstream).online();
    let start = Instant::now();
    let mut sync = other.command(&format!("sync --base {root}"));
    let run = run(sync.env("GUIX_IPFS_READ_TIMEOUT", "1")).exits(1);
    run.says("is not whole on this node").says("ipfs pin add");
    // Five seconds for the pin, and ten for the node to say so.
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
    points_to(&network[2], &network[1].key_id(KEY).unwrap(), &root);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn whoever_pins_each_new_root_fetches_little() {
    let network = Network::start(3);
    let items: Vec<_> = (0..600).map(|number| item(number, "x", 2000)).collect();
    let upstream = Upstream::empty();
    upstream.add_items(&items);
    let mirror = Mirror::new(&network[0], &upstream).online();
    let sync = |items: &[Item]| {
        let list = mirror.home().join("list");
        let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
        std::fs::write(&list, hashes.join("\n")).unwrap();
        let command = format!("sync --from {}", list.display());
        mirror.run(&command).silently();
    };
    let follower = &network[2];
    let received = || {
        follower.json("bitswap/stat")["DataReceived"]
            .as_u64()
            .unwrap()
    };
    sync(&items[..595]);
    let name = network[0].key_id(KEY).unwrap();
    let old = mirror.root();
    follower.ipfs("pin add", &[&format!("/ipns/{name}")]);
    let first = received();
    sync(&items[595..]);
    let new = mirror.root();
    follower.ipfs(
        "pin update",
        &[&format!("/ipfs/{old}"), &format!("/ipfs/{new}")],
    );
    let second = received() - first;
    println!("595 items: {first} bytes; 5 more: {second} bytes");
    assert!(first > 1_000_000 && second < first / 8, "{first}, {second}");
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn with_nobody_connected_a_node_publishes_only_for_itself() {
    let network = Network::start(1);
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&network[0], &upstream);
    let run = run(mirror.command("sync").env_remove("GUIX_IPFS_ALLOW_OFFLINE"));
    run.exits(1).says("no peers").says("--allow-offline");
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

/// Fails the test unless a node resolves the name to this root.
#[track_caller]
fn points_to(node: &TestNode, name: &str, root: &str) {
    let resolved = node.resolves(name);
    let path = format!("{{\"Path\":\"/ipfs/{root}\"}}\n");
    assert_eq!(resolved.text(), path);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_published_root_is_announced_and_a_failure_to_is_a_warning() {
    let network = Network::start(2);
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&network[0].api);
    let mirror = Mirror::at(&proxy.url, &upstream).online();
    mirror.run("sync --no-closure").silently();
    let announced = |calls: Vec<String>| calls.contains(&"routing/provide".to_owned());
    assert!(announced(proxy.calls()));
    mirror.run("sync --no-closure").silently();
    assert!(!announced(proxy.calls()), "nothing was published");
    let busy = r#"{"Message":"too busy","Code":0,"Type":"error"}"#;
    proxy.spoil("routing/provide", 0, Spoil::Answer(500, busy));
    mirror
        .run("sync")
        .exits(0)
        .says("warning: announce ")
        .says("too busy");
    points_to(
        &network[1],
        &network[0].key_id(KEY).unwrap(),
        &fixture_roots(0)[2],
    );
}
