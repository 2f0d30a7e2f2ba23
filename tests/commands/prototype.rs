//! What the shell prototype's README showed, and what its users met.

use crate::support::{Mirror, TestNode, Upstream};
use guix_ipfs::guix::base32;
use sha2::{Digest, Sha256};

on_both_nodes!(
    the_example_of_the_prototype_gives_its_roots,
    a_mirror_of_more_than_two_mebibytes_goes_on,
);

const EMPTY: &str = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";

/// Links a file into a directory as `ipfs object patch add-link` does.
fn link(node: &TestNode, base: &str, name: &str, target: &str) -> String {
    let call = format!("object/patch/add-link?arg={base}&arg={name}&arg={target}");
    node.json(&call)["Hash"].as_str().unwrap().to_owned()
}

fn the_example_of_the_prototype_gives_its_roots(node: &TestNode) {
    // The empty directory is a block like any other: a UnixFS message of type 1.
    node.upload(
        "block/put?cid-codec=dag-pb&mhtype=sha2-256",
        b"\x0a\x02\x08\x01",
    );
    let root = link(node, EMPTY, "foo", &node.add(b"Hello, world!\n"));
    assert_eq!(root, "QmT429U7M2Civz8qmkA6uZ5tvLJ9njQAvzsX6BvWodJ3i1");
    let bar = node.add(b"123\n");
    assert_eq!(bar, "QmTEzo7FYzUCd5aq7bGKoMLfsbbsebpfARRZd4Znejb25R");
    let root = link(node, &root, "bar", &bar);
    assert_eq!(root, "QmcD4o2EK1qS8H4dR3usWmiZqKCGwSugUgkRaXgtcqEEaF");
    let read = node.get(&format!("/ipfs/{root}/bar"));
    assert_eq!((read.status, read.text().as_str()), (200, "123\n"));
}

/// The node's add-link refuses a tree over 2 MiB unless told otherwise.
fn a_mirror_of_more_than_two_mebibytes_goes_on(node: &TestNode) {
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
