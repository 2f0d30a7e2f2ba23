//! A ready-made CAR of what a node holds.

use crate::support::TestNode;
use guix_ipfs::ipfs::car::{header, write_block};
use guix_ipfs::ipfs::cid::{Cid, DAG_PB};
use guix_ipfs::ipfs::dag_pb::Node;
use std::collections::HashSet;

/// A CAR of everything below `root`.
pub fn export(node: &TestNode, root: &str) -> Vec<u8> {
    let root: Cid = root.parse().unwrap();
    let mut car = header(&[root]);
    let (mut open, mut seen) = (vec![root], HashSet::new());
    while let Some(cid) = open.pop() {
        if !seen.insert(cid) {
            continue;
        }
        let block = node.rpc(&format!("block/get?arg={cid}&offline=true")).body;
        write_block(&mut car, &cid, &block);
        if cid.codec() == DAG_PB {
            let links = Node::decode(&block).unwrap().links;
            open.extend(links.iter().map(|link| link.cid));
        }
    }
    car
}
