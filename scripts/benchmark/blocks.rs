//! The blocks of a published tree, by name and size.

use crate::encoding::Block;
use crate::support::TestNode;
use guix_ipfs::ipfs::cid::{Cid, DAG_PB};
use guix_ipfs::ipfs::dag_pb::PbNode;
use std::collections::{HashMap, HashSet};

/// The distinct blocks of a file or a directory.
pub fn below(node: &TestNode, root: &Cid) -> Vec<Block> {
    let (mut open, mut seen, mut blocks) = (vec![*root], HashSet::new(), Vec::new());
    while let Some(cid) = open.pop() {
        if seen.insert(cid) {
            let (block, links) = read(node, &cid);
            blocks.push(block);
            open.extend(links.into_iter().map(|(_, cid)| cid));
        }
    }
    blocks
}

/// The blocks of each nar of a mirror, by its store hash.
pub fn of_nars(node: &TestNode, root: &str) -> HashMap<String, Vec<Block>> {
    let mut nars = HashMap::new();
    for (_, folder) in folders(node, root) {
        for (name, nar) in read(node, &folder).1 {
            let hash = name.split('-').next().unwrap_or_default();
            nars.insert(hash.to_owned(), below(node, &nar));
        }
    }
    nars
}

/// The blocks of a mirror that are no nar's.
pub fn around_nars(node: &TestNode, root: &str) -> Vec<Block> {
    let (block, links) = read(node, &root.parse().unwrap());
    let mut blocks = vec![block];
    for (name, cid) in links {
        match name.as_str() {
            "nar" => blocks.push(read(node, &cid).0),
            _ => blocks.extend(below(node, &cid)),
        }
    }
    let folders = folders(node, root).into_iter();
    blocks.extend(folders.map(|(_, folder)| read(node, &folder).0));
    blocks
}

/// The folders of nars, one for each encoding.
fn folders(node: &TestNode, root: &str) -> Vec<(String, Cid)> {
    let links = read(node, &root.parse().unwrap()).1;
    let nar = links.into_iter().find(|(name, _)| name == "nar");
    nar.map_or(Vec::new(), |(_, nar)| read(node, &nar).1)
}

/// A block, and the names and CIDs of its links. The directories of so few items are
/// plain.
fn read(node: &TestNode, cid: &Cid) -> (Block, Vec<(String, Cid)>) {
    let bytes = node.raw_block(&cid.to_string()).unwrap();
    let links = match cid.codec() == DAG_PB {
        true => PbNode::decode(&bytes).unwrap().links,
        false => Vec::new(),
    };
    let links = links.into_iter().map(|link| (link.name, link.cid));
    ((cid.to_string(), bytes.len() as u64), links.collect())
}
