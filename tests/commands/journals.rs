//! The journals that killed runs and other writers left on a node: the one that was
//! published counts.

use crate::support::{Files, Mirror, TestNode, Upstream, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::CidVersion::{self, V0};
use guix_ipfs::ipfs::cid::{Cid, RAW, cid_of};
use guix_ipfs::ipfs::directory::{Entry, PlainDirectory};
use guix_ipfs::node::KnownBlocks;
use serde_json::json;

on_both_nodes!(
    the_published_journal_wins_whatever_the_others_are_called,
    a_run_that_was_killed_after_pinning_is_continued_from,
    a_name_that_does_not_resolve_needs_a_word_between_two_journals,
    a_journal_that_was_lost_is_named_with_its_way_out,
);

/// A journal by number: its root, and the root before it.
type Left<'t> = (u64, &'t Files, Option<&'t Files>);

/// Pins a journal of the key `guix-ipfs` as a writer leaves it.
fn leave(node: &TestNode, (number, tree, previous): Left) -> Cid {
    let root: Cid = node.store_tree(tree, V0).parse().unwrap();
    let key = node.key_id("guix-ipfs").unwrap();
    let previous = previous.map(|tree| root_of(tree, V0));
    let state = json!({"key": key, "number": number, "previous": previous});
    let state = state.to_string().into_bytes();
    let entry = |cid, size| Entry { cid, size };
    let state_cid = cid_of(CidVersion::V1, RAW, &state);
    let entries = [
        ("root".to_owned(), entry(root, 1000)),
        ("state".to_owned(), entry(state_cid, state.len() as u64)),
    ];
    let entries = entries.into();
    let (block, journal) = PlainDirectory { entries }.encode(CidVersion::V1);
    node.store([(state_cid, state), (journal.cid, block)]);
    let name = format!("guix-ipfs/{key}");
    node.node()
        .pin(&journal.cid, &name, KnownBlocks::All)
        .unwrap();
    node.node().unpin(&root).unwrap();
    journal.cid
}

fn trees(count: u64) -> (Upstream, Vec<String>, Vec<Files>) {
    let upstream = Upstream::empty();
    let items: Vec<_> = (0..count).map(|number| item(number, "x", 900)).collect();
    upstream.add_items(&items);
    let trees = items.iter().map(|item| tree_of([item])).collect();
    let hashes = items.into_iter().map(|item| item.hash).collect();
    (upstream, hashes, trees)
}

fn merged(trees: &[&Files]) -> Files {
    let files = trees.iter().flat_map(|tree| (*tree).clone());
    files.collect()
}

fn the_published_journal_wins_whatever_the_others_are_called(node: &TestNode) {
    let (upstream, hashes, trees) = trees(5);
    let [old, published, lost, also_lost, new] = &trees[..] else {
        panic!()
    };
    let others: [&[Left]; 3] = [
        &[(2, lost, Some(old)), (2, also_lost, Some(old))],
        &[(7, lost, Some(old)), (1, old, None)],
        &[(9, lost, None), (8, also_lost, Some(lost))],
    ];
    for left in others {
        node.unpin_named("guix-ipfs/");
        node.create_key("guix-ipfs");
        leave(node, (2, published, Some(old)));
        let others_left: Vec<_> = left.iter().map(|journal| leave(node, *journal)).collect();
        node.publish("guix-ipfs", &root_of(published, V0));
        let mirror = Mirror::new(node, &upstream);
        // With nothing to do it keeps what is published, and lets go of the others.
        mirror.run(&format!("add {}", hashes[1])).silently();
        assert_eq!(mirror.root(), root_of(published, V0));
        // The same journal, or a new one of the same root with today's ledger.
        let kept = node.pins_named("guix-ipfs/");
        let others: Vec<String> = others_left.iter().map(ToString::to_string).collect();
        assert!(kept.len() == 1 && !others.contains(&kept[0]), "{kept:?}");
        node.collect_garbage();
        node.published(&root_of(published, V0)).judge();
        for journal in left {
            leave(node, *journal);
        }
        mirror.run(&format!("add {}", hashes[4])).silently();
        let root = root_of(&merged(&[published, new]), V0);
        assert_eq!(mirror.root(), root);
        node.collect_garbage();
        node.published(&root).judge();
        assert_eq!(node.pins_named("guix-ipfs/").len(), 1);
    }
}

fn a_run_that_was_killed_after_pinning_is_continued_from(node: &TestNode) {
    let (upstream, hashes, trees) = trees(4);
    let [published, pinned, lost, new] = &trees[..] else {
        panic!()
    };
    let both = merged(&[published, pinned]);
    let next: Left = (3, &both, Some(published));
    let own: Left = (2, published, None);
    for left in [
        &[own, next][..],
        &[next],
        &[own, next, (9, lost, None)],
        &[next, (9, lost, Some(pinned))],
    ] {
        node.unpin_named("guix-ipfs/");
        node.create_key("guix-ipfs");
        for journal in left {
            leave(node, *journal);
        }
        node.publish("guix-ipfs", &root_of(published, V0));
        let mirror = Mirror::new(node, &upstream);
        mirror.run(&format!("add {}", hashes[3])).silently();
        let root = root_of(&merged(&[&both, new]), V0);
        assert_eq!(mirror.root(), root);
        node.collect_garbage();
        node.published(&root).judge();
    }
}

fn a_name_that_does_not_resolve_needs_a_word_between_two_journals(node: &TestNode) {
    let (upstream, hashes, trees) = trees(4);
    let [old, one, other, new] = &trees[..] else {
        panic!()
    };
    node.create_key("guix-ipfs");
    for journal in [(1, old, None), (2, one, Some(old)), (2, other, Some(old))] {
        leave(node, journal);
    }
    let mirror = Mirror::new(node, &upstream);
    let (one_root, other_root) = (root_of(one, V0), root_of(other, V0));
    let add = format!("add {}", hashes[3]);
    for command in [&add, "sync -n", "verify"] {
        let run = mirror.run(command).exits(1).says(&one_root);
        run.says(&other_root).says("--base ");
    }
    mirror.run(&format!("{add} --base {one_root}")).silently();
    assert_eq!(mirror.root(), root_of(&merged(&[one, new]), V0));
    assert_eq!(node.pins_named("guix-ipfs/").len(), 1);
}

fn a_journal_that_was_lost_is_named_with_its_way_out(node: &mut TestNode) {
    let (upstream, hashes, trees) = trees(2);
    node.create_key("guix-ipfs");
    let journal = leave(node, (1, &trees[0], None));
    node.lose_blocks(&[journal]);
    let mirror = Mirror::new(node, &upstream);
    let add = format!("add {}", hashes[1]);
    let run = mirror.run(&add).exits(1).says(&journal.to_string());
    run.says("--base CID").says("init --anew");
    // Where the name tells the root, nothing is missed.
    let root = node.store_tree(&trees[0], V0);
    node.publish("guix-ipfs", &root);
    mirror.run(&add).silently();
    assert_eq!(mirror.root(), root_of(&merged(&[&trees[0], &trees[1]]), V0));
    assert_eq!(node.pins_named("guix-ipfs/").len(), 1);
}
