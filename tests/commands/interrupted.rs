//! Runs that end early: by a signal, or by a limit of their own.

use crate::support::{Fault, Item, Mirror, TestNode, Upstream, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::CidVersion;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

on_both_nodes!(
    a_signal_breaks_off_downloads_and_publishes_what_is_whole,
    a_second_signal_ends_the_run_at_once,
    a_run_publishes_no_more_than_it_may_and_says_how_much_is_left,
    a_run_that_may_take_no_time_begins_nothing,
    a_second_run_says_who_is_at_work_and_leaves_it_alone,
);

/// Ten items, whose list is ready to be read.
fn ten(mirror: &Mirror, upstream: &Upstream) -> Vec<Item> {
    let items: Vec<_> = (0..10).map(|number| item(number, "item", 2000)).collect();
    upstream.add_items(&items);
    let hashes: Vec<_> = items.iter().map(|item| item.hash.as_str()).collect();
    std::fs::write(mirror.home().join("list"), hashes.join("\n")).unwrap();
    items
}

fn sync(mirror: &Mirror, options: &str) -> String {
    format!("sync --from {}/list {options}", mirror.home().display())
}

/// Starts `sync` with an item that never comes, waits until it has come to that,
/// and sends signals.
fn signalled(node: &TestNode, signals: &[&str]) -> (Option<i32>, usize, Duration) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    let items = ten(&mirror, &upstream);
    let nar = format!("nar/gzip/{}-item", items[9].hash);
    upstream.spoil(&nar, &[Fault::Stall(Duration::from_secs(100))]);
    let mut command = mirror.command(&sync(&mirror, "--jobs 2"));
    let mut running = command.stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while !upstream.has_asked(&nar) && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The other job is done with what it has.
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    for signal in signals {
        crate::support::signal(&running, signal);
        std::thread::sleep(Duration::from_millis(20));
    }
    let code = running.wait().unwrap().code();
    let time = begun.elapsed();
    let mut said = String::new();
    running
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(
        said, "",
        "it was asked to end, and cron need not hear of it"
    );
    let published = mirror.list().len();
    node.published(&mirror.root()).judge();
    mirror.run(&sync(&mirror, "")).silently();
    assert_eq!(mirror.root(), root_of(&tree_of(&items), CidVersion::V0));
    (code, published, time)
}

fn a_signal_breaks_off_downloads_and_publishes_what_is_whole(node: &TestNode) {
    for (signal, exit) in [("-INT", 130), ("-TERM", 143)] {
        let (code, published, time) = signalled(node, &[signal]);
        assert_eq!((code, published), (Some(exit), 9), "{signal}");
        assert!(time < Duration::from_secs(10), "{time:?}");
        node.rename_key("guix-ipfs", signal.trim_start_matches('-'));
    }
}

fn a_second_signal_ends_the_run_at_once(node: &TestNode) {
    let (code, published, time) = signalled(node, &["-TERM", "-TERM"]);
    assert_eq!(code, Some(143));
    assert!(published == 0 || published == 9, "{published}");
    assert!(time < Duration::from_secs(5), "{time:?}");
}

fn a_run_publishes_no_more_than_it_may_and_says_how_much_is_left(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    let items = ten(&mirror, &upstream);
    let limited = sync(&mirror, "--max-bytes 6K");
    mirror
        .run(&format!("{limited} -v"))
        .exits(0)
        .says("7 items are left for another run");
    assert_eq!(mirror.list().len(), 3);
    for _ in 0..3 {
        mirror.run(&limited).silently();
    }
    assert_eq!(mirror.root(), root_of(&tree_of(&items), CidVersion::V0));
}

fn a_run_that_may_take_no_time_begins_nothing(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    ten(&mirror, &upstream);
    let run = mirror.run(&sync(&mirror, "--max-time 0s --json")).exits(0);
    let sum: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(
        (&sum["left"], &sum["files"]),
        (&10.into(), &0.into()),
        "{sum}"
    );
    let asked = upstream.asked();
    assert!(
        !asked.iter().any(|path| path.starts_with("nar/")),
        "{asked:?}"
    );
}

fn a_second_run_says_who_is_at_work_and_leaves_it_alone(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    let items = ten(&mirror, &upstream);
    mirror.run("init").silently();
    let nar = format!("nar/gzip/{}-item", items[9].hash);
    upstream.spoil(&nar, &[Fault::Late(Duration::from_secs(3))]);
    let mut first = mirror.command(&sync(&mirror, "")).spawn().unwrap();
    let start = Instant::now();
    while !upstream.has_asked(&nar) && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let second = mirror.run(&sync(&mirror, "")).exits(75);
    assert_eq!(second.err, "", "cron need not hear of it");
    let holder = format!("process {}", first.id());
    mirror.run(&sync(&mirror, "-v")).exits(75).says(&holder);
    assert_eq!(first.wait().unwrap().code(), Some(0));
    // The file is still there, but a dead process holds nothing.
    mirror.run(&sync(&mirror, "")).silently();
    assert_eq!(mirror.root(), root_of(&tree_of(&items), CidVersion::V0));
}
