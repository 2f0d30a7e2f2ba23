//! How many entries a directory has: counted in its own blocks, without looking
//! at what they stand for. That of a million entries lies in some 95,000 shards,
//! which take a node half a minute; so beyond [`MOST_SHARDS`] the rest is taken to
//! be like what was seen. The hash that spreads names over shards makes that good:
//! the estimate for a million is off by less than one in a hundred, mostly.

use super::parallel;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Child, Shard, Top};
use crate::publication::{PublicationError, Tree};
use std::fmt;
use std::ops::AddAssign;

/// Shards that are read of one directory before the rest is estimated: those of
/// some 20,000 entries.
const MOST_SHARDS: u64 = 2000;

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The number.
    pub entries: u64,
    /// Whether all were counted.
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

/// What was seen of a directory.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    entries: u64,
    shards: u64,
}

impl AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.shards += other.shards;
    }
}

/// Counts the entries of a directory whose name is `counted`, on a few threads.
pub fn entries(
    tree: &Tree,
    directory: &Cid,
    jobs: u16,
    counted: impl Fn(&str) -> bool + Sync,
) -> Result<Count, PublicationError> {
    let top = tree.top(directory)?;
    let shard = match &*top {
        Top::Plain(plain) => {
            let entries = plain.entries.keys().filter(|name| counted(name)).count();
            return Ok(Count {
                entries: entries as u64,
                is_exact: true,
            });
        }
        Top::Sharded(shard) => shard,
    };
    let mut seen = Seen::default();
    let below = of_shard(shard, &counted, &mut seen);
    let direct = std::mem::take(&mut seen).entries;
    let mut read = 0;
    for group in below.chunks(usize::from(jobs.max(1))) {
        if seen.shards >= MOST_SHARDS {
            break;
        }
        for part in parallel::map(jobs, group.to_vec(), |cid| subtree(tree, &cid, &counted)) {
            seen += part?;
        }
        read += group.len() as u64;
    }
    let all = below.len() as u64;
    let estimate = seen.entries * all / read.max(1);
    Ok(Count {
        entries: direct + estimate,
        is_exact: read == all,
    })
}

/// Counts the entries that stand in a shard itself; gives the shards below it.
fn of_shard(shard: &Shard, counted: &impl Fn(&str) -> bool, seen: &mut Seen) -> Vec<Cid> {
    let mut below = Vec::new();
    for child in shard.children.values() {
        match child {
            Child::Entry(name, _) => seen.entries += u64::from(counted(name)),
            Child::Shard(link) => below.push(link.cid),
        }
    }
    below
}

fn subtree(
    tree: &Tree,
    top: &Cid,
    counted: &impl Fn(&str) -> bool,
) -> Result<Seen, PublicationError> {
    let mut seen = Seen::default();
    let mut open = vec![*top];
    while let Some(cid) = open.pop() {
        seen.shards += 1;
        // A plain directory in a shard's place has no entries of this one.
        if let Top::Sharded(shard) = Top::read(tree, &cid)? {
            open.extend(of_shard(&shard, counted, &mut seen));
        }
    }
    Ok(seen)
}
