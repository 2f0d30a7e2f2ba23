//! The contract's parts that only a Kubo with a network has.

use crate::support::{Network, Setup, TestNode};
use guix_ipfs::ipfs::cid::{CidVersion, DAG_PB, cid_of};
use guix_ipfs::node::kubo::{KuboNode, TimeLimits};
use guix_ipfs::node::{KnownBlocks, Node, Problem, PublishOptions, Reach};
use std::time::{Duration, Instant};

/// Such a node searches the network for the block without end, unless the call has a
/// limit.
#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn every_call_about_a_missing_block_ends() {
    let at = TestNode::kubo_with(Setup {
        online: true,
        ..Setup::default()
    });
    let limits = TimeLimits {
        connect: Duration::from_secs(5),
        read: Duration::from_secs(1),
    };
    let node = KuboNode::connect(&at.api.parse().unwrap(), limits).unwrap();
    let missing = cid_of(CidVersion::V0, DAG_PB, b"missing");
    let file = node.add_file(CidVersion::V0, &mut &b"Hello, world!"[..]);
    let file = file.unwrap().cid;
    let start = Instant::now();
    assert_eq!(node.block_size(&missing).unwrap(), None);
    for lacking in [
        node.block(&missing).map(drop),
        node.add_link(&missing, "x", &file).map(drop),
        node.read_file(&missing).map(drop),
    ] {
        let error = lacking.unwrap_err();
        assert!(error.is_missing(), "{error:?}");
    }
    let error = node.fetch_block(&missing).unwrap_err();
    let is_unfetched = matches!(error.problem, Problem::Unfetched(_));
    assert!(is_unfetched && error.is_unavailable(), "{error:?}");
    let time = start.elapsed();
    assert!(time < Duration::from_secs(8), "{time:?}");
    // Pins know no `offline`.
    let pinned = node.pin(&missing, "", KnownBlocks::Unsure);
    assert!(pinned.unwrap_err().is_missing());
    node.pin(&file, "", KnownBlocks::All).unwrap();
    assert!(node.pin_update(&file, &missing).unwrap_err().is_missing());
    assert!(node.is_pinned(&file).unwrap(), "the old pin is still there");
    let time = start.elapsed();
    assert!(time < Duration::from_secs(40), "{time:?}");
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn the_record_with_the_highest_sequence_counts_on_the_whole_network() {
    let network = Network::start(3);
    let (node, other) = (network[0].node(), network[1].node());
    assert_eq!(node.reach().unwrap(), Reach::Peers(2));
    let key = node.create_key("k").unwrap();
    assert_eq!(other.resolve(&key.id).unwrap(), None);
    let [first, second] = [&b"first"[..], b"second"].map(|content| network[0].add(content));
    node.announce(&first).unwrap();
    assert!(other.block(&first).unwrap_err().is_missing());
    let limit = Duration::from_secs(20);
    assert_eq!(other.providers(&first, limit).unwrap(), Some(1));
    // Oneself does not count.
    assert_eq!(node.providers(&first, limit).unwrap(), Some(0));
    let missing = cid_of(CidVersion::V0, DAG_PB, b"missing");
    assert_eq!(other.providers(&missing, limit).unwrap(), Some(0));
    let fetched = other.fetch_block(&first).unwrap();
    assert_eq!(fetched, node.block(&first).unwrap());
    let mut options = PublishOptions {
        lifetime: Duration::from_secs(3600),
        allow_offline: false,
        sequence: None,
    };
    node.publish(&key, &first, &options).unwrap();
    assert_eq!(
        other.resolve(&key.id).unwrap(),
        Some(format!("/ipfs/{first}"))
    );
    if network[0].is_old_kubo() {
        return;
    }
    let record = other.record(&key.id).unwrap().unwrap();
    assert_eq!(record.value, format!("/ipfs/{first}"));
    assert!(record.validity.starts_with("20"), "{record:?}");
    options.sequence = Some(record.sequence + 7);
    node.publish(&key, &second, &options).unwrap();
    let record = other.record(&key.id).unwrap().unwrap();
    assert_eq!(record.value, format!("/ipfs/{second}"));
    assert_eq!(Some(record.sequence), options.sequence);
    assert_eq!(node.record(&key.id).unwrap(), Some(record));
}
