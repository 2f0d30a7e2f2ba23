//! The program is killed in the middle of its work, again and again.

use crate::support::{Mirror, Proxy, TestNode, Upstream, fixture_roots};
use std::process::Stdio;
use std::time::{Duration, Instant};

on_both_nodes!(
    killed_at_any_call_with_car_it_loses_nothing_and_leaves_nothing,
    killed_at_any_call_with_add_link_it_loses_nothing_and_leaves_nothing,
);

fn killed_at_any_call_with_car_it_loses_nothing_and_leaves_nothing(node: &TestNode) {
    killed_at_any_call(node, "car", 1);
}

fn killed_at_any_call_with_add_link_it_loses_nothing_and_leaves_nothing(node: &TestNode) {
    killed_at_any_call(node, "add-link", 5);
}

/// Kills a first `sync` when the node has seen its n-th call, for every
/// `step`-th n, each under a key of its own.
fn killed_at_any_call(node: &TestNode, graft: &str, step: usize) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror
        .run(&format!("sync --key whole --graft {graft}"))
        .silently();
    let calls = proxy.calls().len();
    let known = fixture_roots(0);
    for n in (1..=calls).step_by(step) {
        let key = format!("--key killed-{n} --graft {graft}");
        let mut command = mirror.command(&format!("sync {key}"));
        let mut sync = command.stderr(Stdio::null()).spawn().unwrap();
        let start = Instant::now();
        while proxy.seen() < n && start.elapsed() < Duration::from_secs(20) {
            if sync.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::yield_now();
        }
        sync.kill().unwrap();
        sync.wait().unwrap();
        proxy.calls();

        let resolved = mirror.run(&format!("resolve --key killed-{n}"));
        let root = resolved.out.trim().trim_start_matches("/ipfs/");
        let is_whole = root == known[0] || root == known[2];
        assert!(root.is_empty() || is_whole, "call {n}: {resolved:?}");
        mirror.run(&format!("sync {key}")).silently();
        let resolved = mirror.run(&format!("resolve --key killed-{n}"));
        assert_eq!(resolved.exits(0).out, format!("/ipfs/{}\n", known[2]));
        proxy.calls();
    }
    let pins = node.json("pin/ls?type=recursive&names=true");
    let nameless = pins["Keys"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(cid, pin)| {
            let of_kubo_itself = *cid == "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
            pin["Name"] == "" && !of_kubo_itself
        });
    assert_eq!(nameless.count(), 0, "staging is left: {pins}");
}
