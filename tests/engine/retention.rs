//! Retention over months: what stays, what goes, and what no clock and no farm that is
//! away may bring to go.

use crate::farm::{DAY, HOUR, MINUTE, Scene, built, made};
use crate::faulty::{FaultyNode, Moment};
use crate::killed::KilledNode;
use crate::support::{Fault, Item, TestNode, Upstream, item, root_of, tree_of};
use crate::{Silent, limits, when_free};
use guix_ipfs::guix::UpstreamClient;
use guix_ipfs::ipfs::cid::CidVersion;
use guix_ipfs::mirror::{
    Failure, MirrorRequest, PruneOutcome, PruneRequest, PruneSummary, PruneTerms, RetentionRule,
    preview_prune, prune,
};
use guix_ipfs::node::{DryRun, Node};
use std::time::Duration;

on_both_nodes!(
    what_was_wanted_within_the_time_stays_with_all_it_refers_to,
    the_size_has_room_for_what_was_wanted_last,
    no_clock_that_is_wrong_by_years_lets_anything_go,
    nothing_is_emptied_without_force,
    a_sync_prunes_once_a_day_and_not_beside_a_farm_that_is_away,
    a_pruned_build_comes_back_where_a_farm_lists_it_again,
    a_narinfo_that_cannot_be_read_stops_a_prune,
    an_item_that_a_writer_adds_meanwhile_stays,
    a_prune_that_another_writer_goes_on_from_is_reported,
    a_nar_that_two_items_list_stays_with_one_of_them,
    killed_at_any_call_it_leaves_the_old_root_or_the_new_one,
    items_older_than_the_ledger_count_from_its_first_day,
);

fn keep_for(days: u64) -> RetentionRule {
    RetentionRule::new(Some(Duration::from_secs(days * DAY)), None)
}

fn max_size(bytes: u64) -> RetentionRule {
    RetentionRule::new(None, Some(bytes))
}

impl Scene<'_> {
    fn prune_request(&self, seconds: u64, rule: RetentionRule) -> PruneRequest {
        let request = self.request(seconds);
        PruneRequest {
            key: request.key,
            terms: PruneTerms {
                rule,
                is_forced: false,
                listing: true,
                is_scheduled: false,
                now: request.now,
                jobs: 4,
            },
            publishing: request.publishing,
        }
    }

    fn prune(&self, seconds: u64, rule: RetentionRule) -> PruneSummary {
        prune_when_free(self.node.node(), &self.prune_request(seconds, rule)).unwrap()
    }

    /// `sync` with a rule.
    fn sync_within(&self, seconds: u64, rule: RetentionRule) -> Option<PruneOutcome> {
        let request = MirrorRequest {
            retention: Some(rule),
            lists_pruned: true,
            ..self.request(seconds)
        };
        self.run(&request).unwrap().prune
    }

    /// Fails the test unless just these items are published, whole, and pinned.
    #[track_caller]
    fn holds(&self, items: &[&Item]) {
        self.node.collect_garbage();
        let root = self.root();
        let version = CidVersion::of(&root.parse().unwrap());
        assert_eq!(root, root_of(&tree_of(items.iter().copied()), version));
        let tree = self.node.published(&root);
        tree.judge();
        tree.judge_closures();
    }
}

fn prune_when_free(node: &dyn Node, request: &PruneRequest) -> Result<PruneSummary, Failure> {
    when_free(|| prune(node, request, &Silent))
}

/// The store hashes of the items that went, the oldest first.
fn pruned(outcome: &PruneOutcome) -> Vec<String> {
    let items = outcome.items.as_deref().unwrap_or_default().iter();
    items
        .map(|item| item.item["/gnu/store/".len()..][..32].to_owned())
        .collect()
}

fn what_was_wanted_within_the_time_stays_with_all_it_refers_to(node: &TestNode) {
    let scene = Scene::new(node, "within");
    let (base, old, other) = (made(1), made(2), made(3));
    let new = made(4).referring_to([&base]);
    scene.upstream.add_items([&base, &old, &other, &new]);
    scene.serve_list(&[]);
    scene.add(0, &[base]);
    scene.add(3 * DAY, &[old]);
    scene.add(20 * DAY, &[other]);
    scene.add(100 * DAY, &[new]);
    let [base, old, other] = [1, 2, 3].map(made);
    let new = made(4).referring_to([&base]);
    // Nothing is that old.
    let summary = scene.prune(100 * DAY, keep_for(100));
    assert_eq!(
        (summary.outcome.pruned, summary.change.published),
        (0, false)
    );
    let before = scene.root();
    let request = scene.prune_request(100 * DAY, keep_for(90));
    let preview = preview_prune(&DryRun(node.node()), &request, &Silent).unwrap();
    assert_eq!(scene.root(), before);
    let summary = scene.prune(100 * DAY, keep_for(90));
    assert!(summary.change.published);
    for outcome in [&preview.outcome, &summary.outcome] {
        assert_eq!(pruned(outcome), [&*old.hash]);
        assert_eq!((outcome.pruned, outcome.kept), (1, 3));
        let item = &outcome.items.as_ref().unwrap()[0];
        let files: usize = old.files.values().map(Vec::len).sum();
        assert!(item.bytes >= files as u64 && item.bytes < files as u64 + 100);
        assert!(item.last_wanted.is_some());
    }
    let estimated = preview.outcome.kept_bytes;
    assert!(estimated.abs_diff(summary.outcome.kept_bytes) < 1000);
    scene.holds(&[&base, &other, &new]);
    // A second prune finds nothing, and publishes nothing.
    let root = scene.root();
    let again = scene.prune(100 * DAY, keep_for(90));
    assert_eq!((again.outcome.pruned, again.change.published), (0, false));
    assert_eq!(scene.root(), root);
    // The item that only another needs goes with that one.
    scene.add(150 * DAY, &[other]);
    scene.prune(250 * DAY, keep_for(100));
    scene.holds(&[&made(3)]);
}

fn the_size_has_room_for_what_was_wanted_last(node: &TestNode) {
    let scene = Scene::new(node, "size");
    let large = |number| item(number, "x", 50_000);
    let base = large(1);
    let items: Vec<Item> = (2..10)
        .map(|number| match number % 2 {
            0 => large(number).referring_to([&base]),
            _ => large(number),
        })
        .collect();
    scene.upstream.add_items(items.iter().chain([&base]));
    scene.serve_list(&[]);
    for (day, item) in items.iter().enumerate() {
        let named = [item.hash.as_str()];
        scene.add_named(day as u64 * DAY, &named);
    }
    let bytes = |kept: &[&Item]| -> u64 {
        let files = kept.iter().flat_map(|item| item.files.values());
        files.map(|file| file.len() as u64).sum()
    };
    // Room for the three that were wanted last, with the one that they need.
    let kept: Vec<&Item> = items[5..].iter().chain([&base]).collect();
    let room = bytes(&kept) + 3000;
    let now = 8 * DAY;
    let summary = scene.prune(now, max_size(room));
    assert_eq!(summary.outcome.pruned, 5);
    assert!(summary.outcome.kept_bytes <= room);
    let oldest: Vec<&str> = items[..5].iter().map(|item| &*item.hash).collect();
    assert_eq!(pruned(&summary.outcome), oldest);
    scene.holds(&kept);
    // At each size the tree is as large as it may be, and no larger.
    for room in (bytes(&[&items[7]])..room)
        .step_by(7_777)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let Ok(summary) = prune_when_free(node.node(), &scene.prune_request(now, max_size(room)))
        else {
            assert!(room < bytes(&[&items[7], &base]) + 3000, "{room}");
            break;
        };
        assert!(summary.outcome.kept_bytes <= room, "{room}: {summary:?}");
        node.published(&scene.root()).judge_closures();
        assert!(scene.has(&items[7]));
    }
}

fn no_clock_that_is_wrong_by_years_lets_anything_go(node: &TestNode) {
    let scene = Scene::new(node, "clock");
    scene.serve(&[built(0)]);
    scene.sync(0);
    scene.upstream.add_items([&made(1), &made(2)]);
    scene.add(5 * DAY, &[made(1)]);
    let years = 3650 * DAY;
    let ahead = scene.prune(5 * DAY + years, keep_for(10));
    assert_eq!(ahead.outcome.pruned, 0);
    assert!(ahead.outcome.clock_gap.is_some());
    // The same with a run before it, whose list is wanted on a day in the future.
    let outcome = scene.sync_within(6 * DAY + years, keep_for(10)).unwrap();
    assert_eq!(outcome.pruned, 0);
    // With the right time again nothing is old.
    let outcome = scene.prune(7 * DAY, keep_for(10)).outcome;
    assert_eq!((outcome.pruned, outcome.clock_gap), (0, None));
    scene.holds(&[&made(0), &made(1)]);
    let believed = |seconds| {
        let mut request = scene.prune_request(seconds, keep_for(10));
        request.terms.is_forced = true;
        prune_when_free(node.node(), &request).unwrap().outcome
    };
    // All were wanted on a day to come, or lately.
    assert_eq!(believed(7 * DAY).pruned, 0);
    assert_eq!(believed(2 * years).pruned, 2);
    scene.holds(&[]);
}

fn nothing_is_emptied_without_force(node: &TestNode) {
    let scene = Scene::new(node, "empty");
    scene.serve(&[built(0), built(1)]);
    scene.sync(0);
    for (seconds, rule) in [
        (100 * DAY, keep_for(90)),
        (0, max_size(1)),
        (0, max_size(0)),
    ] {
        let request = scene.prune_request(seconds, rule);
        let failure = prune_when_free(node.node(), &request).unwrap_err();
        assert!(matches!(failure, Failure::NothingLeft(2)), "{failure}");
        let failure = preview_prune(&DryRun(node.node()), &request, &Silent).unwrap_err();
        assert!(matches!(failure, Failure::NothingLeft(2)), "{failure}");
    }
    scene.holds(&[&made(0), &made(1)]);
    let mut request = scene.prune_request(100 * DAY, keep_for(90));
    request.terms.is_forced = true;
    prune_when_free(node.node(), &request).unwrap();
    scene.holds(&[]);
    // An empty mirror has nothing to lose.
    assert_eq!(scene.prune(100 * DAY, keep_for(90)).outcome.pruned, 0);
}

fn a_sync_prunes_once_a_day_and_not_beside_a_farm_that_is_away(node: &TestNode) {
    let scene = Scene::new(node, "daily");
    let other = Upstream::empty();
    other.set("api/latestbuilds", "[]");
    let with_other = |seconds| {
        let mut request = MirrorRequest {
            retention: Some(keep_for(10)),
            lists_pruned: true,
            ..scene.request(seconds)
        };
        request
            .upstreams
            .push(UpstreamClient::new(&other.url(), limits()).unwrap());
        scene.run(&request).unwrap().prune
    };
    scene.serve(&[built(0), built(1)]);
    assert_eq!(with_other(0).unwrap().pruned, 0);
    // The rule is in force, and its day is not over.
    let known = scene.ledger().retention;
    assert_eq!((known.rule, known.pruned.is_some()), (keep_for(10), true));
    assert!(with_other(HOUR).is_none());
    for day in 1..10 {
        assert_eq!(with_other(day * DAY).unwrap().pruned, 0);
    }
    scene.serve_list(&[built(2)]);
    scene.upstream.add_items([&made(2)]);
    assert_eq!(with_other(10 * DAY).unwrap().pruned, 0);
    // Beside a farm that cannot be read nothing is old.
    other.spoil("api/latestbuilds", &[Fault::Status(500); 40]);
    assert!(with_other(20 * DAY).is_none());
    scene.holds(&[&made(0), &made(1), &made(2)]);
    // A farm that is known and has no list any more is one that cannot be read.
    other.spoil("api/latestbuilds", &[]);
    other.remove("api/latestbuilds");
    assert!(with_other(20 * DAY + HOUR).is_none());
    other.set("api/latestbuilds", "[]");
    let outcome = with_other(20 * DAY + 2 * HOUR).unwrap();
    assert_eq!((outcome.pruned, outcome.kept), (2, 1));
    scene.holds(&[&made(2)]);
    // A new rule is obeyed at once, and one that is taken back ends.
    assert!(
        scene
            .sync_within(20 * DAY + 3 * HOUR, keep_for(11))
            .is_some()
    );
    assert!(
        scene
            .sync_within(20 * DAY + 4 * HOUR, RetentionRule::default())
            .is_none()
    );
    assert!(scene.ledger().retention.rule.keeps_all());
}

fn a_pruned_build_comes_back_where_a_farm_lists_it_again(node: &TestNode) {
    let scene = Scene::new(node, "again");
    scene.serve(&[built(1), built(0)]);
    scene.sync(0);
    scene.serve(&[built(2)]);
    scene.sync(30 * DAY);
    scene.prune(30 * DAY, keep_for(20));
    scene.holds(&[&made(2)]);
    scene.serve(&[built(0), built(2)]);
    scene.sync(31 * DAY);
    scene.holds(&[&made(0), &made(2)]);
    // One that goes for want of room, and is listed all the while, stays out.
    let room = tree_of([&made(0)]).values().map(Vec::len).sum::<usize>() as u64 + 500;
    assert_eq!(
        scene.prune(31 * DAY, max_size(room)).outcome.wanted_today,
        1
    );
    let left = scene.root();
    scene.sync(31 * DAY + MINUTE);
    assert_eq!(scene.root(), left);
}

fn a_narinfo_that_cannot_be_read_stops_a_prune(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let scene = Scene::new(node, "unreadable");
    scene.serve(&[built(0), built(1)]);
    scene.sync(0);
    scene.upstream.add_items([&made(2)]);
    scene.add(50 * DAY, &[made(2)]);
    let root = scene.root();
    let narinfo = format!("{}.narinfo", made(0).hash);
    node.damage(&node.cid_at(&root, &narinfo));
    let request = scene.prune_request(50 * DAY, keep_for(10));
    let failure = prune_when_free(node.node(), &request).unwrap_err();
    assert!(failure.to_string().contains(&narinfo), "{failure}");
    assert_eq!(scene.root(), root);
}

/// Another user adds an item that refers to one that is about to go.
fn an_item_that_a_writer_adds_meanwhile_stays(node: &TestNode) {
    let three = || made(3).referring_to([&made(0)]);
    for moment in ["import", "pin_update", "publish"] {
        let scene = Scene::new(node, moment);
        scene.serve(&[built(0), built(1)]);
        scene.sync(0);
        scene.upstream.add_items([&made(2)]);
        scene.add(50 * DAY, &[made(2)]);
        let other = Scene::new(node, moment);
        other.upstream.add_items([&made(0), &three()]);
        let faulty = FaultyNode::new(node.node());
        faulty.meanwhile(moment, Moment::Before, || {
            other.add(50 * DAY, &[three()]);
        });
        let request = scene.prune_request(50 * DAY, keep_for(10));
        prune_when_free(&faulty, &request).unwrap();
        scene.holds(&[&made(0), &made(2), &three()]);
    }
}

/// Another writer adds an item to the root that a prune has just published, and then the
/// prune looks whether its root is there.
fn a_prune_that_another_writer_goes_on_from_is_reported(node: &TestNode) {
    for (key, moment) in [("after", Moment::After), ("before", Moment::Before)] {
        let scene = Scene::new(node, key);
        scene.serve(&[built(0), built(1)]);
        scene.sync(0);
        scene.upstream.add_items([&made(2)]);
        scene.add(50 * DAY, &[made(2)]);
        let other = Scene::new(node, key);
        other.upstream.add_items([&made(3)]);
        let faulty = FaultyNode::new(node.node());
        faulty.meanwhile("publish", moment, || {
            other.add(50 * DAY, &[made(3)]);
        });
        let request = scene.prune_request(50 * DAY, keep_for(10));
        let outcome = prune_when_free(&faulty, &request).unwrap().outcome;
        assert_eq!((outcome.pruned, outcome.kept), (2, 2), "{key}: {outcome:?}");
        assert!(outcome.pruned_bytes > 0, "{key}: {outcome:?}");
        scene.holds(&[&made(2), &made(3)]);
    }
}

fn a_nar_that_two_items_list_stays_with_one_of_them(node: &TestNode) {
    let scene = Scene::new(node, "shared");
    let one = made(1);
    let mut two = made(2);
    let (nar_of_one, nar_of_two) = (one.nar(), two.nar());
    let narinfo_of = |item: &Item| {
        String::from_utf8(item.files[&format!("{}.narinfo", item.hash)].clone()).unwrap()
    };
    let field = |narinfo: &str, name: &str| {
        let line = narinfo.lines().find(|line| line.starts_with(name));
        line.unwrap().to_owned()
    };
    let (first, second) = (narinfo_of(&one), narinfo_of(&two));
    for name in ["URL: ", "FileSize: ", "NarHash: ", "NarSize: "] {
        two.edit_narinfo(&field(&second, name), &field(&first, name));
    }
    two.files.remove(&nar_of_two);
    let root = node.store_tree(&tree_of([&one, &two]), CidVersion::V0);
    node.publish("shared", &root);
    scene.add_named(0, &[&one.hash]);
    scene.add_named(50 * DAY, &[&two.hash]);
    scene.prune(50 * DAY, keep_for(10));
    assert!(!scene.has(&one) && scene.has(&two));
    assert_eq!(
        node.get(&format!("/ipfs/{}/{nar_of_one}", scene.root()))
            .status,
        200
    );
    node.published(&scene.root()).judge();
}

fn items_older_than_the_ledger_count_from_its_first_day(node: &TestNode) {
    let scene = Scene::new(node, "older");
    let items = [made(0), made(1)];
    let root = node.store_tree(&tree_of(&items), CidVersion::V1);
    node.publish("older", &root);
    // Without a ledger nothing has an age.
    assert_eq!(scene.prune(0, keep_for(1)).outcome.pruned, 0);
    scene.serve(&[built(2)]);
    scene.sync(10 * DAY);
    scene.sync(30 * DAY);
    assert_eq!(scene.prune(30 * DAY, keep_for(20)).outcome.pruned, 0);
    let outcome = scene.prune(30 * DAY, keep_for(19)).outcome;
    assert_eq!(outcome.pruned, 2);
    assert!(
        outcome
            .items
            .unwrap()
            .iter()
            .all(|item| item.last_wanted.is_none())
    );
    scene.holds(&[&made(2)]);
}

/// Kills a prune at its n-th call, for every n, before the call and after it.
fn killed_at_any_call_it_leaves_the_old_root_or_the_new_one(node: &TestNode) {
    let items: Vec<Item> = (0..40).map(made).collect();
    let old = node.store_tree(&tree_of(&items), CidVersion::V0);
    let scene = |key: &str| {
        node.publish(key, &old);
        Scene::new(node, key)
    };
    let rule = max_size(tree_of(&items).values().map(Vec::len).sum::<usize>() as u64 / 2);
    let whole = scene("whole");
    let counting = KilledNode::counting(node.node());
    prune_when_free(&counting, &whole.prune_request(0, rule)).unwrap();
    let new = whole.root();
    assert_ne!(new, old);
    let calls = counting.calls();
    assert!(calls > 10, "{calls}");
    for last in 0..calls {
        for is_done in [false, true] {
            let scene = scene(&format!("killed-{last}-{is_done}"));
            let killed = KilledNode::new(node.node(), last, is_done);
            let _ = prune_when_free(&killed, &scene.prune_request(0, rule));
            node.collect_garbage();
            let root = scene.root();
            assert!([&old, &new].contains(&&root), "{root} after {last} calls");
            node.published(&root).judge();
            scene.prune(0, rule);
            assert_eq!(scene.root(), new, "after {last} calls");
            node.published(&new).judge();
        }
    }
    let pins = node.pins();
    let nameless = pins.values().filter(|name| name.is_empty()).count();
    assert_eq!(nameless, 1, "more than the tree is left: {pins:?}");
}
