//! The ledger as a run plans by it.

use super::files::{OWED, REMOVED, SEEN};
use super::lines;
use super::owed::{self, OwedItem, OwedKind};
use super::removed::{self, RemovedItem};
use super::retention::Retention;
use super::seen::SeenBuilds;
use crate::guix::HashPart;
use crate::mirror::failure::Failure;
use crate::node::Node;
use crate::publication::LedgerFiles;
use crate::util::timestamp::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// The ledger, as a run finds it.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The wanted items that are not published.
    pub owed: BTreeMap<HashPart, OwedItem>,
    /// The items that a person removed.
    pub removed: BTreeMap<HashPart, RemovedItem>,
    /// The builds of each farm's list that were dealt with.
    pub seen: Vec<SeenBuilds>,
    /// The rule of retention.
    pub retention: Retention,
}

/// The standing of a wanted item in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may be asked for.
    Due,
    /// It was asked for lately, and its pause is not over.
    Paused,
    /// A person removed it.
    Removed,
}

impl Ledger {
    /// Reads what a run plans by.
    pub fn read(node: &dyn Node, files: &mut LedgerFiles) -> Result<Self, Failure> {
        Ok(Self {
            owed: owed::read(files.read(node, OWED)?),
            removed: removed::read(files.read(node, REMOVED)?),
            seen: lines::read(files.read(node, SEEN)?),
            retention: Retention::read(node, files)?,
        })
    }

    /// The URLs of the nars that did not come, by their items.
    pub fn failed_nars(&self) -> HashMap<HashPart, String> {
        let owed = self.owed.values();
        owed.filter_map(|item| Some((item.hash, item.attempt.nar.clone()?)))
            .collect()
    }

    /// The standing of an item at the time `now`.
    pub fn standing(&self, hash: &HashPart, now: Timestamp) -> Standing {
        if self.removed.contains_key(hash) {
            return Standing::Removed;
        }
        match self.is_due(hash, now) {
            true => Standing::Due,
            false => Standing::Paused,
        }
    }

    /// The owed items that a run tries again by itself, the longest owed first.
    pub fn due(&self, now: Timestamp) -> Vec<&OwedItem> {
        let owed = self.owed.values();
        let mut due: Vec<&OwedItem> = owed
            .filter(|item| !item.given_up && self.standing(&item.hash, now) == Standing::Due)
            .collect();
        due.sort_by_key(|item| (item.since, item.hash));
        due
    }

    /// An item that waits for another is due as soon as that one is, or is not owed
    /// any more.
    fn is_due(&self, hash: &HashPart, now: Timestamp) -> bool {
        let mut at = *hash;
        // Items that wait for each other in a circle have only their own times.
        for _ in 0..MOST_STEPS {
            let Some(item) = self.owed.get(&at) else {
                return true;
            };
            if item.is_due(now) {
                return true;
            }
            match item.attempt.needs {
                Some(needs) if item.attempt.kind == OwedKind::Waiting => {
                    if self.removed.contains_key(&needs) {
                        return false;
                    }
                    at = needs;
                }
                _ => return false,
            }
        }
        false
    }
}

/// Steps from an item to the one that it waits for.
const MOST_STEPS: usize = 1000;
