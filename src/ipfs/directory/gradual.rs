//! Changes to many entries of a directory, made during a walk through it.

use super::super::blocks::{BlockSink, Blocks};
use super::super::cid::CidVersion;
use super::entry::{Changes, Entry, store};
use super::error::TreeError;
use super::hamt;
use super::node::DirectoryNode;
use super::patch::patch;
use super::plain::{PlainDirectory, SHARDING_BYTES, entry_bytes};
use super::shard::Shard;

/// A directory that is changed a part at a time, so that neither its entries nor its new
/// blocks are held in memory together.
#[derive(Debug)]
pub struct GradualPatch {
    version: CidVersion,
    /// The root shard so far; `None` for a plain directory.
    shard: Option<Shard>,
    /// The entries that are left, as long as they may make a plain directory.
    left: Option<PlainDirectory>,
    /// The sum that decides about sharding.
    bytes: usize,
}

impl GradualPatch {
    /// The directory with this first block, before any change.
    pub fn new(top: &DirectoryNode, version: CidVersion) -> Self {
        Self {
            version,
            shard: match top {
                DirectoryNode::Plain(_) => None,
                DirectoryNode::Sharded(shard) => Some(shard.clone()),
            },
            left: Some(PlainDirectory::default()),
            bytes: 0,
        }
    }

    /// Takes the next entries of the directory, and makes `changes`, which are about
    /// these names alone. Entries that share a slot of the root shard must be in one part.
    ///
    /// # Errors
    /// A shard on the way to a change cannot be read.
    pub fn part<B: Blocks>(
        &mut self,
        blocks: &B,
        entries: Vec<(String, Entry)>,
        changes: &Changes,
        sink: &mut impl BlockSink<Error = B::Error>,
    ) -> Result<(), TreeError<B::Error>> {
        for (name, entry) in entries {
            let after = changes.get(&name).copied().unwrap_or(Some(entry));
            if let (Some(left), Some(entry)) = (&mut self.left, after) {
                self.bytes += entry_bytes(&name, &entry.cid);
                left.entries.insert(name, entry);
            }
            // A plain directory is small, and may be sharded in the end.
            if self.shard.is_some() && self.bytes > SHARDING_BYTES {
                self.left = None;
            }
        }
        if let Some(shard) = self.shard.take() {
            let shard = hamt::patch(blocks, self.version, shard, &[], changes, sink)?;
            self.shard = Some(shard);
        }
        Ok(())
    }

    /// The directory, after all its entries. Its first block goes to `sink`.
    pub fn finish<B: Blocks>(
        self,
        blocks: &B,
        sink: &mut impl BlockSink<Error = B::Error>,
    ) -> Result<Entry, TreeError<B::Error>> {
        match (self.left, self.shard) {
            (None, Some(shard)) => store(shard.encode(self.version), sink),
            (left, _) => {
                let entries = left.unwrap_or_default().entries.into_iter();
                let entries = entries.map(|(name, entry)| (name, Some(entry)));
                patch(blocks, None, entries.collect(), self.version, sink)
            }
        }
    }
}
