//! Each kind of fault, once in each kind of call to the node.

use crate::support::{Mirror, Proxy, Spoil, TestNode, Upstream, fixture_roots, item};
use std::time::Duration;

on_kubo_alone!(
    a_fault_in_any_call_of_a_car_run_is_named_and_loses_nothing,
    a_fault_in_any_call_of_an_add_link_run_is_named_and_loses_nothing,
    a_fault_in_any_call_of_a_first_run_leaves_nothing_that_stops_the_next,
    a_node_that_is_slow_is_waited_for,
    a_node_that_answers_never_is_given_up,
    an_import_that_hangs_ends_with_the_time_that_it_was_given,
    what_imports_with_lost_answers_pinned_is_unpinned,
    a_node_that_does_not_tell_how_full_it_is_stops_nothing,
);

const MESSAGE: &str = r#"{"Message":"spoiled for a test","Code":0,"Type":"error"}"#;

/// A fault of a call, and a part of the message about it.
pub const FAULTS: [(Spoil, &str); 7] = [
    (Spoil::Before, "cut short"),
    (Spoil::After, "cut short"),
    (
        Spoil::Answer(500, MESSAGE),
        "the node reports: spoiled for a test",
    ),
    (
        Spoil::Answer(404, "404 page not found"),
        "this node has no command",
    ),
    (Spoil::Half, "cut short"),
    (Spoil::StreamError, "cut short"),
    (Spoil::WrongLength, "cut short"),
];

fn a_fault_in_any_call_of_a_car_run_is_named_and_loses_nothing(node: &TestNode) {
    faults_in_any_call(node, "car");
}

fn a_fault_in_any_call_of_an_add_link_run_is_named_and_loses_nothing(node: &TestNode) {
    faults_in_any_call(node, "add-link");
}

/// Spoils the last call of each kind, for which most has been done before.
fn faults_in_any_call(node: &TestNode, graft: &str) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    let known = fixture_roots(0);
    mirror.run("sync --key whole --no-closure").silently();
    proxy.calls();
    // One job, so that the calls are the same in every run.
    let options = format!("--graft {graft} --jobs 1");
    mirror
        .run(&format!("sync --key whole {options}"))
        .silently();
    let calls = proxy.calls();
    let mut kinds = calls.clone();
    kinds.sort();
    kinds.dedup();
    for (number, command) in kinds.iter().enumerate() {
        let before = calls.iter().filter(|call| *call == command).count() - 1;
        for (at, (spoil, says)) in FAULTS.iter().enumerate() {
            let says = said_of(command, says);
            let key = format!("--key faults-{number}-{at}");
            mirror.run(&format!("sync --no-closure {key}")).silently();
            proxy.spoil(command, before, *spoil);
            let spoiled = mirror.run(&format!("sync {key} {options}"));
            let context = format!("{command}, {spoil:?}: {spoiled:?}");
            assert!(!proxy.is_waiting(), "it was not called: {context}");
            let root = mirror.run(&format!("resolve {key}")).exits(0).out;
            let root = root.trim().trim_start_matches("/ipfs/");
            match spoiled.code {
                // What comes after the publication, or need not be known.
                Some(0) => assert_eq!(root, known[2], "{context}"),
                Some(1) => {
                    assert!(spoiled.err.contains(says), "no {says:?} in {context}");
                    assert!(root == known[1] || root == known[2], "{root}: {context}");
                }
                _ => panic!("{context}"),
            }
            node.published(root).judge();
            mirror.run(&format!("sync {key}")).silently();
            let root = mirror.run(&format!("resolve {key}")).exits(0).out;
            assert_eq!(root, format!("/ipfs/{}\n", known[2]), "{context}");
        }
    }
}

fn said_of(command: &str, says: &'static str) -> &'static str {
    match (command, says) {
        // Whatever does not know this one is no node.
        ("id", "this node has no command") => "is not a node's RPC",
        (_, says) => says,
    }
}

/// The calls that make a key and its first journal.
fn a_fault_in_any_call_of_a_first_run_leaves_nothing_that_stops_the_next(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror.run("init --key whole").silently();
    let mut kinds = proxy.calls();
    kinds.sort();
    kinds.dedup();
    for made in ["key/gen", "key/rename", "pin/add"] {
        assert!(kinds.iter().any(|kind| kind == made), "{made}: {kinds:?}");
    }
    for (number, command) in kinds.iter().enumerate() {
        for (at, (spoil, says)) in FAULTS.iter().enumerate() {
            let key = format!("--key first-{number}-{at}");
            proxy.spoil(command, 0, *spoil);
            let spoiled = mirror.run(&format!("init {key}"));
            let context = format!("{command}, {spoil:?}: {spoiled:?}");
            assert!(!proxy.is_waiting(), "it was not called: {context}");
            match spoiled.code {
                Some(0) => {}
                Some(1) => {
                    let says = said_of(command, says);
                    assert!(spoiled.err.contains(says), "no {says:?} in {context}");
                }
                _ => panic!("{context}"),
            }
            mirror.run(&format!("sync --no-closure {key}")).silently();
            let root = mirror.run(&format!("resolve {key}")).exits(0).out;
            assert_eq!(
                root,
                format!("/ipfs/{}\n", fixture_roots(0)[1]),
                "{context}"
            );
        }
    }
}

fn a_node_that_is_slow_is_waited_for(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    let late = Spoil::Late(Duration::from_secs(2));
    for (command, spoil) in [
        ("name/resolve", Spoil::Drip),
        ("pin/update", late),
        ("name/publish", late),
        ("dag/import", late),
    ] {
        let key = format!("--key slow-{}", command.replace('/', "-"));
        proxy.spoil(command, 0, spoil);
        mirror
            .run(&format!("sync {key} --graft car --read-timeout 10"))
            .silently();
        assert!(!proxy.is_waiting(), "{command} was not called");
    }
}

fn a_node_that_answers_never_is_given_up(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror.run("sync --no-closure").silently();
    proxy.spoil("key/list", 0, Spoil::Late(Duration::from_secs(20)));
    mirror
        .run("sync --read-timeout 1")
        .exits(1)
        .says("the node did not answer within 1 seconds");
    assert_eq!(mirror.root(), fixture_roots(0)[1]);
    mirror.run("sync").silently();
}

fn an_import_that_hangs_ends_with_the_time_that_it_was_given(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror.run("sync --no-closure").silently();
    proxy.spoil("dag/import", 0, Spoil::Late(Duration::from_secs(30)));
    let run = mirror.run("sync --graft car --read-timeout 1").exits(1);
    run.says("the node did not answer within 5 seconds");
    assert_eq!(mirror.root(), fixture_roots(0)[1]);
    mirror.run("sync --graft car").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

/// The lock file lists what may be pinned, until it is known not to be.
fn what_imports_with_lost_answers_pinned_is_unpinned(node: &TestNode) {
    let proxy = Proxy::new(&node.api);
    let items: Vec<_> = (0..9).map(|number| item(number, "x", 2000)).collect();
    for (number, spoils) in [
        [Spoil::After; 5],
        [Spoil::Half; 5],
        [
            Spoil::StreamError,
            Spoil::WrongLength,
            Spoil::After,
            Spoil::Half,
            Spoil::Before,
        ],
    ]
    .into_iter()
    .enumerate()
    {
        let upstream = Upstream::empty();
        upstream.add_items(&items);
        let mirror = Mirror::at(&proxy.url, &upstream);
        let key = format!("--key cut-{number} --graft car");
        mirror
            .run(&format!("add {} {key}", items[0].hash))
            .silently();
        for (item, spoil) in items[1..].iter().zip(spoils) {
            let add = format!("add {} {key}", item.hash);
            proxy.spoil("dag/import", 0, spoil);
            mirror.run(&add).exits(1);
            // Neither is another failure a reason to forget them.
            proxy.spoil("pin/rm", 0, Spoil::Answer(500, MESSAGE));
            mirror.run(&add);
            proxy.is_waiting();
        }
        mirror
            .run(&format!("add {} {key}", items[7].hash))
            .silently();
        let pins = node.pins();
        assert!(pins.values().all(|name| !name.is_empty()), "{pins:?}");
    }
}

fn a_node_that_does_not_tell_how_full_it_is_stops_nothing(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    let spoils = FAULTS.map(|(spoil, _)| spoil).into_iter();
    let more = [
        Spoil::Late(Duration::from_secs(30)),
        Spoil::Answer(200, "{}"),
    ];
    for (number, spoil) in spoils.chain(more).enumerate() {
        let key = format!("--key full-{number}");
        proxy.spoil("repo/stat", 0, spoil);
        let sync = format!("sync --no-closure --read-timeout 1 {key}");
        mirror.run(&sync).silently();
        assert!(!proxy.is_waiting(), "{spoil:?}");
        let root = mirror.run(&format!("resolve {key}")).exits(0).out;
        assert_eq!(root, format!("/ipfs/{}\n", fixture_roots(0)[1]));
    }
}
