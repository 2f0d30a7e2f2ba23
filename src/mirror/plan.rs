//! A plan of a run: the items to mirror, and those that are left out.

use super::encoding::Encoding;
use super::failure::Failure;
use super::items::ItemRef;
use super::lookup::PlannedItem;
use super::skipped::{SkipKind, SkipReason, Skipped};
use crate::guix::HashPart;
use serde::{Serialize, Serializer};

/// A plan of a run.
#[derive(Debug, Default, Serialize)]
pub struct Plan {
    /// The items to mirror.
    #[serde(skip)]
    pub items: Vec<PlannedItem>,
    /// The encoding of their nars.
    pub encoding: Encoding,
    /// The number of wanted items that are published already.
    pub already: usize,
    /// The number of wanted items that are not tried, because their pauses are not
    /// over.
    pub paused: usize,
    /// The number of wanted items that a person removed.
    #[serde(rename = "kept_out")]
    pub removed: usize,
    /// The items that are left out.
    #[serde(flatten, serialize_with = "by_kind")]
    pub skipped: Vec<Skipped>,
    /// Items that a limit or a signal came before.
    #[serde(skip)]
    pub left: Vec<HashPart>,
    /// As many items were planned as a run takes, and none of them is whole.
    #[serde(skip)]
    pub is_endless: bool,
    /// Items that the ledger holds as owed and that are published.
    #[serde(skip)]
    pub settled: Vec<HashPart>,
    /// The reason why planning ended early, where that was no limit and no signal.
    #[serde(skip)]
    pub failure: Option<Failure>,
}

impl Plan {
    /// Leaves an item out.
    pub fn skip(&mut self, item: impl Into<ItemRef>, reason: SkipReason) {
        self.skipped.push(Skipped::new(item, reason));
    }

    /// The items that are left out for a reason of this kind.
    pub fn skipped_as(&self, kind: SkipKind) -> impl Iterator<Item = &Skipped> {
        of_kind(&self.skipped, kind)
    }
}

fn of_kind(skipped: &[Skipped], kind: SkipKind) -> impl Iterator<Item = &Skipped> {
    let skipped = skipped.iter();
    skipped.filter(move |skipped| skipped.reason.kind() == kind)
}

/// The items that are left out, as a list for each kind of reason.
fn by_kind<S: Serializer>(skipped: &[Skipped], serializer: S) -> Result<S::Ok, S::Error> {
    let kinds = [
        ("missing", SkipKind::Missing),
        ("waiting", SkipKind::Waiting),
        ("refused", SkipKind::Refused),
        ("broken", SkipKind::Broken),
    ];
    let list = |kind| of_kind(skipped, kind).collect::<Vec<_>>();
    serializer.collect_map(kinds.map(|(name, kind)| (name, list(kind))))
}
