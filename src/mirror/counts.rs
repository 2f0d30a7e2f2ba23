//! The number of entries of a directory, counted in its own blocks without looking
//! at the files. A directory of a million entries lies in some 95,000 shards, which
//! take a node half a minute; so beyond a bound the rest is taken to be like the part
//! that was read. The hash that spreads names over shards makes that good: the
//! estimate for a million is mostly off by less than one in a hundred, and by a few
//! where the blocks come over a network.

use super::failure::Failure;
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Child, DirectoryNode, Shard, TreeError};
use crate::node::Node;
use crate::publication::{PublicationError, Tree};
use crate::util::parallel;
use serde::Serialize;
use std::fmt;

/// Entries that are read of a directory on the node before the rest is estimated.
const ON_THE_NODE: usize = 20_000;

/// Shards that are read of a directory over the network: a few seconds where a block
/// takes a tenth of one.
const ON_THE_NETWORK: u64 = 128;

/// Those below one slot of the root shard.
const OF_A_SLOT: u64 = 4;

/// Slots of the root shard that are read in one go over the network, before the bound is
/// looked at: at most 255 shards are read of a directory.
const MOST_SLOTS: u16 = 32;

/// The fewest entries below a shard that is not the root's.
const FEWEST: f64 = 2.0;

/// The deepest level of shards: a hash has eight bytes.
const DEEPEST: usize = 8;

/// Entries that are kept as a sample.
const SAMPLE: usize = 120;

/// A number of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The number.
    #[serde(rename = "count")]
    pub entries: u64,
    /// All were counted.
    #[serde(rename = "exact")]
    pub is_exact: bool,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = if self.is_exact { "" } else { "about " };
        write!(f, "{about}{}", self.entries)
    }
}

/// A count, and some of the entries counted.
#[derive(Debug)]
pub struct Survey {
    /// The number of entries.
    pub count: Count,
    /// At most 120 of them, spread over the directory.
    pub sample: Vec<(String, Cid)>,
}

/// The part of a directory that was read.
#[derive(Debug, Default)]
struct Tally {
    shards: u64,
    /// The shards that were not read.
    unread: u64,
    sample: Vec<(String, Cid)>,
}

/// The size of a mirror.
#[derive(Clone, Copy, Debug)]
pub struct TreeSize {
    /// Cumulative size in bytes.
    pub bytes: u64,
    /// The number of narinfos.
    pub narinfos: Count,
}

/// The size of a mirror with this root, which the node holds.
///
/// # Errors
/// A directory that is read for it is not whole.
pub fn tree_size(node: &dyn Node, root: Cid, jobs: u16) -> Result<TreeSize, Failure> {
    let tree = Tree::new(node, root);
    Ok(TreeSize {
        bytes: tree.whole()?.size,
        narinfos: survey_narinfos(&tree, jobs)?.count,
    })
}

/// Counts the narinfos of a root.
pub fn survey_narinfos(tree: &Tree, jobs: u16) -> Result<Survey, PublicationError> {
    survey(tree, &tree.root, jobs, |name| name.ends_with(".narinfo"))
}

/// Counts the entries of a directory whose names are `counted`, on a few threads.
pub fn survey(
    tree: &Tree,
    directory: &Cid,
    jobs: u16,
    counted: impl Fn(&str) -> bool + Sync,
) -> Result<Survey, PublicationError> {
    if tree.is_remote()
        && let DirectoryNode::Sharded(shard) = &*tree.top(directory)?
    {
        return Ok(survey_shard(tree, shard, jobs, counted)?);
    }
    let (mut entries, part) = tree.sample(directory, jobs, ON_THE_NODE)?;
    entries.retain(|(name, _)| counted(name));
    let count = Count {
        entries: (entries.len() as f64 / part).round() as u64,
        is_exact: part == 1.0,
    };
    let apart = entries.len().div_ceil(SAMPLE).max(1);
    let sample = entries.into_iter().step_by(apart);
    Ok(Survey {
        count,
        sample: sample.map(|(name, entry)| (name, entry.cid)).collect(),
    })
}

/// The same for a sharded directory whose blocks come one by one over the network.
pub fn survey_shard<B: Blocks<Error: Send> + Sync>(
    blocks: &B,
    shard: &Shard,
    jobs: u16,
    counted: impl Fn(&str) -> bool + Sync,
) -> Result<Survey, TreeError<B::Error>> {
    let mut all = Tally::default();
    let (direct, below) = all.of_shard(shard, &counted);
    let (mut entries, mut read) = (0.0, 0);
    for group in below.chunks(usize::from(jobs.clamp(1, MOST_SLOTS))) {
        if all.shards >= ON_THE_NETWORK {
            break;
        }
        let of_slot = |cid| {
            let mut part = Tally::default();
            let entries = part.below(blocks, &cid, 1, &counted)?;
            Ok::<_, TreeError<B::Error>>((entries, part))
        };
        for slot in parallel::map(jobs.max(1), group.to_vec(), of_slot) {
            let (of_slot, part) = slot?;
            entries += of_slot;
            all.shards += part.shards;
            all.unread += part.unread;
            all.sample.extend(part.sample);
        }
        read += group.len();
    }
    all.sample.truncate(SAMPLE);
    let estimate = entries * below.len() as f64 / read.max(1) as f64;
    Ok(Survey {
        count: Count {
            entries: (direct + estimate).round() as u64,
            is_exact: read == below.len() && all.unread == 0,
        },
        sample: all.sample,
    })
}

impl Tally {
    /// Counts the entries that stand in a shard itself, and returns the shards below, too.
    fn of_shard(&mut self, shard: &Shard, counted: &impl Fn(&str) -> bool) -> (f64, Vec<Cid>) {
        let mut entries = 0.0;
        let mut below = Vec::new();
        for child in shard.children.values() {
            match child {
                Child::Entry(name, entry) if counted(name) => {
                    entries += 1.0;
                    if self.sample.len() < SAMPLE {
                        self.sample.push((name.clone(), entry.cid));
                    }
                }
                Child::Entry(..) => {}
                Child::Shard(link) => below.push(link.cid),
            }
        }
        (entries, below)
    }

    /// Counts what is below a slot of a shard, with an estimate for shards that are not
    /// read.
    fn below<B: Blocks>(
        &mut self,
        blocks: &B,
        cid: &Cid,
        depth: usize,
        counted: &impl Fn(&str) -> bool,
    ) -> Result<f64, TreeError<B::Error>> {
        self.shards += 1;
        // A plain directory in a shard's place has no entries of this one.
        let DirectoryNode::Sharded(shard) = DirectoryNode::read(blocks, cid)? else {
            return Ok(0.0);
        };
        let (direct, shards) = self.of_shard(&shard, counted);
        let (mut entries, mut read) = (0.0, 0);
        for cid in &shards {
            if self.shards >= OF_A_SLOT || depth == DEEPEST {
                break;
            }
            entries += self.below(blocks, cid, depth + 1, counted)?;
            read += 1;
        }
        let all = shards.len() as f64;
        self.unread += (shards.len() - read) as u64;
        Ok(direct
            + match read {
                0 => all * FEWEST,
                read => entries * all / read as f64,
            })
    }
}
