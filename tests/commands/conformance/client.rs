//! What the program's own client makes of the answers, on every node alike.

use crate::support::{Setup, TestNode};
use guix_ipfs::ipfs::cid::{Cid, CidVersion, DAG_PB, cid_of};
use guix_ipfs::node::{Node, Publish, TimeLimits};
use std::time::{Duration, Instant};

on_both_nodes!(the_client_tells_what_is_missing_from_what_fails);

fn the_client_tells_what_is_missing_from_what_fails(at: &TestNode) {
    let limits = TimeLimits {
        connect: Duration::from_secs(5),
        read: Duration::from_secs(20),
    };
    let node = Node::connect(&at.api.parse().unwrap(), limits).unwrap();
    let missing = cid_of(CidVersion::V0, DAG_PB, b"missing");
    let empty: Cid = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
        .parse()
        .unwrap();

    let file = node
        .add(CidVersion::V0, &mut &b"Hello, world!"[..])
        .unwrap();
    node.block_put(&empty, b"\x0a\x02\x08\x01").unwrap();
    let root = node.add_link(&empty, "a+b?", &file.cid).unwrap();
    assert_eq!(node.block_stat(&file.cid).unwrap(), Some(21));
    assert_eq!(node.block_stat(&missing).unwrap(), None);
    assert!(node.block_get(&missing).unwrap_err().is_lacking());
    assert_eq!(
        node.resolve(&format!("/ipfs/{root}/a+b?")).unwrap(),
        Some(file.cid)
    );
    assert_eq!(node.resolve(&format!("/ipfs/{root}/none")).unwrap(), None);

    assert!(!node.is_pinned(&root).unwrap());
    node.pin_rm(&root).unwrap();
    node.pin_add(&root, "a/b", true).unwrap();
    assert!(node.is_pinned(&root).unwrap());
    assert_eq!(node.pins_named("a/b").unwrap()[0].cid, root);
    assert_eq!(node.pins_named("a").unwrap(), []);
    assert!(node.pin_add(&missing, "c", false).unwrap_err().is_lacking());
    let bigger = node.add_link(&root, "c", &file.cid).unwrap();
    node.pin_update(&root, &bigger).unwrap();
    assert_eq!(node.pins_named("a/b").unwrap().len(), 2);

    assert_eq!(node.peers().unwrap(), None);
    let key = node.key_gen("k").unwrap();
    assert_eq!(node.name_resolve(&key.id).unwrap(), None);
    assert!(node.name_record(&key.id).unwrap().is_none());
    let mut how = Publish {
        lifetime: Duration::from_secs(60),
        allow_offline: false,
        sequence: None,
    };
    let refused = node.name_publish(&key, &root, &how).unwrap_err();
    assert!(refused.says("offline"), "{refused}");
    how.allow_offline = true;
    node.name_publish(&key, &root, &how).unwrap();
    assert_eq!(
        node.name_resolve(&key.id).unwrap(),
        Some(format!("/ipfs/{root}"))
    );
    node.key_rename(&key, "renamed").unwrap();
    assert!(node.keys().unwrap().iter().any(|key| key.name == "renamed"));
}

/// Without a limit such a node searches the network for ever.
#[test]
fn an_online_node_that_lacks_a_block_ends_every_call() {
    let online = Setup {
        online: true,
        ..Setup::default()
    };
    let Some(at) = TestNode::kubo_with(online) else {
        return;
    };
    let limits = TimeLimits {
        connect: Duration::from_secs(5),
        read: Duration::from_secs(1),
    };
    let node = Node::connect(&at.api.parse().unwrap(), limits).unwrap();
    let missing = cid_of(CidVersion::V0, DAG_PB, b"missing");
    let file = node.add(CidVersion::V0, &mut &b"Hello, world!"[..]);
    let file = file.unwrap().cid;
    let start = Instant::now();
    assert_eq!(node.block_stat(&missing).unwrap(), None);
    for lacking in [
        node.block_get(&missing).map(|_| ()),
        node.add_link(&missing, "x", &file).map(|_| ()),
        node.ls(&missing).map(|_| ()),
        node.cat(&missing).map(|_| ()),
        node.resolve(&format!("/ipfs/{missing}/x")).map(|_| ()),
    ] {
        assert!(lacking.unwrap_err().is_lacking());
    }
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    // Pins know no `offline`.
    assert!(node.pin_add(&missing, "", false).unwrap_err().is_lacking());
    node.pin_add(&file, "", true).unwrap();
    assert!(node.pin_update(&file, &missing).unwrap_err().is_lacking());
    assert!(node.is_pinned(&file).unwrap(), "the old pin is still there");
    assert!(
        start.elapsed() < Duration::from_secs(40),
        "{:?}",
        start.elapsed()
    );
}
