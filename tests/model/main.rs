//! A model of weeks: two build farms with all their troubles, a node, two users and
//! random runs of the engine, in which everything that was wanted must be found again
//! each evening. The runs are inside this process; the farms are served over loopback.
//!
//! A failure names its seed and its day. `GUIX_IPFS_MODEL_SEEDS` chooses others (`7`,
//! `1-20`), `GUIX_IPFS_MODEL_DAYS`, `GUIX_IPFS_MODEL_BUILDS` and `GUIX_IPFS_MODEL_RUNS` (a
//! day) another size: 200 builds and 12-30 runs a day take some two minutes a seed.
//! `GUIX_IPFS_MODEL_PAIRS` is the number of acts in 1000 that are two runs at once.

#[allow(dead_code, unused_macros, unused_imports)]
#[path = "../commands/support/mod.rs"]
mod support;

#[allow(dead_code)]
#[path = "../engine/silent.rs"]
mod silent;

#[path = "../engine/through_call.rs"]
#[macro_use]
mod through_call;

mod days;
mod farm;
mod fate;
mod item;
mod judge;
mod killed;
mod ledger;
mod random;
mod removals;
mod retention;
mod served;
mod site;
mod terms;
mod wanted;

use days::{Size, run_days};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Mutex, RwLock};
use support::TestNode;

/// Held for reading while a run holds lock files: a process that is just starting
/// would hold them, too, for a moment.
static STARTING: RwLock<()> = RwLock::new(());

/// A local store in memory, where the system has such a folder: it writes everything
/// through to the disk.
fn local() -> TestNode {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => TestNode::local_in(memory),
        false => TestNode::local(),
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let value = std::env::var(variable).ok();
    value.map_or(otherwise, |value| value.parse().unwrap())
}

/// A number or a range such as `1-20`, its end included.
fn range(variable: &str, otherwise: RangeInclusive<u64>) -> RangeInclusive<u64> {
    let Ok(value) = std::env::var(variable) else {
        return otherwise;
    };
    let (first, last) = value.split_once('-').unwrap_or((&value, &value));
    first.parse().unwrap()..=last.parse().unwrap()
}

/// Runs seeds, two at a time, each on a node of its own.
fn run_all(node: fn() -> TestNode, seeds: RangeInclusive<u64>, size: Size) {
    let size = Size {
        days: number("GUIX_IPFS_MODEL_DAYS", size.days),
        builds_a_day: number("GUIX_IPFS_MODEL_BUILDS", size.builds_a_day),
        runs_a_day: range("GUIX_IPFS_MODEL_RUNS", size.runs_a_day),
        pairs: number("GUIX_IPFS_MODEL_PAIRS", size.pairs),
        with_retention: size.with_retention,
    };
    let seeds = Mutex::new(range("GUIX_IPFS_MODEL_SEEDS", seeds));
    let next = || seeds.lock().unwrap().next();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    let node = {
                        let _alone = STARTING.write().unwrap();
                        node()
                    };
                    let kind = if node.is_kubo() { "Kubo" } else { "local" };
                    let counts = run_days(&node, seed, &size);
                    println!("seed {seed}, {kind}, {size:?}: {counts:?}");
                }
            });
        }
    });
}

#[test]
fn on_local_everything_wanted_comes_or_is_owed() {
    let size = Size {
        days: 60,
        builds_a_day: 40,
        runs_a_day: 6..=10,
        pairs: 40,
        with_retention: false,
    };
    run_all(local, 1..=2, size);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn on_kubo_everything_wanted_comes_or_is_owed() {
    let size = Size {
        days: 15,
        builds_a_day: 60,
        runs_a_day: 4..=10,
        pairs: 40,
        with_retention: false,
    };
    run_all(TestNode::kubo, 1..=1, size);
}

/// Writers that know nothing of each other, again and again.
fn pairs() -> Size {
    Size {
        days: 15,
        builds_a_day: 30,
        runs_a_day: 6..=10,
        pairs: 500,
        with_retention: false,
    }
}

#[test]
fn on_local_two_writers_at_once_lose_nothing() {
    run_all(local, 1..=2, pairs());
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn on_kubo_two_writers_at_once_lose_nothing() {
    run_all(TestNode::kubo, 1..=2, pairs());
}

#[test]
fn on_local_what_the_rule_keeps_stays() {
    let size = Size {
        days: 60,
        builds_a_day: 25,
        runs_a_day: 5..=8,
        pairs: 40,
        with_retention: true,
    };
    run_all(local, 1..=2, size);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn on_kubo_what_the_rule_keeps_stays() {
    let size = Size {
        days: 60,
        builds_a_day: 12,
        runs_a_day: 3..=5,
        pairs: 40,
        with_retention: true,
    };
    run_all(TestNode::kubo, 1..=1, size);
}
