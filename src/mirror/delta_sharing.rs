//! The blocks that delta nars share: what their directories list, and what is stored.
//! Only the inner nodes of the files are read, which state the sizes of the leaves.

use crate::guix::delta::NAR_FOLDER;
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::Cid;
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::directory::Entry;
use crate::ipfs::unixfs::UnixFs;
use crate::publication::{PublicationError, Tree};
use crate::util::parallel;
use serde::Serialize;
use std::collections::HashMap;

/// The most delta nars that are read; the others of a larger mirror are left out.
const MOST_NARS: usize = 20_000;

/// Blocks that are read together.
const AT_ONCE: usize = 256;

/// Bytes by which the block of a leaf may be larger than its content: a dag-pb leaf has
/// 14 more, a raw one none. A node has at least 45 for each of its links.
const LEAF_OVERHEAD: u64 = 40;

/// The sharing of the delta nars of a mirror.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeltaSharing {
    /// The number of delta nars that were looked at.
    pub nars: u64,
    /// All were.
    pub exact: bool,
    /// Bytes of their leaves, each as often as a nar lists it.
    pub listed_bytes: u64,
    /// Bytes of the different leaves.
    pub stored_bytes: u64,
}

/// The leaves that were met.
#[derive(Default)]
struct Leaves {
    sharing: DeltaSharing,
    /// Their sizes, by the beginnings of their hashes.
    met: HashMap<[u8; 8], u32>,
}

/// The sharing of the delta nars of a tree that is on the node; `None` without such nars.
///
/// # Errors
/// A directory or a node of a file cannot be read.
pub fn delta_sharing(tree: &Tree, jobs: u16) -> Result<Option<DeltaSharing>, PublicationError> {
    let Some(folder) = tree.find(&["nar", NAR_FOLDER])? else {
        return Ok(None);
    };
    let (nars, part) = tree.sample(&folder.cid, jobs, MOST_NARS)?;
    let mut leaves = Leaves::default();
    leaves.sharing.nars = nars.len() as u64;
    leaves.sharing.exact = part == 1.0;
    let mut open: Vec<Entry> = nars.into_iter().map(|(_, nar)| nar).collect();
    while !open.is_empty() {
        let parts = open.chunks(AT_ONCE).collect();
        let read = |part: &[Entry]| read_nodes(tree, part);
        let mut below = Vec::new();
        for part in parallel::map(tree.readers(jobs), parts, read) {
            for node in part? {
                match node {
                    Node::OverLeaves(links) => links.iter().for_each(|link| leaves.add(link)),
                    Node::OverNodes(links) => below.extend(links),
                }
            }
        }
        open = below;
    }
    leaves.sharing.stored_bytes = leaves.met.values().map(|&bytes| u64::from(bytes)).sum();
    Ok(Some(leaves.sharing))
}

/// A node of a file. In a balanced one all leaves are equally deep.
enum Node {
    /// It stands above leaves, or is one.
    OverLeaves(Vec<Entry>),
    /// It stands above other nodes.
    OverNodes(Vec<Entry>),
}

fn read_nodes(tree: &Tree, links: &[Entry]) -> Result<Vec<Node>, PublicationError> {
    let cids: Vec<Cid> = links.iter().map(|link| link.cid).collect();
    // Not through the cache of the tree, which holds directories.
    let blocks = tree.node().get_many(&cids)?;
    let nodes = links.iter().zip(blocks);
    Ok(nodes.map(|(link, block)| node(link, &block)).collect())
}

fn node(link: &Entry, block: &[u8]) -> Node {
    let own = || Node::OverLeaves(vec![*link]);
    let Ok(node) = PbNode::decode(block) else {
        return own();
    };
    let message = node.data.as_deref().map(UnixFs::decode);
    let (Some(Ok(message)), [first, ..]) = (message, node.links.as_slice()) else {
        return own();
    };
    let content = message.blocksizes.first().copied().unwrap_or_default();
    let is_over_leaves = first.size.saturating_sub(content) <= LEAF_OVERHEAD;
    let links = node.links.iter().map(|link| Entry {
        cid: link.cid,
        size: link.size,
    });
    match is_over_leaves {
        true => Node::OverLeaves(links.collect()),
        false => Node::OverNodes(links.collect()),
    }
}

impl Leaves {
    fn add(&mut self, leaf: &Entry) {
        let digest = leaf.cid.hash().digest();
        let mut key = [0; 8];
        let length = digest.len().min(key.len());
        key[..length].copy_from_slice(&digest[..length]);
        self.sharing.listed_bytes = self.sharing.listed_bytes.saturating_add(leaf.size);
        let bytes = u32::try_from(leaf.size).unwrap_or(u32::MAX);
        self.met.insert(key, bytes);
    }
}
