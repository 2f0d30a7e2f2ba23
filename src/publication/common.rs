//! A way past damaged blocks when a root is pinned.
//!
//! A node that pins one root beside another compares the two, and so reads what was
//! replaced. Where that is damaged, it fails, though the new root is whole. The way
//! round is a directory of what both have in common: from the old root to it nothing
//! is new, and from it to the new root nothing is replaced.

use super::journal::Journal;
use super::publisher::Publisher;
use crate::ipfs::cid::{Cid, CidVersion, DAG_PB, cid_of};
use crate::ipfs::dag_pb::{Link, PbNode};
use crate::node::{Node, NodeError, Segment};

/// Pins `new` beside `old` by way of what both have in common.
pub fn pin_past_damage(
    publisher: &Publisher,
    old: &Journal,
    new: &Journal,
) -> Result<(), NodeError> {
    let node = publisher.node();
    let mut segment = Segment::default();
    let Some(common) = common(node, &old.cid, &new.cid, &mut segment)? else {
        return node.pin_update(&old.cid, &new.cid);
    };
    let staging = publisher.import(&segment.seal())?;
    let pinned = node.pin_update(&old.cid, &common.cid).and_then(|()| {
        let pinned = node.pin_update(&common.cid, &new.cid);
        let unpinned = node.unpin(&common.cid);
        pinned.and(unpinned)
    });
    publisher.drop_staging(&[staging])?;
    pinned
}

/// A node with the links that `old` and `new` share, in the order of `new`; where they
/// link to different nodes by one name, to what those share. `None` where one of them
/// cannot be read, or is not dag-pb.
fn common(
    node: &dyn Node,
    old: &Cid,
    new: &Cid,
    segment: &mut Segment,
) -> Result<Option<Link>, NodeError> {
    let (Some(before), Some(mut after)) = (read(node, old)?, read(node, new)?) else {
        return Ok(None);
    };
    let mut links = Vec::new();
    for link in std::mem::take(&mut after.links) {
        let mut others = before.links.iter();
        if others.clone().any(|other| other.cid == link.cid) {
            links.push(link);
        } else if !link.name.is_empty()
            && let Some(other) = others.find(|other| other.name == link.name)
            && let Some(common) = common(node, &other.cid, &link.cid, segment)?
        {
            links.push(Link {
                name: link.name,
                ..common
            });
        }
    }
    after.links = links;
    let block = after.encode();
    let link = Link {
        cid: cid_of(CidVersion::V1, DAG_PB, &block),
        name: String::new(),
        size: after.cumulative_size(block.len()),
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
