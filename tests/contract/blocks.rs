//! Blocks and segments, and the collector.

use crate::support::{Proxy, Spoil, TestNode};
use crate::{add, directory, is_refused, missing, raw, segment};
use guix_ipfs::ipfs::cid::{Cid, CidVersion, IDENTITY, RAW};
use guix_ipfs::ipfs::directory::{Entry, PlainDirectory, empty};
use guix_ipfs::node::kubo::{KuboNode, TimeLimits};
use guix_ipfs::node::{KnownBlocks, Node, Refusal, Segment};
use std::path::PathBuf;
use std::time::Duration;

on_both_nodes!(
    a_block_comes_back_under_every_cid_of_its_hash,
    a_block_that_is_not_there_is_missing_and_has_no_size,
    a_block_is_not_stored_under_a_cid_of_other_content,
    a_damaged_block_is_never_taken_for_the_one_that_was_stored,
    content_in_a_cid_needs_no_block,
    an_imported_segment_is_safe_from_the_collector_until_it_is_unpinned,
    the_collector_takes_everything_else,
    the_room_that_is_taken_grows,
);

on_kubo_alone!(the_collector_takes_longer_than_other_calls);

fn a_block_comes_back_under_every_cid_of_its_hash(at: &TestNode) {
    let node = at.node();
    let (block, entry) = empty(CidVersion::V0);
    node.put_block(&entry.cid, &block).unwrap();
    let cids = [
        entry.cid,
        empty(CidVersion::V1).1.cid,
        Cid::new_v1(RAW, *entry.cid.hash()),
    ];
    assert_eq!(node.blocks(&cids).unwrap(), vec![block.clone(); 3]);
    node.put_block(&raw(b"other"), b"other").unwrap();
    let both = node.blocks(&[raw(b"other"), entry.cid]).unwrap();
    assert_eq!(both, [b"other".to_vec(), block.clone()]);
    assert_eq!(node.block_size(&cids[1]).unwrap(), Some(block.len() as u64));
    assert_eq!(node.blocks(&[]).unwrap(), Vec::<Vec<u8>>::new());
}

fn a_block_that_is_not_there_is_missing_and_has_no_size(at: &TestNode) {
    let node = at.node();
    node.put_block(&raw(b"there"), b"there").unwrap();
    is_refused(node.block(&missing()), Refusal::Missing);
    is_refused(node.blocks(&[raw(b"there"), missing()]), Refusal::Missing);
    assert_eq!(node.block_size(&missing()).unwrap(), None);
    is_refused(node.read_file(&missing()).map(drop), Refusal::Missing);
    // There is no network to search.
    assert_eq!(node.fetch_block(&raw(b"there")).unwrap(), b"there");
    is_refused(node.fetch_block(&missing()), Refusal::Offline);
}

fn a_block_is_not_stored_under_a_cid_of_other_content(at: &TestNode) {
    let node = at.node();
    assert!(node.put_block(&raw(b"one"), b"another").is_err());
    assert!(!at.has_block(&raw(b"one")));
    is_refused(node.block(&raw(b"one")), Refusal::Missing);
}

/// A bad disk or a power cut does this to the node's files.
fn a_damaged_block_is_never_taken_for_the_one_that_was_stored(at: &TestNode) {
    let node = at.node();
    let content = b"the content of a block that a disk is to damage";
    let leaf = raw(content);
    node.put_block(&leaf, content).unwrap();
    node.put_block(&raw(b"whole"), b"whole").unwrap();
    let mut open = vec![match at.is_kubo() {
        true => at.daemon().repo().to_owned(),
        false => PathBuf::from(at.api.strip_prefix("embedded:").unwrap()),
    }];
    let mut damaged = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        } else if std::fs::read(&path).is_ok_and(|bytes| bytes == content) {
            std::fs::write(&path, content.to_ascii_uppercase()).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1);
    for cids in [&[leaf][..], &[raw(b"whole"), leaf]] {
        let error = node.blocks(cids).unwrap_err();
        assert!(!error.is(Refusal::Missing), "{error:?}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    assert_eq!(node.block(&raw(b"whole")).unwrap(), b"whole");
}

fn content_in_a_cid_needs_no_block(at: &TestNode) {
    let hash = multihash::Multihash::wrap(IDENTITY, b"tiny").unwrap();
    let cid = Cid::new_v1(RAW, hash);
    assert_eq!(at.node().block(&cid).unwrap(), b"tiny");
    assert_eq!(at.node().block_size(&cid).unwrap(), Some(4));
}

fn an_imported_segment_is_safe_from_the_collector_until_it_is_unpinned(at: &TestNode) {
    let node = at.node();
    // A directory whose file is not in the segment: the pin does not walk below it.
    let (block, entry) = PlainDirectory {
        entries: [(
            "x".to_owned(),
            Entry {
                cid: missing(),
                size: 1,
            },
        )]
        .into(),
    }
    .encode(CidVersion::V0);
    let mut half = Segment::default();
    half.push(entry.cid, block.clone());
    half.push(raw(b"leaf"), b"leaf".to_vec());
    let half = half.seal();
    node.import(&half).unwrap();
    node.collect_garbage().unwrap();
    assert_eq!(node.block(&entry.cid).unwrap(), block);
    assert_eq!(node.block(&raw(b"leaf")).unwrap(), b"leaf");
    // The same blocks in another segment have a pin of their own.
    let again = segment(&[b"leaf"]);
    assert_ne!(again.staging, half.staging);
    node.import(&again).unwrap();
    node.unpin(&half.staging).unwrap();
    node.collect_garbage().unwrap();
    assert!(at.has_block(&raw(b"leaf")) && !at.has_block(&entry.cid));
    node.unpin(&again.staging).unwrap();
    node.collect_garbage().unwrap();
    assert!(!at.has_block(&raw(b"leaf")));
}

/// Stores a block and returns its CID.
fn put(node: &dyn Node, content: &[u8]) -> Cid {
    node.put_block(&raw(content), content).unwrap();
    raw(content)
}

fn the_collector_takes_everything_else(at: &TestNode) {
    let node = at.node();
    let kept = add(node, b"kept");
    let root = directory(node, CidVersion::V0, &[("kept", kept)]);
    node.pin(&root, "a pin", KnownBlocks::Unsure).unwrap();
    let lost = add(node, b"lost");
    let lost_too = put(node, b"lost too");
    // Kubo stores an empty directory with each file.
    assert!(node.collect_garbage().unwrap() >= 2);
    assert!(at.has_block(&kept) && at.has_block(&root));
    assert!(!at.has_block(&lost) && !at.has_block(&lost_too));
    assert_eq!(node.collect_garbage().unwrap(), 0);
    let many: Vec<_> = (0..500_u16).map(u16::to_be_bytes).collect();
    let many: Vec<_> = many.iter().map(|content| put(node, content)).collect();
    assert_eq!(node.collect_garbage().unwrap(), 500);
    assert!(!many.iter().any(|cid| at.has_block(cid)) && at.has_block(&kept));
}

/// A collection says nothing for as long as it looks at what is pinned.
fn the_collector_takes_longer_than_other_calls(at: &TestNode) {
    let proxy = Proxy::new(&at.api);
    let limits = TimeLimits {
        connect: Duration::from_secs(20),
        read: Duration::from_millis(400),
    };
    let node = KuboNode::connect(&proxy.url.parse().unwrap(), limits).unwrap();
    node.collect_garbage().unwrap();
    let lost = put(&node, b"lost");
    let beyond_a_pause = Duration::from_millis(2500);
    proxy.spoil("repo/gc", 0, Spoil::Late(beyond_a_pause));
    assert_eq!(node.collect_garbage().unwrap(), 1);
    assert!(!at.has_block(&lost));
}

fn the_room_that_is_taken_grows(at: &TestNode) {
    let node = at.node();
    let before = node.usage().unwrap();
    assert_eq!(before.limit.is_some(), at.is_kubo());
    let content: Vec<u8> = (0..1u32 << 20).flat_map(u32::to_be_bytes).collect();
    add(node, &content);
    let after = node.usage().unwrap();
    assert!(
        after.bytes > before.bytes + (4 << 20),
        "{before:?} {after:?}"
    );
}
