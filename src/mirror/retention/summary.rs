//! The result of a prune.

use crate::mirror::name_change::NameChange;
use serde::Serialize;

/// The result of a prune.
#[derive(Debug, Serialize)]
pub struct PruneSummary {
    /// The effect on the name.
    #[serde(flatten)]
    pub change: NameChange,
    /// The part of the result that depends on the rule.
    #[serde(flatten)]
    pub outcome: PruneOutcome,
}

/// The items that a rule prunes, and those that it keeps.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PruneOutcome {
    /// The number of items that go.
    pub pruned: usize,
    /// The bytes by which the tree becomes smaller.
    pub pruned_bytes: u64,
    /// The number of items that are left.
    pub kept: usize,
    /// The cumulative size of the tree that is left, in bytes. In a preview it is
    /// estimated, to a few bytes for each item.
    pub kept_bytes: u64,
    /// The number of items that were wanted today and found no place.
    pub wanted_today: usize,
    /// The items that go, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<PrunedItem>>,
    /// The gap between two days that was taken for a fault of the clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_gap: Option<ClockGap>,
}

/// An item that goes.
#[derive(Clone, Debug, Serialize)]
pub struct PrunedItem {
    /// Its store path.
    pub item: String,
    /// The bytes of its files.
    pub bytes: u64,
    /// The last day on which it was wanted itself; `None` for one that is older than the
    /// ledger, or that came with others.
    pub last_wanted: Option<String>,
}

/// Two days with none between them on which anything was wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockGap {
    /// The earlier day.
    pub from: String,
    /// The later day.
    pub to: String,
}
