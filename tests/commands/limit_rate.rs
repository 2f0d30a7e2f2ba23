//! `--limit-rate`: one limit for all downloads of a run.

use crate::support::{Item, Mirror, Run, TestNode, Upstream, item, run};
use std::process::Stdio;
use std::time::{Duration, Instant};

on_both_nodes!(
    all_downloads_of_a_run_together_keep_to_the_limit,
    the_lists_and_repairs_keep_to_it_too,
    a_limit_below_the_least_rate_is_not_the_servers_slowness,
    a_signal_ends_the_wait_for_the_limit,
    a_limit_of_nothing_is_a_usage_error,
);

/// The time of which a run may make up for what it took too little.
const BURST: Duration = Duration::from_secs(1);

fn of_items(items: &[Item]) -> Upstream {
    let upstream = Upstream::empty();
    upstream.add_items(items);
    upstream
}

fn hashes(items: &[Item]) -> String {
    let hashes: Vec<_> = items.iter().map(|item| item.hash.as_str()).collect();
    hashes.join(" ")
}

/// The bytes of all files of these items.
fn bytes(items: &[Item]) -> usize {
    let files = items.iter().flat_map(|item| item.files.values());
    files.map(Vec::len).sum()
}

/// Runs the program with a limit, and checks that it took as long as that many bytes
/// must.
#[track_caller]
fn limited(mirror: &Mirror, arguments: &str, rate: usize, bytes: usize) -> Run {
    let begun = Instant::now();
    let mut command = mirror.command(arguments);
    let run = run(command.env("GUIX_IPFS_LIMIT_RATE", rate.to_string()));
    let least = Duration::from_secs_f64(bytes as f64 / rate as f64) - BURST;
    let took = begun.elapsed();
    assert!(
        took >= least,
        "{took:?} for {bytes} bytes at {rate} a second"
    );
    run
}

fn all_downloads_of_a_run_together_keep_to_the_limit(node: &TestNode) {
    let items: Vec<_> = (0..8).map(|number| item(number, "fast", 20_000)).collect();
    let (first, second) = (of_items(&items[..4]), of_items(&items[4..]));
    let mirror = Mirror::new(node, &first);
    // The servers share it, one that is named with an item too.
    let named = format!("{}/{}.narinfo", second.url(), items[7].hash);
    let servers = format!("--upstream {} --upstream {}", first.url(), second.url());
    let add = format!("add {} {named} {servers} --jobs 8", hashes(&items[..7]));
    limited(&mirror, &add, 80_000, bytes(&items)).silently();
    let add = format!("add {} {named} --jobs 8 --key named", hashes(&items[..4]));
    limited(&mirror, &add, 50_000, bytes(&items[3..])).silently();
    node.published(&mirror.root()).judge();
}

fn the_lists_and_repairs_keep_to_it_too(node: &TestNode) {
    let upstream = Upstream::empty();
    let list = [b"[", &vec![b' '; 30_000][..], b"]"].concat();
    upstream.set("api/latestbuilds", list);
    let mirror = Mirror::new(node, &upstream);
    limited(&mirror, "sync", 15_000, 30_000).exits(0);

    let items = [item(1, "mended", 30_000)];
    upstream.add_items(&items);
    let add = format!("add {} -n", items[0].hash);
    let narinfo = items[0].files[&format!("{}.narinfo", items[0].hash)].len();
    limited(&mirror, &add, narinfo / 2, narinfo).exits(0);

    // A published item whose references are not there is what a repair fetches.
    let user = item(2, "user", 100).referring_to(&items);
    upstream.add_items([&user]);
    let add = format!("add {} --no-closure", user.hash);
    mirror.run(&add).silently();
    limited(&mirror, "verify --repair", 15_000, bytes(&items)).exits(0);
    assert_eq!(mirror.list().len(), 2);
}

fn a_limit_below_the_least_rate_is_not_the_servers_slowness(node: &TestNode) {
    let items = [item(1, "slow", 600)];
    let upstream = of_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let add = format!("add {} --low-speed-time 1 --read-timeout 1", items[0].hash);
    limited(&mirror, &add, 300, bytes(&items)).silently();
    assert_eq!(upstream.asked().len(), 2);
}

fn a_signal_ends_the_wait_for_the_limit(node: &TestNode) {
    let items = [item(1, "patient", 600)];
    let upstream = of_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let mut command = mirror.command(&format!("add {} --limit-rate 1", items[0].hash));
    let mut running = command.stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    let narinfo = format!("{}.narinfo", items[0].hash);
    while !upstream.has_asked(&narinfo) && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let begun = Instant::now();
    crate::support::signal(&running, "-TERM");
    assert_eq!(running.wait().unwrap().code(), Some(143));
    assert!(begun.elapsed() < Duration::from_secs(10));
}

fn a_limit_of_nothing_is_a_usage_error(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    for wrong in ["0", "0K", "fast", "-1", "1.5.5M"] {
        let run = mirror.run(&format!("sync --limit-rate={wrong}")).exits(2);
        run.says("--limit-rate").says("500K");
        let mut command = mirror.command("sync");
        crate::support::run(command.env("GUIX_IPFS_LIMIT_RATE", wrong)).exits(2);
    }
}
