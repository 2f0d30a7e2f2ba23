//! A fault in each kind of call of the engine to a node, inside the process: for the
//! local store, which has no wire that a proxy could spoil.
//!
//! A target of its own: a process that starts others would lend them its open lock
//! files for a moment.

#[allow(dead_code, unused_macros, unused_imports)]
#[path = "../commands/support/mod.rs"]
#[macro_use]
mod support;

#[macro_use]
mod through_call;

mod endless;
mod farm;
mod faulty;
#[allow(dead_code)]
#[path = "../model/killed.rs"]
mod killed;
mod listing;
mod owed;
mod progress;
mod retention;
mod silent;
mod two_writers;

use endless::Endless;
use faulty::{FaultyNode, Moment};
use guix_ipfs::guix::{ConnectionLimits, UpstreamClient};
use guix_ipfs::mirror::{
    Closure, Failure, GraftChoice, ItemFilter, ItemRef, ItemSelection, MirrorRequest,
    MirrorSummary, Observer, Pauses, RunLimits, mirror,
};
use guix_ipfs::node::Node;
use guix_ipfs::publication::{Engine, PublicationLog, PublisherOptions};
use silent::{Noted, Silent};
use std::path::Path;
use std::time::{Duration, SystemTime};
use support::{Fault, Item, TestNode, Upstream, fixture_roots, item};

fn limits() -> ConnectionLimits {
    ConnectionLimits {
        connect: Duration::from_secs(20),
        read: Duration::from_secs(60),
        low_speed: Duration::from_secs(30),
    }
}

/// Runs something as soon as the lock is free: while another test starts a process, that
/// one holds the open lock files of this one, too.
fn when_free<T>(mut run: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut tries = 0;
    loop {
        tries += 1;
        match run() {
            Err(failure) if failure.is_silent() && tries < 200 => {
                std::thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

/// Mirrors as soon as the lock is free.
fn mirror_when_free(
    node: &dyn Node,
    request: &MirrorRequest,
    observer: &dyn Observer,
) -> Result<MirrorSummary, Failure> {
    when_free(|| mirror(node, request, observer))
}

/// The request of `sync`.
fn request(upstream: &Upstream, locks: &Path, key: &str, closure: Closure) -> MirrorRequest {
    let limits = limits();
    MirrorRequest {
        key: key.to_owned(),
        selection: ItemSelection::LatestBuilds {
            count: 30,
            jobset: None,
        },
        upstreams: vec![UpstreamClient::new(&upstream.url(), limits).unwrap()],
        system: "x86_64-linux".to_owned(),
        filter: ItemFilter::default(),
        encoding: None,
        closure,
        graft: GraftChoice::Auto,
        limits: RunLimits {
            max_bytes: None,
            max_time: None,
            checkpoint: 3,
            max_planned: RunLimits::MAX_PLANNED,
        },
        pauses: Pauses::Obeyed,
        now: SystemTime::now(),
        base: None,
        publishing: PublisherOptions {
            lock_folder: locks.to_owned(),
            record_lifetime: Duration::from_secs(3600),
            allow_offline: true,
            // A writer that is held up here has lost its claim.
            patience: Duration::ZERO,
            log: PublicationLog::default(),
            page: None,
        },
        // One job, so that the calls are the same in every run.
        jobs: 1,
        retention: None,
        lists_pruned: false,
    }
}

#[test]
fn a_fault_in_any_call_of_a_car_run_loses_nothing() {
    a_fault_in_any_call(GraftChoice::Only(Engine::Car), Some(Closure::ItemOnly));
}

#[test]
fn a_fault_in_any_call_of_an_add_link_run_loses_nothing() {
    a_fault_in_any_call(GraftChoice::Only(Engine::AddLink), Some(Closure::ItemOnly));
}

#[test]
fn a_fault_in_any_call_of_a_first_run_leaves_nothing_that_stops_the_next() {
    a_fault_in_any_call(GraftChoice::Only(Engine::Car), None);
    a_fault_in_any_call(GraftChoice::Only(Engine::AddLink), None);
}

/// Fails the first and the last call of each method, before and after it is done.
/// `prepared` is the run that came before, if any.
fn a_fault_in_any_call(graft: GraftChoice, prepared: Option<Closure>) {
    let at = TestNode::local();
    let upstream = Upstream::of_fixtures();
    let known = fixture_roots(0);
    let locks = tempfile::tempdir().unwrap();
    let run = |node: &dyn Node, key: &str, closure: Closure| {
        let request = MirrorRequest {
            graft,
            ..request(&upstream, locks.path(), key, closure)
        };
        mirror_when_free(node, &request, &Silent)
    };
    let prepare = |key: &str| {
        if let Some(closure) = prepared {
            run(at.node(), key, closure).unwrap();
        }
    };
    prepare("whole");
    let faulty = FaultyNode::new(at.node());
    run(&faulty, "whole", Closure::Whole).unwrap();
    let calls = faulty.calls();
    let mut methods = calls.clone();
    methods.sort_unstable();
    methods.dedup();
    assert!(methods.len() > 8, "{methods:?}");
    for method in methods {
        let last = calls.iter().filter(|call| **call == method).count() - 1;
        for (number, (well, moment)) in [(0, Moment::Before), (last, Moment::After)]
            .into_iter()
            .enumerate()
        {
            let key = format!("{method}-{number}");
            prepare(&key);
            faulty.fail(method, well, moment);
            let failed = run(&faulty, &key, Closure::Whole);
            let context = format!("{method} {well} {moment:?}: {:?}", failed.as_ref().err());
            assert!(!faulty.is_waiting(), "it was not called: {context}");
            if let Err(failure) = failed {
                let is_it = matches!(failure, Failure::Publication(_));
                let text = failure.to_string();
                assert!(is_it && text.contains("broken on purpose"), "{context}");
            }
            if let Some(key_id) = at.key_id(&key)
                && let Some(path) = at.node().resolve(&key_id).unwrap()
            {
                at.published(path.strip_prefix("/ipfs/").unwrap()).judge();
            }
            // The next run of the program goes on, and nothing is left.
            run(at.node(), &key, Closure::Whole).unwrap();
            let name = at.key_id(&key).unwrap();
            let path = at.node().resolve(&name).unwrap();
            assert_eq!(path, Some(format!("/ipfs/{}", known[2])), "{context}");
        }
    }
    let nameless: Vec<_> = at
        .pins()
        .into_iter()
        .filter(|(_, name)| name.is_empty())
        .collect();
    assert_eq!(nameless, [], "staging is left");
}

/// A segment holds several nars here, so that more could be fetched before the next
/// one is full.
#[test]
fn a_node_that_fails_early_in_a_batch_ends_every_download() {
    for (moment, jobs) in [(Moment::Before, 1), (Moment::After, 1), (Moment::Before, 3)] {
        let at = TestNode::local();
        let upstream = Upstream::empty();
        let items: Vec<Item> = (0..40).map(|number| item(number, "x", 600 << 10)).collect();
        upstream.add_items(&items);
        // Those after the first segment take longer than the node takes to store that
        // segment and to fail, on a slow disk too.
        for (number, item) in items.iter().enumerate() {
            let nar = format!("nar/gzip/{}-x", item.hash);
            let late = Duration::from_millis(if number < 7 { 20 } else { 1500 });
            upstream.spoil(&nar, &[Fault::Late(late)]);
        }
        let locks = tempfile::tempdir().unwrap();
        let list = items
            .iter()
            .map(|item| item.hash.parse::<ItemRef>().unwrap());
        let request = MirrorRequest {
            selection: ItemSelection::List(list.collect()),
            graft: GraftChoice::Only(Engine::Car),
            limits: RunLimits {
                max_bytes: None,
                max_time: None,
                checkpoint: 100,
                max_planned: RunLimits::MAX_PLANNED,
            },
            jobs,
            ..request(&upstream, locks.path(), "dies", Closure::Whole)
        };
        let first = MirrorRequest {
            selection: ItemSelection::List(Vec::new()),
            ..request.clone()
        };
        mirror_when_free(at.node(), &first, &Silent).unwrap();
        let faulty = FaultyNode::new(at.node());
        // The first one takes note of the list.
        faulty.fail("import", 1, moment);
        let failure = mirror_when_free(&faulty, &request, &Silent).unwrap_err();
        assert!(matches!(failure, Failure::Publication(_)), "{failure:?}");
        assert!(
            failure.to_string().contains("broken on purpose"),
            "{failure}"
        );
        let asked = upstream.asked();
        let fetched = asked.iter().filter(|path| path.starts_with("nar/")).count();
        // Seven fill the first segment; some are under way when it fails.
        let most = 7 + 2 * usize::from(jobs);
        let context = format!("{fetched} nars with {jobs} jobs, {moment:?}");
        assert!((7..=most).contains(&fetched), "{context}");
    }
}
