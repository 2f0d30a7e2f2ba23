//! Ready-made blocks of a node: the floor for writing them.

use crate::measure::time;
use crate::support::TestNode;
use guix_ipfs::ipfs::car::{header, section_head};
use guix_ipfs::ipfs::cid::{Cid, DAG_PB};
use guix_ipfs::ipfs::dag_pb::PbNode;
use std::collections::HashSet;

/// Blocks, and the root above them.
pub struct Export {
    root: Cid,
    blocks: Vec<(Cid, Vec<u8>)>,
}

/// Everything below `root`.
pub fn export(node: &TestNode, root: &str) -> Export {
    let root: Cid = root.parse().unwrap();
    let mut blocks = Vec::new();
    let (mut open, mut seen) = (vec![root], HashSet::new());
    while let Some(cid) = open.pop() {
        if !seen.insert(cid) {
            continue;
        }
        let block = node.raw_block(&cid.to_string()).unwrap();
        if cid.codec() == DAG_PB {
            let links = PbNode::decode(&block).unwrap().links;
            open.extend(links.iter().map(|link| link.cid));
        }
        blocks.push((cid, block));
    }
    Export { root, blocks }
}

impl Export {
    /// Seconds that a node takes to import it: Kubo one CAR, a local store segments.
    pub fn import(&self, node: &TestNode) -> f64 {
        if !node.is_kubo() {
            let blocks = self.blocks.clone();
            return time(|| node.store(blocks));
        }
        let car = car_of(self.root, &self.blocks);
        time(|| {
            let answer = node.upload("dag/import?pin-roots=true&stats=true", &car);
            assert!(answer.text().contains("Stats"), "{}", answer.text());
        })
    }
}

/// A CAR of these blocks.
pub fn car_of(root: Cid, blocks: &[(Cid, Vec<u8>)]) -> Vec<u8> {
    let mut car = header(&root);
    for (cid, block) in blocks {
        car.extend_from_slice(&section_head(cid, block.len()));
        car.extend_from_slice(block);
    }
    car
}
