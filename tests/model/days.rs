//! Days of a mirror: random runs at random times, and a judgement each evening.

use crate::STARTING;
use crate::farm::World;
use crate::item::{DAY, ItemId};
use crate::judge::Judge;
use crate::ledger::Ledger;
use crate::random::Random;
use crate::retention::rule;
use crate::site::{KEY, Site};
use crate::support::TestNode;
use crate::terms::{Counts, End, RunKind, Terms};
use guix_ipfs::mirror::ReferencedItems;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The size of a model.
#[derive(Clone, Debug)]
pub struct Size {
    pub days: u64,
    pub builds_a_day: u64,
    pub runs_a_day: RangeInclusive<u64>,
    /// Of 1000 acts, those of two users at once.
    pub pairs: u64,
    /// Each `sync` obeys a rule of retention, and people prune.
    pub with_retention: bool,
}

/// The pause between two collections beside a run.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs a seed's days on a node, and returns the counts.
pub fn run_days(node: &TestNode, seed: u64, size: &Size) -> Counts {
    let world = World::new(seed, size.days, size.builds_a_day);
    let mut site = Site::new(node, seed, world);
    site.rule = size.with_retention.then(rule);
    let mut random = Random::new(seed ^ 0x6d6f_6465);
    let mut judge = Judge::default();
    for day in 0..size.days {
        site.begin_day(day);
        let mut times: Vec<u64> = (0..random
            .between(*size.runs_a_day.start(), size.runs_a_day.end() + 1))
            .map(|_| day * DAY + random.between(0, DAY))
            .collect();
        times.sort_unstable();
        for now in times {
            site.set_now(now);
            // A change of one act does not change all that comes after it.
            let mut of_act = random.fork();
            let _running = STARTING.read().unwrap();
            act(&mut site, &mut of_act, size.pairs);
            if site.node.key_id(KEY).is_some() {
                let ledger = Ledger::of(site.node);
                site.wanted.note_given_up(&ledger);
            }
        }
        site.set_now((day + 1) * DAY - 1);
        if site.node.key_id(KEY).is_some() {
            site.node.collect_garbage();
            if day % 10 == 9 || day + 1 == size.days {
                judge.forget();
            }
            judge.judge(&mut site);
        }
    }
    let is_pruned = site.counts.pruned > 0;
    assert_eq!(is_pruned, size.with_retention && size.days > 40);
    site.sum_up()
}

fn act(site: &mut Site, random: &mut Random, pairs: u64) {
    if random.chance(40) {
        site.counts.collections += 1;
        site.node.collect_garbage();
        site.log("collected garbage".to_owned());
    }
    let is_begun = site.node.key_id(KEY).is_some();
    if is_begun && random.chance(pairs) {
        return both(site, random);
    }
    let terms = Terms::random(random, site);
    let end = match random.between(0, 1000) {
        _ if !is_begun => site.run(&RunKind::Sync, &Terms::plain(0)),
        0..40 => return beside_the_collector(site, random),
        40..100 => {
            let kind = RunKind::Add(some_items(site, random));
            site.run(&kind, &terms)
        }
        100..140 => {
            let kind = RunKind::From(some_items(site, random));
            site.run(&kind, &terms)
        }
        140..180 => {
            let items = site.any_published(random);
            let referenced = match random.chance(500) {
                true => ReferencedItems::Removed,
                false => ReferencedItems::Kept,
            };
            site.remove(&items, referenced, &terms)
        }
        180..186 => {
            let items = site.old_items();
            site.remove(&items, ReferencedItems::Kept, &terms)
        }
        186..200 => site.repair(&terms),
        200..250 if site.rule.is_some() => {
            // One clock at a time is wrong; that of a `sync` may be.
            let terms = Terms { jump: 0, ..terms };
            site.prune(random, &terms)
        }
        _ => site.run(&RunKind::Sync, &terms),
    };
    if let End::Well = end {
        after_a_good_run(site, terms.user);
    }
}

/// Items that a person may name: of late or old, to be had or not.
fn some_items(site: &Site, random: &mut Random) -> Vec<ItemId> {
    let made = site
        .wanted
        .possible
        .last_key_value()
        .map_or(1, |(last, _)| last + 1);
    let count = random.between(1, 4);
    (0..count)
        .map(|_| random.between(0, made as u64) as ItemId)
        .collect()
}

/// Two users write at once. None is killed: the moment between its publication and its
/// look at what the other published is not made good by the next run.
fn both(site: &mut Site, random: &mut Random) {
    let mut kind = || match random.chance(600) {
        true => RunKind::Sync,
        false => RunKind::Add(some_items(site, random)),
    };
    let kinds = [kind(), kind()];
    let terms = [0, 1].map(|user| Terms {
        user,
        is_alone: false,
        killed: None,
        ..Terms::random(random, site)
    });
    site.run_both([&kinds[0], &kinds[1]], [&terms[0], &terms[1]]);
}

/// The collector runs again and again while a run writes.
fn beside_the_collector(site: &mut Site, random: &mut Random) {
    let terms = Terms {
        is_alone: false,
        ..Terms::random(random, site)
    };
    let node = site.node;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut collections = 0;
            while !is_over.load(Ordering::SeqCst) {
                node.collect_garbage();
                collections += 1;
                std::thread::sleep(PAUSE);
            }
            collections
        });
        site.run(&RunKind::Sync, &terms);
        is_over.store(true, Ordering::SeqCst);
        site.counts.collections += collector.join().unwrap();
    });
}

/// Checks the pins after a run that ended well and was alone.
fn after_a_good_run(site: &mut Site, user: usize) {
    let ledger = Ledger::of(site.node);
    site.wanted.settle(&ledger);
    let name = format!("guix-ipfs/{}", site.node.key_id(KEY).unwrap());
    let pins = site.node.pins();
    let journals = pins.values().filter(|pin| **pin == name).count();
    assert_eq!(journals, 1, "journals that are pinned: {pins:?}");
    // A killed run's pins stay until its user's next run.
    let mut listed = String::new();
    for folder in site.users.iter().enumerate().filter(|(at, _)| *at != user) {
        for file in folder.1.path().read_dir().unwrap() {
            listed += &std::fs::read_to_string(file.unwrap().path()).unwrap();
        }
    }
    let leaked: Vec<_> = pins
        .iter()
        .filter(|(cid, pin)| **pin != name && !listed.lines().any(|line| line == cid.as_str()))
        .collect();
    assert!(leaked.is_empty(), "pins that nobody lets go of: {leaked:?}");
}
