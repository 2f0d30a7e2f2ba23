//! The number of entries of a directory, counted in its own blocks without looking
//! at the files. A directory of a million entries lies in some 95,000 shards, which
//! take a node half a minute; so beyond [`MOST_SHARDS`] the rest is taken to be like
//! the part that was read. The hash that spreads names over shards makes that good:
//! the estimate for a million is mostly off by less than one in a hundred.

use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Child, DirectoryNode, Shard};
use crate::publication::{PublicationError, Tree};
use crate::util::parallel;
use serde::Serialize;
use std::fmt;
use std::ops::AddAssign;

/// Shards that are read of one directory before the rest is estimated: those of
/// some 20,000 entries.
const MOST_SHARDS: u64 = 2000;

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

/// The part of a directory that was read.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    entries: u64,
    shards: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.shards += other.shards;
    }
}

/// Counts the entries of a directory whose names are `counted`, on a few threads.
pub fn entries(
    tree: &Tree,
    directory: &Cid,
    jobs: u16,
    counted: impl Fn(&str) -> bool + Sync,
) -> Result<Count, PublicationError> {
    let top = tree.top(directory)?;
    let shard = match &*top {
        DirectoryNode::Plain(plain) => {
            let entries = plain.entries.keys().filter(|name| counted(name)).count();
            return Ok(Count {
                entries: entries as u64,
                is_exact: true,
            });
        }
        DirectoryNode::Sharded(shard) => shard,
    };
    let mut tally = Tally::default();
    let below = of_shard(shard, &counted, &mut tally);
    let direct = std::mem::take(&mut tally).entries;
    let mut read = 0;
    for group in below.chunks(usize::from(jobs.max(1))) {
        if tally.shards >= MOST_SHARDS {
            break;
        }
        for part in parallel::map(jobs, group.to_vec(), |cid| subtree(tree, &cid, &counted)) {
            tally += part?;
        }
        read += group.len() as u64;
    }
    let all = below.len() as u64;
    let estimate = tally.entries * all / read.max(1);
    Ok(Count {
        entries: direct + estimate,
        is_exact: read == all,
    })
}

/// Counts the entries that stand in a shard itself, and returns the shards below.
fn of_shard(shard: &Shard, counted: &impl Fn(&str) -> bool, tally: &mut Tally) -> Vec<Cid> {
    let mut below = Vec::new();
    for child in shard.children.values() {
        match child {
            Child::Entry(name, _) => tally.entries += u64::from(counted(name)),
            Child::Shard(link) => below.push(link.cid),
        }
    }
    below
}

fn subtree(
    tree: &Tree,
    top: &Cid,
    counted: &impl Fn(&str) -> bool,
) -> Result<Tally, PublicationError> {
    let mut tally = Tally::default();
    let mut open = vec![*top];
    while let Some(cid) = open.pop() {
        tally.shards += 1;
        // A plain directory in a shard's place has no entries of this one.
        if let DirectoryNode::Sharded(shard) = DirectoryNode::read(tree, &cid)? {
            open.extend(of_shard(&shard, counted, &mut tally));
        }
    }
    Ok(tally)
}
