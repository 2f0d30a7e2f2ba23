//! The examples of the shell prototype's README, and the faults that its users met.

use crate::support::{Mirror, TestNode, Upstream};
use guix_ipfs::guix::base32;
use guix_ipfs::ipfs::cid::Cid;
use sha2::{Digest, Sha256};

on_both_nodes!(
    the_example_of_the_prototype_gives_its_roots,
    a_mirror_of_more_than_two_mebibytes_continues,
);

const EMPTY: &str = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";

fn the_example_of_the_prototype_gives_its_roots(node: &TestNode) {
    // The empty directory is a block like any other: a UnixFS message of type 1.
    let empty = EMPTY.parse().unwrap();
    node.node().put_block(&empty, b"\x0a\x02\x08\x01").unwrap();
    let link = |root: &Cid, name: &str, file: &Cid| node.node().add_link(root, name, file).unwrap();
    let root = link(&empty, "foo", &node.add(b"Hello, world!\n"));
    let known = "QmT429U7M2Civz8qmkA6uZ5tvLJ9njQAvzsX6BvWodJ3i1";
    assert_eq!(root.to_string(), known);
    let bar = node.add(b"123\n");
    let known = "QmTEzo7FYzUCd5aq7bGKoMLfsbbsebpfARRZd4Znejb25R";
    assert_eq!(bar.to_string(), known);
    let root = link(&root, "bar", &bar);
    let known = "QmcD4o2EK1qS8H4dR3usWmiZqKCGwSugUgkRaXgtcqEEaF";
    assert_eq!(root.to_string(), known);
    let read = node.get(&format!("/ipfs/{root}/bar"));
    assert_eq!((read.status, read.text().as_str()), (200, "123\n"));
}

/// The node's add-link refuses a tree over 2 MiB unless told otherwise.
fn a_mirror_of_more_than_two_mebibytes_continues(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let nar = vec![b'n'; 3 << 20];
    let hash = base32::encode(&Sha256::digest(&nar));
    let store_hash = "0000000000000000000000000000000b";
    let narinfo = format!(
        "StorePath: /gnu/store/{store_hash}-large\nURL: nar/{store_hash}-large\n\
         Compression: none\nFileSize: {size}\nNarHash: sha256:{hash}\nNarSize: {size}\n\
         References: \n",
        size = nar.len()
    );
    upstream.set(&format!("nar/{store_hash}-large"), nar.clone());
    upstream.set(&format!("{store_hash}.narinfo"), narinfo);
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("add {store_hash} --graft add-link"))
        .silently();
    mirror.run("sync --graft add-link").silently();
    let root = mirror.root();
    let read = node.get(&format!("/ipfs/{root}/nar/{store_hash}-large"));
    assert!(read.status == 200 && read.body == nar);
    assert_eq!(mirror.list().len(), 9);
}
