//! Faults of the network and of a busy upstream.

use crate::support::{Fault, Mirror, TestNode, Upstream, fixture_roots};
use std::time::{Duration, Instant};

on_both_nodes!(
    a_server_that_says_when_to_come_back_is_obeyed,
    a_server_that_wants_hours_is_left_for_another_run,
    a_download_that_stands_still_is_dropped_and_begun_again,
    a_download_that_drips_is_waited_for,
    what_was_refused_for_its_content_is_not_fetched_again_for_a_day,
);

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";
const NAR: &str = "nar/gzip/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt";

fn a_server_that_says_when_to_come_back_is_obeyed(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    upstream.spoil(NAR, &[Fault::RetryAfter(3)]);
    let begun = Instant::now();
    mirror.run("sync").silently();
    assert!(begun.elapsed() >= Duration::from_secs(3));
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

fn a_server_that_wants_hours_is_left_for_another_run(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    upstream.spoil(NAR, &[Fault::RetryAfter(7200)]);
    let begun = Instant::now();
    mirror.run(&format!("add {HELLO}")).exits(3).says("503");
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert_eq!(mirror.list(), Vec::<String>::new());
    mirror.run(&format!("add {HELLO}")).silently();
}

fn a_download_that_stands_still_is_dropped_and_begun_again(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    upstream.spoil(NAR, &[Fault::Stall(Duration::from_secs(30))]);
    let begun = Instant::now();
    mirror
        .run(&format!("add {HELLO} --read-timeout 1"))
        .silently();
    assert!(begun.elapsed() < Duration::from_secs(20));
    node.published(&mirror.root()).judge();
}

fn a_download_that_drips_is_waited_for(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    // Longer than the limit for standing still, in all.
    upstream.spoil(NAR, &[Fault::Drip(Duration::from_millis(15))]);
    let begun = Instant::now();
    mirror
        .run(&format!("add {HELLO} --read-timeout 1"))
        .silently();
    assert!(begun.elapsed() > Duration::from_secs(1));
}

fn what_was_refused_for_its_content_is_not_fetched_again_for_a_day(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let good = upstream.get(NAR);
    upstream.edit(NAR, |nar| {
        let mut nar = nar;
        nar[20] ^= 1;
        nar
    });
    mirror.run("sync").exits(3).says(HELLO);
    upstream.asked();
    // Neither it nor a word, but the item that refers to it still waits.
    mirror.run("sync").silently();
    let asked = upstream.asked();
    assert!(!asked.iter().any(|path| path == NAR), "{asked:?}");
    let long = mirror.run("resolve --long").exits(0).out;
    assert!(long.contains(HELLO) && long.contains(NAR), "{long}");
    // Whoever names it means it.
    mirror.run(&format!("add {HELLO}")).exits(3).says(HELLO);
    upstream.set(NAR, good);
    mirror.run(&format!("add {HELLO}")).silently();
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}
