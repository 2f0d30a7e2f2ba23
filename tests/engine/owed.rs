//! Owed items: when they are tried again, when they are given up, and what is said.

use crate::farm::{DAY, HOUR, MINUTE, Scene, built, made};
use crate::faulty::{FaultyNode, Moment};
use crate::support::{Fault, TestNode, Upstream};
use crate::{Endless, Silent, mirror_when_free};
use guix_ipfs::mirror::{GraftChoice, ItemSelection, MirrorRequest, OwedKind, preview};
use guix_ipfs::node::DryRun;
use std::time::Duration;

on_both_nodes!(
    pauses_hold_for_what_a_list_names_in_every_run,
    an_item_waits_no_longer_than_for_what_it_refers_to,
    a_refusal_of_a_clock_gone_wrong_is_over_at_once,
    an_item_that_never_comes_is_given_up_and_said,
    of_an_item_with_one_nar_missing_the_others_are_fetched_once,
    what_an_option_excludes_is_not_owed,
    an_endless_upstream_ends_the_plan_and_not_the_mirror,
    a_spent_budget_hides_no_failure_of_add_link,
    what_a_person_removed_stays_out,
    an_upstream_that_goes_away_leaves_what_was_named_owed,
    a_preview_leaves_out_what_a_run_would,
);

const NONE: Vec<u64> = Vec::new();

fn pauses_hold_for_what_a_list_names_in_every_run(node: &TestNode) {
    let scene = Scene::new(node, "pauses");
    scene.upstream.add_items([&made(0)]);
    let items: Vec<_> = (0..40).map(made).collect();
    let first = scene.sync_list(0, &items);
    assert_eq!(first.plan.skipped.len(), 39);
    assert!(first.plan.skipped.iter().all(|item| first.is_new(item)));
    assert_eq!(scene.asked(0..40).len(), 40);
    for (seconds, asked) in [
        (5 * MINUTE, 0),
        (10 * MINUTE, 0),
        (15 * MINUTE, 39),
        (30 * MINUTE, 0),
        (45 * MINUTE, 39),
        (90 * MINUTE, 0),
        (2 * HOUR, 39),
        (DAY + HOUR, 39),
        (2 * DAY + HOUR, 39),
        (3 * DAY + HOUR, 39),
        (4 * DAY + HOUR, 39),
        (5 * DAY, 0),
        // Never more than a day.
        (5 * DAY + HOUR, 39),
        (6 * DAY, 0),
        (6 * DAY + HOUR, 39),
    ] {
        let run = scene.sync_list(seconds, &items);
        assert_eq!(scene.asked(1..40).len(), asked, "{seconds}");
        // The same reason is no news for a day.
        let news = run.plan.skipped.iter().filter(|item| run.is_new(item));
        let is_day_later = seconds > DAY && asked > 0;
        assert_eq!(news.count() > 0, is_day_later, "{seconds}");
    }
    // A person who names one means it.
    scene.upstream.add_items(&items);
    scene.add(6 * DAY + 2 * HOUR, &items[5..7]);
    assert_eq!(scene.lacks([5, 6]), NONE);
}

fn an_item_waits_no_longer_than_for_what_it_refers_to(node: &TestNode) {
    // Broken off, not there yet, and refused; each time something refers to it.
    for (number, kind) in [OwedKind::Broken, OwedKind::Absent, OwedKind::Refused]
        .into_iter()
        .enumerate()
    {
        let scene = Scene::new(node, &format!("waits-{number}"));
        let needed = made(1);
        let needs = made(2).referring_to([&needed]);
        scene.upstream.add_items([&needed, &needs]);
        let nar = needed.nar();
        match kind {
            OwedKind::Broken => scene.upstream.spoil(&nar, &[Fault::Cut; 3]),
            OwedKind::Absent => scene.upstream.remove(&format!("{}.narinfo", needed.hash)),
            _ => {
                let other = made(3);
                scene.upstream.set(&nar, other.files[&other.nar()].clone());
            }
        }
        scene.serve_list(&[built(2)]);
        scene.sync(0);
        assert_eq!(
            scene.owed(&needed).map(|owed| owed.attempt.kind),
            Some(kind)
        );
        let waiting = scene.owed(&needs).unwrap();
        assert_eq!(waiting.attempt.kind, OwedKind::Waiting);
        assert_eq!(waiting.attempt.needs.unwrap().as_str(), needed.hash);
        scene.upstream.add_items([&needed]);
        let due = match kind {
            OwedKind::Broken => 5 * MINUTE,
            OwedKind::Absent => 15 * MINUTE,
            _ => 4 * HOUR,
        };
        scene.sync(due - 2 * MINUTE);
        assert_eq!(scene.lacks([1, 2]), [1, 2], "{kind:?}");
        scene.sync(due);
        assert_eq!(scene.lacks([1, 2]), NONE, "{kind:?}");
        assert_eq!(scene.ledger().owed, []);
    }
}

fn a_refusal_of_a_clock_gone_wrong_is_over_at_once(node: &TestNode) {
    for (number, ahead) in [2 * DAY, 400 * DAY, 20_000 * DAY].into_iter().enumerate() {
        let scene = Scene::new(node, &format!("clock-{number}"));
        let (good, other) = (made(1), made(2));
        scene.upstream.add_items([&good]);
        let nar = good.nar();
        scene.upstream.set(&nar, other.files[&other.nar()].clone());
        scene.serve_list(&[built(1)]);
        scene.sync(ahead);
        assert_eq!(scene.owed(&good).unwrap().attempt.kind, OwedKind::Refused);
        scene.upstream.add_items([&good]);
        scene.sync(0);
        assert_eq!(scene.lacks([1]), NONE, "{ahead}");
    }
}

fn an_item_that_never_comes_is_given_up_and_said(node: &TestNode) {
    let scene = Scene::new(node, "given-up");
    scene.serve_list(&[built(1)]);
    let mut given_up = Vec::new();
    let mut reported = Vec::new();
    for half_day in 0..40 {
        let run = scene.sync(half_day * DAY / 2 + half_day);
        given_up.extend(run.given_up.iter().map(|_| half_day / 2));
        let news = run.plan.skipped.iter().filter(|item| run.is_new(item));
        reported.extend(news.map(|_| half_day / 2));
    }
    assert_eq!(given_up.len(), 1, "{given_up:?}");
    assert!((14..17).contains(&given_up[0]), "{given_up:?}");
    // A build may be baked for a day before that is worth a word; then once a day.
    assert!(reported[0] >= 1 && reported.len() >= 12, "{reported:?}");
    assert!(
        reported.windows(2).all(|two| two[0] < two[1]),
        "{reported:?}"
    );
    // The ledger lists it, and it is not asked for by itself.
    assert!(scene.owed(&made(1)).unwrap().given_up);
    scene.asked([1]);
    scene.sync(21 * DAY);
    assert_eq!(scene.asked([1]), NONE);
    // A list that names it makes it come once more, when it can be had.
    scene.upstream.add_items([&made(1)]);
    scene.sync_list(22 * DAY, &[made(1)]);
    assert_eq!(scene.lacks([1]), NONE);
}

fn of_an_item_with_one_nar_missing_the_others_are_fetched_once(node: &TestNode) {
    let hello = "21q7lx382p28sibkw2l721ybjxymkh1a";
    let nar = |kind: &str| format!("nar/{kind}/{hello}-rig-hello.txt");
    let faults = [
        Fault::Status(404),
        Fault::Status(403),
        Fault::Status(410),
        Fault::Status(500),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let mut scene = Scene::new(node, &format!("one-nar-{number}"));
        scene.upstream = Upstream::of_fixtures();
        scene.upstream.spoil(&nar("zstd"), &[fault; 100]);
        let mut others = 0;
        let mut reported = 0;
        for minutes in (0..24 * 60).step_by(5) {
            let run = scene.sync(minutes * MINUTE);
            let asked = scene.upstream.asked();
            others += asked.iter().filter(|path| **path == nar("gzip")).count();
            let news = run.plan.skipped.iter();
            let news = news.filter(|item| item.item.contains(hello) && run.is_new(item));
            reported += news.count();
        }
        assert_eq!((others, reported), (1, 1), "{number}");
        scene.upstream.spoil(&nar("zstd"), &[]);
        scene.sync(2 * DAY);
        let path = format!("/ipfs/{}/{}", scene.root(), nar("zstd"));
        assert_eq!(node.get(&path).status, 200);
    }
}

fn what_an_option_excludes_is_not_owed(node: &TestNode) {
    let scene = Scene::new(node, "excluded");
    let large = crate::support::item(1, "x", 5000);
    let small = made(2);
    let needs_large = made(3).referring_to([&large]);
    scene.upstream.add_items([&large, &small, &needs_large]);
    scene.serve_list(&[built(1), built(2), built(3)]);
    let mut limited = scene.request(0);
    limited.filter.max_nar_size = Some(1000);
    let run = scene.run(&limited).unwrap();
    assert_eq!(run.plan.skipped.len(), 2);
    assert_eq!(scene.lacks(1..4), [1, 3]);
    assert_eq!(scene.ledger().owed, []);
    scene.asked(1..4);
    limited.now += Duration::from_secs(DAY);
    scene.run(&limited).unwrap();
    assert_eq!(scene.asked(1..4), NONE);
    // Nor is it remembered across options.
    scene.sync(DAY + MINUTE);
    assert_eq!(scene.lacks(1..4), NONE);
}

fn an_endless_upstream_ends_the_plan_and_not_the_mirror(node: &TestNode) {
    let endless = Endless::new();
    let mut scene = Scene::new(node, "endless");
    scene.upstream.add_items([&made(1)]);
    scene.serve_list(&[built(1)]);
    let limits = crate::limits();
    let client = guix_ipfs::guix::UpstreamClient::new(&endless.url(), limits).unwrap();
    let request = |seconds, items: Vec<String>| {
        let mut request = scene.request(seconds);
        request.upstreams.push(client.clone());
        let items = items.iter().map(|hash| hash.parse().unwrap());
        request.selection = ItemSelection::List(items.collect());
        request.limits.max_planned = 300;
        request
    };
    let both = || vec![Endless::first(), made(1).hash];
    let run = scene.run(&request(0, both())).unwrap();
    assert_eq!(run.result.mirrored.len(), 1);
    assert_eq!(scene.ledger().owed.len(), 1);
    // Alone it is refused, so that not each run asks for as much again.
    scene.run(&request(5 * MINUTE, both())).unwrap();
    let owed = scene.ledger().owed.remove(0);
    assert_eq!(owed.attempt.kind, OwedKind::Refused);
    assert!(
        owed.attempt.reason.contains("than one run can mirror"),
        "{}",
        owed.attempt.reason
    );
    let before = endless.asked();
    scene.run(&request(10 * MINUTE, both())).unwrap();
    assert_eq!(endless.asked(), before);
    // Time ends a plan, too.
    let mut timed = request(DAY, both());
    timed.limits.max_planned = usize::MAX;
    timed.limits.max_time = Some(Duration::from_millis(500));
    let run = scene.run(&timed).unwrap();
    assert!(run.result.left > 0);
    assert_eq!(scene.ledger().owed[0].attempt.kind, OwedKind::Left);
    scene.upstream = Upstream::empty();
}

fn a_spent_budget_hides_no_failure_of_add_link(node: &TestNode) {
    let faulty = FaultyNode::new(node.node());
    for (number, method) in ["add_link", "add_file", "pin_update"]
        .into_iter()
        .enumerate()
    {
        let scene = Scene::new(node, &format!("spent-{number}"));
        scene.serve(&[built(0)]);
        scene.sync(0);
        scene.serve(&[built(1), built(0)]);
        let mut request = scene.request(5 * MINUTE);
        request.graft = GraftChoice::Auto;
        request.limits.max_bytes = Some(1);
        faulty.fail(method, 0, Moment::Before);
        let run = mirror_when_free(&faulty, &request, &Silent);
        assert!(!faulty.is_waiting(), "{method}");
        // Published by the other way, or told.
        assert!(run.is_err() || scene.has(&made(1)), "{method}");
        scene.run(&request).unwrap();
        assert_eq!(scene.lacks([1]), NONE, "{method}");
    }
}

fn what_a_person_removed_stays_out(node: &TestNode) {
    let scene = Scene::new(node, "removed");
    let needs = made(2).referring_to([&made(1)]);
    scene.serve(&[built(1), built(0)]);
    scene.sync(0);
    scene.remove(MINUTE, &[made(1)]);
    // By the farm's list, by a person's list, and as a reference.
    scene.serve(&[built(1), built(0), built(3)]);
    scene.sync(2 * HOUR);
    assert_eq!(scene.lacks([0, 1, 3]), [1]);
    assert_eq!(
        scene.sync_list(3 * HOUR, &[made(1), made(0)]).plan.removed,
        1
    );
    assert_eq!(scene.lacks([1]), [1]);
    scene.upstream.add_items([&needs]);
    let run = scene.sync_list(4 * HOUR, &[made(2)]);
    let reason = run.plan.skipped[0].reason.to_string();
    assert!(reason.contains("removed by hand"), "{reason}");
    assert_eq!(scene.lacks([1, 2]), [1, 2]);
    let removed = scene.ledger().removed;
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0].hash.as_str(), made(1).hash);
    // Until a person adds it; then what waits for it comes as well.
    scene.add(5 * HOUR, &[made(1)]);
    assert_eq!(scene.ledger().removed, []);
    scene.sync(5 * HOUR);
    assert_eq!(scene.lacks([1, 2]), NONE);
    // An owed item can be removed, too.
    scene.add(6 * HOUR, &[made(9)]);
    scene.remove(6 * HOUR, &[made(9)]);
    assert_eq!(scene.ledger().owed, []);
    scene.upstream.add_items([&made(9)]);
    scene.sync(9 * DAY);
    assert_eq!(scene.lacks([9]), [9]);
}

fn an_upstream_that_goes_away_leaves_what_was_named_owed(node: &TestNode) {
    let mut scene = Scene::new(node, "away");
    scene.serve(&[built(0)]);
    scene.sync(0);
    let request = |scene: &Scene, seconds| MirrorRequest {
        selection: ItemSelection::List(vec![made(1).hash.parse().unwrap()]),
        ..scene.request(seconds)
    };
    let mut away = request(&scene, MINUTE);
    let limits = crate::limits();
    away.upstreams =
        vec![guix_ipfs::guix::UpstreamClient::new("http://127.0.0.1:1", limits).unwrap()];
    scene.run(&away).unwrap_err();
    assert_eq!(scene.owed(&made(1)).unwrap().attempt.kind, OwedKind::Left);
    scene.upstream = Upstream::empty();
    scene.serve(&[built(1), built(0)]);
    scene.serve_list(&[]);
    scene.sync(5 * MINUTE);
    assert_eq!(scene.lacks([1]), NONE);
}

fn a_preview_leaves_out_what_a_run_would(node: &TestNode) {
    let scene = Scene::new(node, "preview");
    let other = made(5);
    scene.serve(&[built(3), built(2), built(1), built(0)]);
    scene
        .upstream
        .set(&made(1).nar(), other.files[&other.nar()].clone());
    scene.upstream.remove(&format!("{}.narinfo", made(2).hash));
    scene.sync(0);
    scene.remove(0, &[made(0)]);
    // Refused, absent and removed; in the end with one that is new.
    let hashes: Vec<_> = (0..5)
        .map(|item| made(item).hash.parse().unwrap())
        .collect();
    let planned = |seconds| {
        let request = MirrorRequest {
            selection: ItemSelection::List(hashes.clone()),
            ..scene.request(seconds)
        };
        let plan = preview(&DryRun(node.node()), &request, &Silent).unwrap();
        (plan.items.len(), plan.paused, plan.removed)
    };
    assert_eq!(planned(MINUTE), (0, 2, 1));
    scene.upstream.add_items([&made(2), &made(4)]);
    assert_eq!(planned(MINUTE), (1, 2, 1));
    assert_eq!(planned(HOUR), (2, 1, 1));
    assert_eq!(planned(5 * HOUR), (3, 0, 1));
}
