//! A way past damaged blocks when a root is pinned.
//!
//! A Kubo that pins one root beside another compares the two, directory by directory: the
//! links that only the old one has are read in turn beside those that only the new one
//! has, whatever their names (boxo `ipld/merkledag/dagutils`, `DiffEnumerate`). Where one
//! of the old is damaged, it fails, though the new root is whole.
//!
//! The way round is a directory with the links of both. From the old root to it nothing
//! is removed, and from it to the new root nothing is new, so that nothing damaged is
//! read on either way.

use super::journal::Journal;
use super::publisher::Publisher;
use crate::ipfs::cid::{Cid, CidVersion, DAG_PB, cid_of};
use crate::ipfs::dag_pb::{Link, PbNode};
use crate::node::{Node, NodeError, Segment};
use std::collections::{HashMap, HashSet};

/// Pins `new` beside `old` by way of the links of both.
pub fn pin_past_damage(
    publisher: &Publisher,
    old: &Journal,
    new: &Journal,
) -> Result<(), NodeError> {
    let node = publisher.node();
    let mut segment = Segment::default();
    let Some(both) = union(node, &old.cid, &new.cid, &mut segment)? else {
        return node.pin_update(&old.cid, &new.cid);
    };
    let staging = publisher.import(segment)?;
    publisher.list_staging(&both.cid)?;
    let pinned = node
        .pin_update(&old.cid, &both.cid)
        .and_then(|()| node.pin_update(&both.cid, &new.cid));
    publisher.drop_staging(&[staging, both.cid])?;
    pinned
}

/// A node with the links of `old` and `new`. Two of one name are replaced by the union of
/// what they lead to; those come first, so that they are compared with their like. `None`
/// where one of the nodes cannot be read, or is not dag-pb.
fn union(
    node: &dyn Node,
    old: &Cid,
    new: &Cid,
    segment: &mut Segment,
) -> Result<Option<Link>, NodeError> {
    let (Some(before), Some(after)) = (read(node, old)?, read(node, new)?) else {
        return Ok(None);
    };
    let cids = |node: &PbNode| node.links.iter().map(|link| link.cid).collect();
    let (in_before, in_after): (HashSet<Cid>, HashSet<Cid>) = (cids(&before), cids(&after));
    let names = before.links.iter().map(|link| (link.name.as_str(), link));
    let by_name: HashMap<&str, &Link> = names.filter(|(name, _)| !name.is_empty()).collect();
    let (mut of_both, mut of_one) = (Vec::new(), Vec::new());
    let mut replaced = HashSet::new();
    for link in &after.links {
        let other = by_name.get(link.name.as_str());
        let other = other.filter(|_| !in_before.contains(&link.cid));
        let joined = match other {
            Some(other) => union(node, &other.cid, &link.cid, segment)?,
            None => None,
        };
        match joined {
            Some(joined) => {
                replaced.extend(other.map(|other| other.cid));
                of_both.push(joined);
            }
            None => of_one.push(link.clone()),
        }
    }
    let gone = before.links.iter();
    let gone = gone.filter(|link| !in_after.contains(&link.cid) && !replaced.contains(&link.cid));
    of_one.extend(gone.cloned());
    of_both.extend(of_one);
    // A node may sort its links by their names.
    for (number, link) in of_both.iter_mut().enumerate() {
        link.name = format!("{number:08x}");
    }
    let joined = PbNode {
        links: of_both,
        data: None,
    };
    let block = joined.encode();
    let link = Link {
        cid: cid_of(CidVersion::V1, DAG_PB, &block),
        name: String::new(),
        size: joined.cumulative_size(block.len()),
    };
    segment.push(link.cid, block);
    Ok(Some(link))
}

fn read(node: &dyn Node, cid: &Cid) -> Result<Option<PbNode>, NodeError> {
    if cid.codec() != DAG_PB {
        return Ok(None);
    }
    match node.block(cid) {
        Ok(block) => Ok(PbNode::decode(&block).ok()),
        Err(error) if error.is_of_block() => Ok(None),
        Err(error) => Err(error),
    }
}
