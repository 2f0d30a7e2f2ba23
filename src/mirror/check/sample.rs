//! The size of a mirror and a sample of its narinfos, read from a few of its blocks.

use super::super::counts::{Count, survey_shard};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::Cid;
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::directory::{DirectoryNode, Shard, TreeError};

/// Slots of a sharded root that are read, at random: at most four shards are read below
/// each.
const SLOTS: usize = 8;

/// The size of a mirror, and some of its narinfos.
#[derive(Debug)]
pub struct MirrorSample {
    /// The number of narinfos, estimated where there are many.
    pub narinfos: Count,
    /// Cumulative size in bytes.
    pub bytes: u64,
    /// Some narinfos, at random.
    pub some: Vec<(String, Cid)>,
}

/// Reads as much of a root as it takes for at most `size` narinfos at random, and for an
/// estimate of their number.
pub fn sample<B: Blocks<Error: Send> + Sync>(
    blocks: &B,
    root: &Cid,
    size: usize,
    jobs: u16,
) -> Result<MirrorSample, TreeError<B::Error>> {
    let block = blocks.get(root).map_err(TreeError::Blocks)?;
    let bytes = PbNode::decode(&block).map_or(0, |node| node.cumulative_size(block.len()));
    let is_narinfo = |name: &str| name.ends_with(".narinfo");
    let (entries, is_exact, mut some) = match DirectoryNode::read(blocks, root)? {
        DirectoryNode::Plain(plain) => {
            let entries = plain.entries.into_iter();
            let narinfos = entries.filter(|(name, _)| is_narinfo(name));
            let some: Vec<_> = narinfos.map(|(name, entry)| (name, entry.cid)).collect();
            (some.len() as f64, true, some)
        }
        DirectoryNode::Sharded(shard) => {
            let all = shard.children.len();
            let mut children: Vec<_> = shard.children.into_iter().collect();
            shuffle(&mut children);
            children.truncate(SLOTS);
            let part = Shard {
                children: children.into_iter().collect(),
            };
            let read = part.children.len();
            let survey = survey_shard(blocks, &part, jobs, is_narinfo)?;
            let entries = survey.count.entries as f64 * all as f64 / read.max(1) as f64;
            (entries, survey.count.is_exact && read == all, survey.sample)
        }
    };
    shuffle(&mut some);
    some.truncate(size);
    let entries = entries.round() as u64;
    Ok(MirrorSample {
        narinfos: Count { entries, is_exact },
        bytes,
        some,
    })
}

/// Puts things in another order, at random where the system has randomness.
fn shuffle<T>(things: &mut [T]) {
    for last in (1..things.len()).rev() {
        let mut number = [0; 4];
        let _ = getrandom::fill(&mut number);
        things.swap(last, u32::from_le_bytes(number) as usize % (last + 1));
    }
}
