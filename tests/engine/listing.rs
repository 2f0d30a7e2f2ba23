//! The farm's list without gaps, whatever stands around a build and wherever.

use crate::farm::{Build, HOUR, MINUTE, SUCCEEDED, Scene, built, list, made};
use crate::faulty::{FaultyNode, Moment};
use crate::support::{TestNode, Upstream};
use crate::{Noted, Silent, mirror_when_free};
use guix_ipfs::ipfs::cid::CidVersion;
use guix_ipfs::mirror::{GraftChoice, ItemSelection, MirrorRequest};
use guix_ipfs::publication::Engine;

on_both_nodes!(
    builds_that_did_not_succeed_hide_no_others,
    what_a_run_left_comes_with_the_next,
    a_build_that_succeeds_late_is_seen_within_an_hour,
    the_lists_of_all_upstreams_are_taken_together,
    a_list_that_does_not_reach_back_is_said_once,
    a_new_mirror_begins_with_the_latest_builds,
    a_mirror_of_an_older_program_closes_the_gap,
    a_list_without_news_writes_nothing,
);

/// The newest first: `new` builds above the old ones, with odd ones among them.
fn with_odd_ones(new: std::ops::Range<u64>, odd: &[(u64, i32, &'static str)]) -> Vec<Build> {
    let mut builds: Vec<Build> = new.rev().map(built).collect();
    for (item, status, system) in odd {
        for build in &mut builds {
            if build.item == *item {
                (build.status, build.system) = (*status, system);
            }
        }
    }
    builds
}

fn builds_that_did_not_succeed_hide_no_others(node: &TestNode) {
    let failed: Vec<_> = (130..140).map(|item| (item, 1, "x86_64-linux")).collect();
    let running: Vec<_> = (110..140).map(|item| (item, -1, "x86_64-linux")).collect();
    let kinds: [&[(u64, i32, &'static str)]; 5] = [
        &[(120, 1, "x86_64-linux")],
        &[(139, 4, "x86_64-linux"), (111, 2, "x86_64-linux")],
        &[(115, SUCCEEDED, "aarch64-linux")],
        &failed,
        // None of the newest thirty.
        &running,
    ];
    for (number, odd) in kinds.into_iter().enumerate() {
        let scene = Scene::new(node, &format!("odd-{number}"));
        scene.serve(&with_odd_ones(0..40, &[]));
        scene.sync(0);
        scene.serve(&with_odd_ones(0..140, odd));
        scene.sync(5 * MINUTE);
        let is_odd = |item: &u64| odd.iter().any(|(odd, ..)| odd == item);
        let wanted = (40..140).filter(|item| !is_odd(item));
        assert_eq!(scene.lacks(wanted), Vec::<u64>::new(), "{number}");
    }
}

fn what_a_run_left_comes_with_the_next(node: &TestNode) {
    let begun = |key: &str| {
        let scene = Scene::new(node, key);
        scene.serve(&with_odd_ones(0..10, &[]));
        scene.sync(0);
        scene.serve(&with_odd_ones(0..30, &[]));
        scene
    };
    let none = Vec::<u64>::new();

    let scene = begun("bytes");
    let mut request = scene.request(5 * MINUTE);
    request.limits.max_bytes = Some(1000);
    let left = scene.run(&request).unwrap().result.left;
    assert!(left > 10, "{left}");
    assert_eq!(scene.ledger().owed.len(), left);
    scene.sync(10 * MINUTE);
    assert_eq!(scene.lacks(0..30), none);
    assert_eq!(scene.ledger().owed, []);

    let scene = begun("time");
    let mut request = scene.request(5 * MINUTE);
    request.limits.max_time = Some(std::time::Duration::ZERO);
    assert_eq!(scene.run(&request).unwrap().result.left, 20);
    scene.sync(10 * MINUTE);
    assert_eq!(scene.lacks(0..30), none);

    let scene = begun("by-hand");
    scene.add(MINUTE, &[made(29)]);
    scene.sync(5 * MINUTE);
    assert_eq!(scene.lacks(0..30), none);

    let scene = begun("not-baked");
    let baked = made(29);
    scene.upstream.remove_item(&baked);
    scene.sync(5 * MINUTE);
    assert_eq!(scene.lacks(0..30), [29]);
    assert_eq!(scene.owed(&baked).unwrap().attempts, 1);
    scene.upstream.add_items([&baked]);
    // The list has gone on meanwhile.
    scene.serve(&with_odd_ones(100..130, &[]));
    scene.sync(20 * MINUTE);
    assert_eq!(scene.lacks(0..30), none);

    let faulty = FaultyNode::new(node.node());
    let graft = GraftChoice::Only(Engine::Car);
    let scene = begun("killed");
    let run = |request: &MirrorRequest| mirror_when_free(&faulty, request, &Silent).map(|_| ());
    faulty.fail("import", 0, Moment::Before);
    run(&MirrorRequest {
        graft,
        ..scene.request(5 * MINUTE)
    })
    .unwrap_err();
    scene.sync(10 * MINUTE);
    assert_eq!(scene.lacks(0..30), none);

    // A list and named items are owed from the beginning of the run on.
    let scene = begun("killed-list");
    let hashes = (20..30).map(|item| made(item).hash.parse().unwrap());
    let from = MirrorRequest {
        selection: ItemSelection::List(hashes.collect()),
        graft,
        ..scene.request(5 * MINUTE)
    };
    faulty.fail("import", 1, Moment::Before);
    run(&from).unwrap_err();
    assert_eq!(scene.ledger().owed.len(), 10);
    scene.serve_list(&[]);
    scene.sync(10 * MINUTE);
    assert_eq!(scene.lacks(20..30), none);
}

fn a_build_that_succeeds_late_is_seen_within_an_hour(node: &TestNode) {
    // It runs, failed and is begun anew, or was cancelled, far down in the list.
    for (number, status) in [-1, 1, 4].into_iter().enumerate() {
        let scene = Scene::new(node, &format!("late-{number}"));
        let late = [(20, status, "x86_64-linux")];
        scene.serve(&with_odd_ones(0..200, &late));
        scene.sync(0);
        scene.serve(&with_odd_ones(0..200, &[]));
        scene.sync(5 * MINUTE);
        assert_eq!(scene.lacks([20]), [20]);
        scene.sync(HOUR);
        assert_eq!(scene.lacks([20]), Vec::<u64>::new(), "{status}");
        // Those that were there before the mirror are not taken.
        assert_eq!(scene.lacks([19, 21]), [19, 21]);
    }
    // By finishing time it stands above all others.
    let scene = Scene::new(node, "late-first");
    let late = [(20, -1, "x86_64-linux")];
    let mut builds = with_odd_ones(0..200, &late);
    scene.serve(&builds);
    scene.sync(0);
    builds.retain(|build| build.item != 20);
    builds.insert(0, built(20));
    scene.serve(&builds);
    scene.sync(5 * MINUTE);
    assert_eq!(scene.lacks([20]), Vec::<u64>::new());
}

fn the_lists_of_all_upstreams_are_taken_together(node: &TestNode) {
    let failed = list(&with_odd_ones(0..2, &[(0, 1, ""), (1, 2, "")]));
    let other = [(0, SUCCEEDED, "armhf-linux"), (1, SUCCEEDED, "armhf-linux")];
    let other = list(&with_odd_ones(0..2, &other));
    let half = list(&with_odd_ones(0..5, &[]));
    for (number, first) in ["[]", &failed, &other, &half].into_iter().enumerate() {
        let mut scene = Scene::new(node, &format!("farms-{number}"));
        let second = Upstream::empty();
        second.add_items(&(0..10).map(made).collect::<Vec<_>>());
        second.set("api/latestbuilds", list(&with_odd_ones(0..10, &[])));
        scene.upstream.set("api/latestbuilds", first);
        let mut request = scene.request(0);
        let limits = crate::limits();
        let client = guix_ipfs::guix::UpstreamClient::new(&second.url(), limits).unwrap();
        request.upstreams.push(client);
        scene.run(&request).unwrap();
        assert_eq!(scene.lacks(0..10), Vec::<u64>::new(), "{number}");
        // One that is away takes nothing from the other.
        second.add_items([&made(10)]);
        second.set("api/latestbuilds", list(&with_odd_ones(0..11, &[])));
        scene.upstream = Upstream::empty();
        scene.run(&request).unwrap();
        assert_eq!(scene.lacks([10]), Vec::<u64>::new(), "{number}");
    }
}

fn a_list_that_does_not_reach_back_is_said_once(node: &TestNode) {
    let scene = Scene::new(node, "gap");
    scene.serve(&with_odd_ones(0..30, &[]));
    scene.sync(0);
    let gaps = |seconds| {
        let noted = Noted::default();
        // Items are not needed to see the gap.
        let mut request = scene.request(seconds);
        request.limits.max_time = Some(std::time::Duration::ZERO);
        mirror_when_free(node.node(), &request, &noted).unwrap();
        noted.gaps()
    };
    // A short list is the whole of it.
    scene.serve_list(&with_odd_ones(100..140, &[]));
    assert_eq!(gaps(5 * MINUTE), 0);
    scene.serve_list(&with_odd_ones(1000..2100, &[]));
    assert_eq!(gaps(10 * MINUTE), 1);
    assert_eq!(gaps(15 * MINUTE), 0);
    assert_eq!(gaps(3 * HOUR), 0);
    // Most of what it lists did not succeed.
    let failed: Vec<_> = (3000..3990).map(|item| (item, 1, "x86_64-linux")).collect();
    scene.serve_list(&with_odd_ones(3000..4100, &failed));
    assert_eq!(gaps(4 * HOUR), 1);
}

fn a_new_mirror_begins_with_the_latest_builds(node: &TestNode) {
    let scene = Scene::new(node, "begins");
    scene.serve(&with_odd_ones(0..100, &[(90, 1, "x86_64-linux")]));
    scene.add(0, &[made(3)]);
    scene.sync(0);
    assert_eq!(scene.lacks(70..100), [90]);
    assert_eq!(scene.lacks([3, 68, 60]), [68, 60]);
    assert_eq!(scene.ledger().owed, []);
    scene.sync(2 * HOUR);
    assert_eq!(scene.lacks([68, 60]), [68, 60]);
}

fn a_mirror_of_an_older_program_closes_the_gap(node: &TestNode) {
    use crate::support::tree_of;
    let scene = Scene::new(node, "older");
    let old: Vec<_> = [5, 8].map(made).into();
    let root = node.store_tree(&tree_of(&old), CidVersion::V0);
    node.create_key("older");
    node.publish("older", &root);
    scene.serve(&with_odd_ones(0..100, &[]));
    scene.sync(0);
    assert_eq!(scene.lacks(5..100), Vec::<u64>::new());
    assert_eq!(scene.lacks([4]), [4]);
}

fn a_list_without_news_writes_nothing(node: &TestNode) {
    for (number, count) in [1, 30, 1000].into_iter().enumerate() {
        let scene = Scene::new(node, &format!("idle-{number}"));
        scene.serve(&with_odd_ones(0..5, &[(4, 1, "x86_64-linux")]));
        let request = |seconds| MirrorRequest {
            selection: ItemSelection::LatestBuilds {
                count,
                jobset: None,
            },
            ..scene.request(seconds)
        };
        scene.run(&request(0)).unwrap();
        let faulty = FaultyNode::new(node.node());
        mirror_when_free(&faulty, &request(5 * MINUTE), &Silent).unwrap();
        let calls = faulty.calls();
        let writes = [
            "import",
            "put_block",
            "pin",
            "pin_update",
            "unpin",
            "publish",
        ];
        assert!(
            !calls.iter().any(|call| writes.contains(call)),
            "{count}: {calls:?}"
        );
    }
}
