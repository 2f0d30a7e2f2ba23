//! The items that a run is to mirror.

use super::items::ItemRef;
use super::ledger::SeenBuilds;
use super::skipped::Skipped;
use crate::guix::HashPart;
use std::collections::BTreeSet;

/// The wanted items of a run.
#[derive(Debug, Default)]
pub struct WantedItems {
    /// Known by their hashes.
    pub items: Vec<ItemRef>,
    /// Named by a person, and not known to anybody.
    pub unknown: Vec<Skipped>,
    /// The items that were named or listed today.
    pub today: BTreeSet<HashPart>,
    /// The lists of builds that were read.
    pub seen: Vec<SeenBuilds>,
    /// A farm's list could not be read.
    pub is_partial: bool,
}
