//! Failures that pass by themselves: a job of cron says the same once a day.

use crate::support::{Mirror, Run, TestNode, Upstream};
use serde_json::Value;
use std::fs;

on_both_nodes!(an_upstream_that_stays_away_is_said_once_a_day,);

/// Nothing listens there.
const NOBODY: &str = "http://127.0.0.1:9";

fn is_silent(run: Run) {
    let run = run.exits(75);
    assert!(run.out.is_empty() && run.err.is_empty(), "{run:?}");
}

fn an_upstream_that_stays_away_is_said_once_a_day(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let away = format!("sync --upstream {NOBODY}");
    let first = mirror.run(&away).exits(75).says(NOBODY).err;
    is_silent(mirror.run(&away));
    is_silent(mirror.run(&away));
    // Another key, and another upstream, are another job and another failure.
    let other = format!("sync --key other --upstream {NOBODY}");
    mirror.run(&other).exits(75).says(NOBODY);
    mirror
        .run("sync --upstream http://127.0.0.1:10")
        .exits(75)
        .says("127.0.0.1:10");
    // Who asks for more is told every time.
    assert_eq!(mirror.run(&format!("{away} -v")).exits(75).err, first);
    let json = mirror.run(&format!("{away} --json")).exits(75).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["error"].as_str().unwrap().contains(NOBODY), "{json}");
    // When a run went well, the failure is a new one.
    mirror.run("sync").silently();
    mirror.run(&away).exits(75).says(NOBODY);
    is_silent(mirror.run(&away));
    is_silent(mirror.run(&other));
    let file = mirror.home().join(".local/state/guix-ipfs/failures.json");
    let kept: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for printed in ["2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let mut aged = kept.clone();
        for failure in aged.as_array_mut().unwrap() {
            failure["printed"] = printed.into();
        }
        fs::write(&file, aged.to_string()).unwrap();
        mirror.run(&away).exits(75).says(NOBODY);
        is_silent(mirror.run(&away));
    }
    fs::write(&file, "no list").unwrap();
    mirror.run(&away).exits(75).says(NOBODY);
    // Where notes cannot be kept, it is said every time.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    for _ in 0..2 {
        mirror.run(&away).exits(75).says(NOBODY);
    }
}

#[test]
fn a_node_that_stays_away_is_said_once_a_day_and_to_a_person_each_time() {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::at(NOBODY, &upstream);
    for verb in ["sync", "verify", "follow"] {
        fs::remove_dir_all(mirror.home().join(".local")).ok();
        mirror.run(verb).exits(75).says("no node answers");
        is_silent(mirror.run(verb));
    }
    for _ in 0..2 {
        mirror.run("resolve").exits(75).says("no node answers");
        mirror.run("add -").exits(75).says("no node answers");
    }
}
