//! The figures that are gathered during a run.

use crate::mirror::{CollectionSummary, KeptRoot, PruneOutcome};
use crate::util::timestamp::Timestamp;
use std::time::Duration;

/// The figures of a run, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct RunFigures {
    /// Items that were published.
    pub mirrored: usize,
    /// Bytes of their files.
    pub bytes: Option<u64>,
    /// Items that were taken out.
    pub removed: Option<usize>,
    /// Items that a prune removed.
    pub pruned: Option<usize>,
    /// Bytes by which the tree became smaller.
    pub pruned_bytes: Option<u64>,
    /// Items that no upstream has.
    pub missing: Option<usize>,
    /// Items that differ from their narinfos.
    pub refused: Option<usize>,
    /// Items that are owed after the run.
    pub owed: Option<usize>,
    /// Cumulative size of the root, in bytes.
    pub tree_bytes: Option<u64>,
    /// Narinfos of the root.
    pub narinfos: Option<u64>,
    /// The end of the record's validity.
    pub record_end: Option<Timestamp>,
    /// The result of `--gc`.
    pub collected: Option<CollectionSummary>,
    /// The pinning services that were asked.
    pub services: Vec<KeptRoot>,
    /// The time until the items to mirror were known.
    pub planning: Option<Duration>,
}

impl RunFigures {
    /// Records the size of the tree.
    pub fn note_tree(&mut self, bytes: u64, narinfos: u64) {
        self.tree_bytes = Some(bytes);
        self.narinfos = Some(narinfos);
    }

    /// Records a prune.
    pub fn note_pruned(&mut self, outcome: &PruneOutcome) {
        self.pruned = Some(outcome.pruned);
        self.pruned_bytes = Some(outcome.pruned_bytes);
        self.note_tree(outcome.kept_bytes, outcome.kept as u64);
    }
}
