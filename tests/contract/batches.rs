//! Many blocks of a Kubo in a call, and the ways in which such a call fails.

use crate::support::{Proxy, Spoil, TestNode};
use crate::{is_refused, missing, raw};
use guix_ipfs::ipfs::cid::{Cid, CidVersion, DAG_PB, cid_of};
use guix_ipfs::ipfs::directory::{Entry, PlainDirectory};
use guix_ipfs::node::kubo::{KuboNode, TimeLimits};
use guix_ipfs::node::{Node, Refusal};
use std::time::Duration;

on_kubo_alone!(
    hundreds_of_blocks_come_in_a_call,
    a_block_that_is_missing_among_many_is_named,
    what_a_node_or_a_proxy_makes_of_a_call_is_never_taken_for_blocks,
    a_proxy_that_takes_no_long_url_gets_shorter_ones,
);

/// Every kind of block: leaves of all lengths, none included, directories, a node that is
/// not canonical, and one that looks like the beginning of another.
fn stored(at: &TestNode, count: usize) -> Vec<(Cid, Vec<u8>)> {
    let mut blocks: Vec<(Cid, Vec<u8>)> = (0..count)
        .map(|number| {
            let leaf = vec![number as u8; number * 7 % 3000];
            (raw(&leaf), leaf)
        })
        .collect();
    for number in 0..20 {
        let entry = Entry {
            cid: raw(b"file"),
            size: number,
        };
        let entries = (0..number).map(|at| (format!("entry {at}"), entry));
        let directory = PlainDirectory {
            entries: entries.collect(),
        };
        let (block, entry) = directory.encode(CidVersion::V0);
        // The data stands before the links, which readers accept and writers avoid.
        let data = block.len() - 4;
        let turned = [&block[data..], &block[..data]].concat();
        blocks.push((cid_of(CidVersion::V1, DAG_PB, &turned), turned));
        blocks.push((entry.cid, block));
    }
    for (cid, block) in &blocks {
        at.node().put_block(cid, block).unwrap();
    }
    blocks
}

fn through(proxy: &Proxy) -> KuboNode {
    let limits = TimeLimits {
        connect: Duration::from_secs(5),
        read: Duration::from_secs(20),
    };
    let node = KuboNode::connect(&proxy.url.parse().unwrap(), limits).unwrap();
    proxy.calls();
    node
}

fn split(blocks: Vec<(Cid, Vec<u8>)>) -> (Vec<Cid>, Vec<Vec<u8>>) {
    blocks.into_iter().unzip()
}

fn hundreds_of_blocks_come_in_a_call(at: &TestNode) {
    let mut blocks = stored(at, 500);
    // The same one twice, in one call and in two.
    blocks.push(blocks[3].clone());
    blocks.push(blocks[539].clone());
    let (cids, blocks) = split(blocks);
    let proxy = Proxy::new(&at.api);
    let node = through(&proxy);
    assert_eq!(node.blocks(&cids).unwrap(), blocks);
    // Those with a block that is not canonical are asked for twice.
    assert_eq!(proxy.calls(), ["cat"; 5]);
    assert_eq!(node.blocks(&cids[..500]).unwrap(), blocks[..500]);
    assert_eq!(proxy.calls(), ["cat"; 2]);
}

fn a_block_that_is_missing_among_many_is_named(at: &TestNode) {
    let (cids, blocks) = split(stored(at, 30));
    for place in [0, 35, cids.len()] {
        let mut with_one = cids.clone();
        with_one.insert(place, missing());
        let error = at.node().blocks(&with_one).unwrap_err();
        assert!(
            error.to_string().contains(&missing().to_string()),
            "{error}"
        );
        is_refused(Err::<(), _>(error), Refusal::Missing);
    }
    assert_eq!(at.node().blocks(&cids).unwrap(), blocks);
}

fn what_a_node_or_a_proxy_makes_of_a_call_is_never_taken_for_blocks(at: &TestNode) {
    let (cids, blocks) = split(stored(at, 30));
    for spoil in [
        Spoil::Answer(200, ""),
        Spoil::Answer(200, "other content, and no mark in it"),
        Spoil::Answer(
            500,
            r#"{"Message":"something else","Code":0,"Type":"error"}"#,
        ),
        Spoil::Answer(404, "404 page not found"),
        Spoil::Half,
        Spoil::StreamError,
        Spoil::WrongLength,
        Spoil::Before,
    ] {
        let proxy = Proxy::new(&at.api);
        let node = through(&proxy);
        proxy.spoil("cat", 0, spoil);
        assert_eq!(node.blocks(&cids).unwrap(), blocks, "{spoil:?}");
        assert!(!proxy.is_waiting(), "{spoil:?}");
    }
}

fn a_proxy_that_takes_no_long_url_gets_shorter_ones(at: &TestNode) {
    let (cids, blocks) = split(stored(at, 500));
    let proxy = Proxy::new(&at.api);
    let node = through(&proxy);
    proxy.refuse_urls_beyond(8 << 10);
    assert_eq!(node.blocks(&cids).unwrap(), blocks);
    let first = proxy.calls().len();
    assert_eq!(node.blocks(&cids).unwrap(), blocks);
    let then = proxy.calls();
    assert!(then.iter().all(|call| call == "cat"), "{then:?}");
    assert!(then.len() < first && then.len() < 20, "{first}, {then:?}");
}
