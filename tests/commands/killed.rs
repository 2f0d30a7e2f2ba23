//! The program is killed in the middle of its work, again and again.

use crate::support::{Mirror, Proxy, TestNode, Upstream, fixture_roots, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::CidVersion;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

on_both_nodes!(
    killed_at_any_moment_with_car_it_continues_from_its_last_checkpoint,
    killed_at_any_moment_with_add_link_it_continues_from_its_last_checkpoint,
);

on_kubo_alone!(
    killed_at_any_call_with_car_it_loses_nothing_and_leaves_nothing,
    killed_at_any_call_with_add_link_it_loses_nothing_and_leaves_nothing,
);

fn killed_at_any_call_with_car_it_loses_nothing_and_leaves_nothing(node: &TestNode) {
    killed_at_any_call(node, "car");
}

fn killed_at_any_call_with_add_link_it_loses_nothing_and_leaves_nothing(node: &TestNode) {
    killed_at_any_call(node, "add-link");
}

/// Kills a first `sync`, which commits three times, when the node has seen its
/// n-th call, for every n, each under a key of its own.
fn killed_at_any_call(node: &TestNode, graft: &str) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    let options = format!("--graft {graft} --checkpoint 3");
    mirror
        .run(&format!("sync --key whole {options}"))
        .silently();
    let calls = proxy.calls().len();
    for n in 1..=calls {
        let key = format!("--key killed-{n}");
        let mut command = mirror.command(&format!("sync {key} {options}"));
        let sync = command.stderr(Stdio::null()).spawn().unwrap();
        kill_at_call(sync, &proxy, n);
        let published = whatever_is_published_is_whole(node, &mirror, &key);
        upstream.asked();
        mirror.run(&format!("sync {key} {options}")).silently();
        nothing_published_is_fetched_again(&published, &upstream.asked());
        let resolved = mirror.run(&format!("resolve {key}")).exits(0).out;
        assert_eq!(resolved, format!("/ipfs/{}\n", fixture_roots(0)[2]));
        proxy.calls();
    }
    staging_is_gone(node);
}

/// Kills a run when the node has seen its n-th call, if it does not end before.
pub fn kill_at_call(mut run: Child, proxy: &Proxy, n: usize) {
    let start = Instant::now();
    while proxy.seen() < n && start.elapsed() < Duration::from_secs(20) {
        if run.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    run.kill().unwrap();
    run.wait().unwrap();
}

/// Fails the test when a pin without a name is left.
fn staging_is_gone(node: &TestNode) {
    let pins = node.pins();
    let nameless = pins.values().filter(|name| name.is_empty());
    assert_eq!(nameless.count(), 0, "staging is left: {pins:?}");
}

fn killed_at_any_moment_with_car_it_continues_from_its_last_checkpoint(node: &TestNode) {
    killed_at_any_moment(node, "car");
}

fn killed_at_any_moment_with_add_link_it_continues_from_its_last_checkpoint(node: &TestNode) {
    killed_at_any_moment(node, "add-link");
}

/// Kills `sync` 100 times, each after a time that is drawn by chance.
fn killed_at_any_moment(node: &TestNode, graft: &str) {
    let upstream = Upstream::empty();
    let items: Vec<_> = (0..40).map(|number| item(number, "item", 3000)).collect();
    upstream.add_items(&items);
    let whole = root_of(&tree_of(&items), CidVersion::V0);
    let mirror = Mirror::new(node, &upstream);
    let list = mirror.home().join("list");
    let hashes: Vec<_> = items.iter().map(|item| item.hash.as_str()).collect();
    std::fs::write(&list, hashes.join("\n")).unwrap();
    let sync = format!(
        "sync --from {} --checkpoint 4 --graft {graft}",
        list.display()
    );
    let begun = Instant::now();
    mirror.run(&format!("{sync} --key first")).silently();
    let time = begun.elapsed();

    let mut chance = 17u64;
    let mut keys = 0;
    let mut before = Vec::new();
    upstream.asked();
    for kill in 0..100 {
        // Knuth's MMIX generator: the moments are the same in every run.
        chance = chance
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let moment = time.mul_f64((chance >> 33) as f64 / f64::from(1u32 << 31));
        let key = format!("--key killed-{keys}");
        let mut command = mirror.command(&format!("{sync} {key}"));
        let mut running = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        running.kill().unwrap();
        running.wait().unwrap();
        nothing_published_is_fetched_again(&before, &upstream.asked());
        before = whatever_is_published_is_whole(node, &mirror, &key);
        if before.len() == items.len() || kill == 99 {
            mirror.run(&format!("{sync} {key}")).silently();
            nothing_published_is_fetched_again(&before, &upstream.asked());
            before.clear();
            let resolved = mirror.run(&format!("resolve {key}")).exits(0).out;
            assert_eq!(resolved, format!("/ipfs/{whole}\n"));
            keys += 1;
        }
    }
    assert!(keys > 1, "no run came to its end");
    staging_is_gone(node);
}

/// The store hashes that are published under a key. Everything below the root is
/// whole and closed.
fn whatever_is_published_is_whole(node: &TestNode, mirror: &Mirror, key: &str) -> Vec<String> {
    let resolved = mirror.run(&format!("resolve {key}"));
    if resolved.code != Some(0) {
        let is_too_early = resolved.err.contains("no key") || resolved.err.contains("not resolve");
        assert!(is_too_early, "{resolved:?}");
        return Vec::new();
    }
    let root = resolved.out.trim().strip_prefix("/ipfs/").unwrap();
    let published = node.published(root);
    published.judge();
    published.judge_closures();
    published.hashes()
}

fn nothing_published_is_fetched_again(published: &[String], asked: &[String]) {
    let again = asked.iter().find(|path| {
        let mut hashes = published.iter();
        path.starts_with("nar/") && hashes.any(|hash| path.contains(hash.as_str()))
    });
    assert_eq!(again, None, "it is published already");
}
