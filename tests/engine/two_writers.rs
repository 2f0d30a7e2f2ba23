//! Two writers of one node who know nothing of each other: two machines, or two users
//! whose lock files lie in different folders. Each step of one falls into a chosen
//! moment of the other.

use crate::faulty::{FaultyNode, Moment};
use crate::support::{Item, TestNode, Upstream, item, root_of, tree_of};
use crate::{Silent, mirror_when_free, request};
use guix_ipfs::ipfs::cid::CidVersion;
use guix_ipfs::mirror::{
    Closure, Failure, GraftChoice, ItemSelection, MirrorRequest, MirrorSummary, ReferencedItems,
    RemovalRequest, ledger_summary, remove,
};
use guix_ipfs::node::Node;
use guix_ipfs::publication::Engine;
use std::collections::BTreeSet;
use std::sync::mpsc::channel;
use std::thread;
use tempfile::TempDir;

on_both_nodes!(
    a_publication_over_one_that_ended_meanwhile_keeps_the_items_of_both,
    two_that_began_alike_publish_the_items_of_both,
    one_that_has_nothing_left_to_add_keeps_the_others_root_pinned,
    two_that_publish_nothing_leave_the_owed_items_of_both,
    two_that_mirror_the_same_end_alike,
    two_that_begin_at_once_share_the_key,
    a_removal_that_another_goes_on_from_is_reported,
);

/// A node, four items, and a lock folder for each writer.
struct Scene<'n> {
    node: &'n TestNode,
    upstream: Upstream,
    items: Vec<Item>,
    locks: [TempDir; 2],
}

impl<'n> Scene<'n> {
    fn new(node: &'n TestNode) -> Self {
        let upstream = Upstream::empty();
        let items: Vec<_> = (0..4).map(|number| item(number, "item", 2000)).collect();
        upstream.add_items(&items);
        Self {
            node,
            upstream,
            items,
            locks: [(); 2].map(|()| tempfile::tempdir().unwrap()),
        }
    }

    /// A run of writer `who` that mirrors some of the items.
    fn add(
        &self,
        node: &dyn Node,
        who: usize,
        key: &str,
        items: &[usize],
    ) -> Result<MirrorSummary, Failure> {
        let engines = [Engine::AddLink, Engine::Car];
        let wanted = items.iter().map(|item| self.items[*item].hash.parse());
        let request = MirrorRequest {
            selection: ItemSelection::List(wanted.map(Result::unwrap).collect()),
            graft: GraftChoice::Only(engines[(who + key.len()) % 2]),
            ..request(&self.upstream, self.locks[who].path(), key, Closure::Whole)
        };
        mirror_when_free(node, &request, &Silent)
    }

    /// Fails the test unless just these items are published, pinned by one journal, and
    /// the next run of each goes on from them.
    #[track_caller]
    fn holds(&self, key: &str, items: &[usize]) {
        self.node.collect_garbage();
        self.publishes(key, items);
        let journals = format!("guix-ipfs/{}", self.node.key_id(key).unwrap());
        for who in 0..2 {
            self.add(self.node.node(), who, key, &[3]).unwrap();
            self.node.collect_garbage();
            let mut all = items.to_vec();
            all.push(3);
            self.publishes(key, &all);
        }
        let pins = self.node.pins();
        assert_eq!(self.node.pins_named(&journals).len(), 1, "{key}: {pins:?}");
        assert!(
            pins.values().all(|name| !name.is_empty()),
            "{key}: {pins:?}"
        );
    }

    #[track_caller]
    fn publishes(&self, key: &str, items: &[usize]) {
        let tree = tree_of(items.iter().map(|item| &self.items[*item]));
        let name = self.node.key_id(key).unwrap();
        let path = self.node.node().resolve(&name).unwrap().unwrap();
        let root = path.strip_prefix("/ipfs/").unwrap();
        let published = self.node.published(root);
        published.judge();
        let mut hashes: Vec<_> = items.iter().map(|item| &self.items[*item].hash).collect();
        hashes.sort();
        let mut found = published.hashes();
        found.sort();
        assert_eq!(found.iter().collect::<Vec<_>>(), hashes, "{key}");
        assert_eq!(root, root_of(&tree, CidVersion::V0), "{key}");
    }
}

/// No node publishes on a condition: what another published between this one's look and
/// its publication is overwritten, and the other has ended.
fn a_publication_over_one_that_ended_meanwhile_keeps_the_items_of_both(node: &TestNode) {
    let scene = Scene::new(node);
    for (key, of_other) in [
        ("another-item", &[1][..]),
        ("the-same-and-one", &[0, 2]),
        ("two-items", &[1, 2]),
    ] {
        scene.add(node.node(), 0, key, &[]).unwrap();
        let slow = FaultyNode::new(node.node());
        slow.meanwhile("publish", Moment::Before, || {
            scene.add(node.node(), 1, key, of_other).unwrap();
        });
        scene.add(&slow, 0, key, &[0]).unwrap();
        let mut items = [&[0], of_other].concat();
        items.sort_unstable();
        items.dedup();
        scene.holds(key, &items);
    }
}

/// Runs two writers that have read the same root: the second pins, publishes and ends
/// while the first is in a call of `method`.
fn together(scene: &Scene, key: &str, at: (&'static str, Moment), items: [&[usize]; 2]) {
    let node = scene.node;
    scene.add(node.node(), 0, key, &[]).unwrap();
    let (slow, quick) = (FaultyNode::new(node.node()), FaultyNode::new(node.node()));
    let (slow_is_there, wait_for_slow) = channel();
    let (quick_is_done, wait_for_quick) = channel();
    let (quick_has_read, wait_for_reading) = channel();
    slow.meanwhile(at.0, at.1, move || {
        slow_is_there.send(()).unwrap();
        wait_for_quick.recv().unwrap();
    });
    quick.meanwhile("pin_update", Moment::Before, move || {
        quick_has_read.send(()).unwrap();
        wait_for_slow.recv().unwrap();
    });
    thread::scope(|scope| {
        let quick = &quick;
        let second = scope.spawn(move || {
            let done = scene.add(quick, 1, key, items[1]);
            quick_is_done.send(()).unwrap();
            done
        });
        wait_for_reading.recv().unwrap();
        scene.add(&slow, 0, key, items[0]).unwrap();
        second.join().unwrap().unwrap();
    });
}

fn two_that_began_alike_publish_the_items_of_both(node: &TestNode) {
    let scene = Scene::new(node);
    for (key, at) in [
        ("pinned", ("pin_update", Moment::After)),
        ("looked", ("publish", Moment::Before)),
        ("published", ("publish", Moment::After)),
    ] {
        together(&scene, key, at, [&[0, 1], &[1, 2]]);
        scene.holds(key, &[0, 1, 2]);
    }
}

/// Which of two journals of the same number comes first is a matter of their hashes.
fn one_that_has_nothing_left_to_add_keeps_the_others_root_pinned(node: &TestNode) {
    let scene = Scene::new(node);
    for key in ["one", "another", "a-third", "a-fourth", "a-fifth"] {
        together(&scene, key, ("pin_update", Moment::After), [&[0], &[0, 1]]);
        scene.holds(key, &[0, 1]);
    }
}

/// The root stays, and the journals differ by their ledgers alone. Which of two of the same
/// number comes first is a matter of their hashes.
fn two_that_publish_nothing_leave_the_owed_items_of_both(node: &TestNode) {
    let scene = Scene::new(node);
    for absent in &scene.items[..3] {
        scene.upstream.remove(&format!("{}.narinfo", absent.hash));
    }
    let moments = [Moment::Before, Moment::After];
    for (number, moment) in (0..12).map(|number| (number, moments[number % 2])) {
        let key = &format!("key-{number}");
        together(&scene, key, ("pin_update", moment), [&[0, 1], &[1, 2]]);
        let name = node.key_id(key).unwrap();
        let ledger = ledger_summary(node.node(), &name).unwrap().unwrap();
        let owed: BTreeSet<String> = ledger.owed.iter().map(|it| it.hash.to_string()).collect();
        let absent = scene.items[..3].iter().map(|item| item.hash.clone());
        assert_eq!(owed, absent.collect(), "{key}");
        scene.holds(key, &[]);
    }
}

fn two_that_mirror_the_same_end_alike(node: &TestNode) {
    let scene = Scene::new(node);
    for (key, at) in [
        ("staged", ("pin_update", Moment::Before)),
        ("pinned", ("pin_update", Moment::After)),
        ("looked", ("publish", Moment::Before)),
    ] {
        together(&scene, key, at, [&[0, 1], &[0, 1]]);
        scene.holds(key, &[0, 1]);
    }
}

fn two_that_begin_at_once_share_the_key(node: &TestNode) {
    let scene = Scene::new(node);
    for (key, method, moment) in [
        ("wanted", "create_key", Moment::Before),
        ("made", "create_key", Moment::After),
        ("stored", "import", Moment::After),
        ("pinned", "pin", Moment::After),
        ("named", "rename_key", Moment::Before),
        ("looked", "publish", Moment::Before),
    ] {
        let slow = FaultyNode::new(node.node());
        slow.meanwhile(method, moment, || {
            scene.add(node.node(), 1, key, &[1]).unwrap();
        });
        scene.add(&slow, 0, key, &[0]).unwrap();
        assert!(!slow.is_waiting(), "{method}");
        scene.holds(key, &[0, 1]);
    }
}

/// Another writer adds items to the root that a removal has just published, and then the
/// removal looks whether its root is there.
fn a_removal_that_another_goes_on_from_is_reported(node: &TestNode) {
    let scene = Scene::new(node);
    for (key, removed, moment) in [
        ("one", &[0][..], Moment::After),
        ("two", &[0, 1], Moment::After),
        ("before", &[0, 1], Moment::Before),
    ] {
        scene.add(node.node(), 0, key, &[0, 1]).unwrap();
        let slow = FaultyNode::new(node.node());
        slow.meanwhile("publish", moment, || {
            scene.add(node.node(), 1, key, &[2]).unwrap();
        });
        let closure = Closure::Whole;
        let surroundings = request(&scene.upstream, scene.locks[0].path(), key, closure);
        // One is not published.
        let named = removed.iter().chain(&[3]);
        let named = named.map(|item| scene.items[*item].hash.parse().unwrap());
        let removal = RemovalRequest {
            key: key.to_owned(),
            items: named.collect(),
            referenced: ReferencedItems::Removed,
            publishing: surroundings.publishing,
            now: surroundings.now,
            jobs: 4,
        };
        let summary = remove(&slow, &removal, &Silent).unwrap();
        let mut reported = summary.removed;
        reported.sort();
        let items = removed.iter().map(|item| &scene.items[*item].hash);
        let mut expected: Vec<_> = items.map(|it| format!("/gnu/store/{it}-item")).collect();
        expected.sort();
        assert_eq!(reported, expected, "{key}");
        assert_eq!(summary.files, 2 * removed.len(), "{key}");
        let missing: Vec<_> = summary.skipped.iter().map(|it| &it.item).collect();
        assert_eq!(missing, [&scene.items[3].hash], "{key}");
        let left: Vec<usize> = (0..3).filter(|item| !removed.contains(item)).collect();
        scene.publishes(key, &left);
        let name = node.key_id(key).unwrap();
        let ledger = ledger_summary(node.node(), &name).unwrap().unwrap();
        assert_eq!(ledger.removed.len(), removed.len(), "{key}");
    }
}
