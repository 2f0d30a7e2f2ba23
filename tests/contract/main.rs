//! The contract of a node, on both back ends: each method of the trait, its success
//! and each refusal. Abilities that only one has are capabilities, which it states.

#[allow(dead_code, unused_macros, unused_imports)]
#[macro_use]
#[path = "../commands/support/mod.rs"]
mod support;

mod batches;
mod blocks;
mod files;
mod names;
mod online;
mod pins;
mod services;

use guix_ipfs::ipfs::cid::{Cid, CidVersion, DAG_PB, RAW, cid_of};
use guix_ipfs::ipfs::directory::{Entry, PlainDirectory};
use guix_ipfs::node::{
    KnownBlocks, Node, NodeError, PublishOptions, Reach, Refusal, SealedSegment, Segment,
};
use std::time::Duration;
use support::TestNode;

on_both_nodes!(a_node_states_what_it_is, threads_share_a_node,);

fn raw(content: &[u8]) -> Cid {
    cid_of(CidVersion::V1, RAW, content)
}

fn missing() -> Cid {
    cid_of(CidVersion::V0, DAG_PB, b"missing")
}

fn options() -> PublishOptions {
    PublishOptions {
        lifetime: Duration::from_secs(600),
        allow_offline: true,
        sequence: None,
    }
}

fn add(node: &dyn Node, content: &[u8]) -> Cid {
    node.add_file(CidVersion::V0, &mut &*content).unwrap().cid
}

/// Stores a plain directory and returns its CID.
fn directory(node: &dyn Node, version: CidVersion, entries: &[(&str, Cid)]) -> Cid {
    let entries = entries.iter().map(|(name, cid)| {
        let entry = Entry {
            cid: *cid,
            size: 10,
        };
        ((*name).to_owned(), entry)
    });
    let directory = PlainDirectory {
        entries: entries.collect(),
    };
    let (block, entry) = directory.encode(version);
    node.put_block(&entry.cid, &block).unwrap();
    entry.cid
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(answer: Result<T, NodeError>, refusal: Refusal) {
    let error = answer.unwrap_err();
    assert!(error.is(refusal), "{refusal:?}: {error:?}");
    assert!(!error.to_string().contains('\n'), "{error}");
}

fn a_node_states_what_it_is(at: &TestNode) {
    let node = at.node();
    let description = node.description();
    assert!(description.peer_id.starts_with("12D3"), "{description:?}");
    let program = if at.is_kubo() { "kubo/" } else { "guix-ipfs/" };
    assert!(description.agent.starts_with(program), "{description:?}");
    assert_eq!(description.capabilities.network, at.is_kubo());
    assert_eq!(description.capabilities.storage_limit, at.is_kubo());
    assert_eq!(description.capabilities.services, at.is_kubo());
    assert_eq!(description.capabilities.sequence, !at.is_old_kubo());
    assert_eq!(node.reach().unwrap(), Reach::Offline);
    match at.is_kubo() {
        true => assert_eq!(node.gateway().unwrap().as_ref(), Some(&at.gateway)),
        false => assert_eq!(node.gateway().unwrap(), None),
    }
}

fn segment(contents: &[&[u8]]) -> SealedSegment {
    let blocks = contents
        .iter()
        .map(|content| (raw(content), content.to_vec()));
    blocks.collect::<Segment>().seal()
}

fn threads_share_a_node(at: &TestNode) {
    let node = at.node();
    let work = |thread: usize| {
        let key = node.create_key(&format!("k{thread}")).unwrap();
        let mut file = None;
        for round in 0..5 {
            let content = format!("{thread} {round}");
            let added = add(node, content.as_bytes());
            let name = format!("pin {thread}");
            node.pin(&added, &name, KnownBlocks::All).unwrap();
            node.publish(&key, &added, &options()).unwrap();
            node.import(&segment(&[content.as_bytes(), b"shared"]))
                .unwrap();
            file = Some(added);
        }
        (key, file.unwrap())
    };
    let done: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| scope.spawn(move || work(thread)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    node.collect_garbage().unwrap();
    assert!(at.has_block(&raw(b"shared")));
    assert_eq!(node.keys().unwrap().len(), 9);
    for (thread, (key, file)) in done.iter().enumerate() {
        assert_eq!(
            node.resolve(&key.id).unwrap(),
            Some(format!("/ipfs/{file}"))
        );
        assert_eq!(node.pins_named(&format!("pin {thread}")).unwrap().len(), 5);
        assert!(at.has_block(file));
    }
}
