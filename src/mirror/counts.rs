//! The number of entries of a directory, counted in its own blocks without looking
//! at the files. A directory of a million entries lies in some 95,000 shards, which
//! take a node half a minute; so beyond a bound the rest is taken to be like the part
//! that was read. The hash that spreads names over shards makes that good: the
//! estimate for a million is mostly off by less than one in a hundred, and by a few
//! where the blocks come over a network.

use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Child, DirectoryNode, Shard};
use crate::publication::{PublicationError, Tree};
use crate::util::parallel;
use serde::Serialize;
use std::fmt;

/// The shards that are read of one directory before the rest is estimated.
#[derive(Clone, Copy)]
struct Bounds {
    /// In all, about.
    shards: u64,
    /// Below one slot of the root shard.
    of_slot: u64,
}

/// Those of some 20,000 entries.
const ON_THE_NODE: Bounds = Bounds {
    shards: 2000,
    of_slot: u64::MAX,
};

/// A few seconds where a block takes a tenth of one.
const ON_THE_NETWORK: Bounds = Bounds {
    shards: 128,
    of_slot: 4,
};

/// Slots of the root shard that are read in one go, before the bounds are looked at:
/// over a network, at most 255 shards are read of a directory.
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

impl Default for Count {
    fn default() -> Self {
        let entries = 0;
        Self {
            entries,
            is_exact: true,
        }
    }
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
    /// With an estimate for shards that were not read.
    entries: f64,
    shards: u64,
    /// The shards that were not read.
    unread: u64,
    sample: Vec<(String, Cid)>,
}

/// Counts the entries of a directory whose names are `counted`, on a few threads.
pub fn survey(
    tree: &Tree,
    directory: &Cid,
    jobs: u16,
    counted: impl Fn(&str) -> bool + Sync,
) -> Result<Survey, PublicationError> {
    let top = tree.top(directory)?;
    let shard = match &*top {
        DirectoryNode::Plain(plain) => {
            let entries = plain.entries.iter().filter(|(name, _)| counted(name));
            let entries: Vec<_> = entries.collect();
            let sample = entries
                .iter()
                .step_by(entries.len().div_ceil(SAMPLE).max(1));
            return Ok(Survey {
                count: Count {
                    entries: entries.len() as u64,
                    is_exact: true,
                },
                sample: sample
                    .map(|(name, entry)| ((*name).clone(), entry.cid))
                    .collect(),
            });
        }
        DirectoryNode::Sharded(shard) => shard,
    };
    let bounds = match tree.is_remote() {
        true => ON_THE_NETWORK,
        false => ON_THE_NODE,
    };
    let mut all = Tally::default();
    let below = of_shard(shard, &counted, &mut all);
    let direct = std::mem::take(&mut all.entries);
    let mut read = 0;
    for group in below.chunks(usize::from(jobs.clamp(1, MOST_SLOTS))) {
        if all.shards >= bounds.shards {
            break;
        }
        let slot = |cid| of_slot(tree, &cid, bounds.of_slot, &counted);
        for part in parallel::map(jobs.max(1), group.to_vec(), slot) {
            let part = part?;
            all.entries += part.entries;
            all.shards += part.shards;
            all.unread += part.unread;
            all.sample.extend(part.sample);
        }
        read += group.len();
    }
    all.sample.truncate(SAMPLE);
    let estimate = all.entries * below.len() as f64 / read.max(1) as f64;
    Ok(Survey {
        count: Count {
            entries: (direct + estimate).round() as u64,
            is_exact: read == below.len() && all.unread == 0,
        },
        sample: all.sample,
    })
}

/// Counts the entries that stand in a shard itself, and returns the shards below.
fn of_shard(shard: &Shard, counted: &impl Fn(&str) -> bool, tally: &mut Tally) -> Vec<Cid> {
    let mut below = Vec::new();
    for child in shard.children.values() {
        match child {
            Child::Entry(name, entry) if counted(name) => {
                tally.entries += 1.0;
                if tally.sample.len() < SAMPLE {
                    tally.sample.push((name.clone(), entry.cid));
                }
            }
            Child::Entry(..) => {}
            Child::Shard(link) => below.push(link.cid),
        }
    }
    below
}

/// Counts what is below one slot of the root shard, in `most` shards.
fn of_slot(
    tree: &Tree,
    cid: &Cid,
    most: u64,
    counted: &impl Fn(&str) -> bool,
) -> Result<Tally, PublicationError> {
    let mut tally = Tally::default();
    tally.entries = below(tree, cid, 1, most, counted, &mut tally)?;
    Ok(tally)
}

fn below(
    tree: &Tree,
    cid: &Cid,
    depth: usize,
    most: u64,
    counted: &impl Fn(&str) -> bool,
    tally: &mut Tally,
) -> Result<f64, PublicationError> {
    tally.shards += 1;
    // A plain directory in a shard's place has no entries of this one.
    let DirectoryNode::Sharded(shard) = DirectoryNode::read(tree, cid)? else {
        return Ok(0.0);
    };
    let shards = of_shard(&shard, counted, tally);
    let direct = std::mem::take(&mut tally.entries);
    if tree.answers_many() {
        // A failure here fails again where each is read.
        let _ = tree.get_many(&shards);
    }
    let (mut entries, mut read) = (0.0, 0);
    for cid in &shards {
        if tally.shards >= most || depth == DEEPEST {
            break;
        }
        entries += below(tree, cid, depth + 1, most, counted, tally)?;
        read += 1;
    }
    let all = shards.len() as f64;
    tally.unread += (shards.len() - read) as u64;
    Ok(direct
        + match read {
            0 => all * FEWEST,
            read => entries * all / read as f64,
        })
}
