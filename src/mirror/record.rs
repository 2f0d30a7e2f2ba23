//! The effect of a run on the ledger: what was mirrored is not owed any more, and
//! what was wanted and did not come is.

use super::failure::Failure;
use super::ledger::{
    Attempt, DroppedEntries, LedgerChanges, OwedItem, OwedKind, has_begun_otherwise, keep_encoding,
};
use super::narinfos;
use super::request::{ItemSelection, Pauses};
use super::run_context::RunContext;
use super::selection::RequestedRun;
use super::skipped::{SkipReason, Skipped};
use super::wanted::WantedItems;
use crate::guix::HashPart;
use crate::publication::{LedgerFiles, Tree};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// The time for which an item may wait for another before that is reported.
const WAITING_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The time for which a build may have no narinfo before that is reported: farms
/// bake them minutes to hours after the build.
const BAKING_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The part of a run that the ledger remembers.
pub struct RunRecord<'a> {
    /// The run.
    pub run: &'a RequestedRun<'a>,
    /// The items that the run was asked for or owes.
    pub wanted: WantedItems,
    /// The same, as they were named.
    labels: HashMap<HashPart, String>,
}

/// A run as it would be if it ended now.
#[derive(Clone, Debug, Default)]
pub struct RunEnd<'e> {
    /// The items that were mirrored.
    pub mirrored: Vec<HashPart>,
    /// Items that are owed by the ledger and were published already.
    pub settled: &'e [HashPart],
    /// The items that were left out.
    pub skipped: Vec<&'e Skipped>,
    /// The items that were not tried.
    pub left: Vec<HashPart>,
    /// No end was seen of the items that those refer to.
    pub is_endless: bool,
}

/// The items of a run that are to be reported.
#[derive(Debug, Default)]
pub struct RunReport {
    /// The items that were left out for a reason that was not reported today.
    pub new: HashSet<HashPart>,
    /// The items that are not tried again by themselves any more.
    pub given_up: Vec<OwedItem>,
    /// Entries that found no place in the ledger.
    pub dropped: DroppedEntries,
}

impl<'a> RunRecord<'a> {
    /// The record of a run about these items.
    pub fn new(run: &'a RequestedRun<'a>, wanted: WantedItems) -> Self {
        let items = wanted.items.iter();
        Self {
            run,
            labels: items.map(|item| (item.hash, item.label.clone())).collect(),
            wanted,
        }
    }

    /// Writes the run into the ledger of the root that is committed onto.
    pub fn write(
        &self,
        end: &RunEnd,
        tree: &Tree,
        files: &mut LedgerFiles,
    ) -> Result<RunReport, Failure> {
        let (mut changes, mut report) = self.changes(end);
        let context = &self.run.context;
        let is_planned_onto = tree.root == context.tree.root;
        if !is_planned_onto {
            // Another writer may have published what this run could not.
            let owed = changes.owed.iter().filter(|(_, change)| change.is_some());
            for hash in narinfos::published(tree, owed.map(|(hash, _)| *hash))? {
                changes.owed.insert(hash, None);
            }
        }
        // A mirror that another writer has begun meanwhile keeps its own.
        let encoding = context.lookup.encoding;
        if is_planned_onto || !has_begun_otherwise(encoding, tree, files)? {
            keep_encoding(encoding, files);
        }
        report.dropped = changes.apply(tree.node(), files, context.now)?;
        Ok(report)
    }

    fn changes(&self, end: &RunEnd) -> (LedgerChanges, RunReport) {
        let ledger = self.run.context.ledger;
        let mut report = RunReport::default();
        let mut changes = LedgerChanges {
            seen: self.wanted.seen.clone(),
            wanted: self.wanted.today.clone(),
            rule: self.run.request.retention,
            ..LedgerChanges::default()
        };
        for hash in end.mirrored.iter().chain(end.settled) {
            if self.may_be_owed(hash) {
                changes.owed.insert(*hash, None);
            }
            if self.labels.contains_key(hash) {
                changes.wanted.insert(*hash);
            }
        }
        let reasons: HashMap<HashPart, &SkipReason> = end
            .skipped
            .iter()
            .filter_map(|skipped| Some((skipped.hash?, &skipped.reason)))
            .collect();
        for skipped in &end.skipped {
            let Some(hash) = skipped.hash else { continue };
            match attempt(&skipped.reason, &reasons) {
                Some(mut attempt) => {
                    attempt.nar = self.run.context.failed_nars.of(&hash);
                    let owed = self.owe(hash, &skipped.item, attempt, &mut report);
                    changes.owed.insert(hash, Some(owed));
                }
                None if self.may_be_owed(&hash) => {
                    changes.owed.insert(hash, None);
                }
                None => {}
            }
        }
        for hash in &end.left {
            let Some(item) = self.labels.get(hash) else {
                continue;
            };
            let attempt = match end.is_endless {
                true => endless(),
                false => Attempt::left(),
            };
            let known = ledger.owed.get(hash);
            let is_same = known.is_some_and(|known| known.attempt.kind == attempt.kind);
            if !is_same || end.is_endless {
                let owed = self.owe(*hash, item, attempt, &mut report);
                changes.owed.insert(*hash, Some(owed));
            }
        }
        if self.run.request.pauses == Pauses::Ignored {
            let added = end.mirrored.iter().chain(self.labels.keys());
            let added = added.filter(|hash| ledger.removed.contains_key(hash));
            changes.removed.extend(added.map(|hash| (*hash, None)));
        }
        (changes, report)
    }

    /// Returns true for an item that is owed, or may have been recorded as such when
    /// the run began.
    fn may_be_owed(&self, hash: &HashPart) -> bool {
        self.labels.contains_key(hash) || self.run.context.ledger.owed.contains_key(hash)
    }

    fn owe(
        &self,
        hash: HashPart,
        item: &str,
        attempt: Attempt,
        report: &mut RunReport,
    ) -> OwedItem {
        let RunContext { ledger, now, .. } = self.run.context;
        let known = ledger.owed.get(&hash);
        let was_given_up = known.is_some_and(|known| known.given_up);
        let patience = match attempt.kind {
            // A nar that its narinfo lists should be there.
            _ if attempt.nar.is_some() => Duration::ZERO,
            OwedKind::Broken | OwedKind::Refused | OwedKind::Left => Duration::ZERO,
            OwedKind::Absent => match self.run.request.selection {
                ItemSelection::LatestBuilds { .. } => BAKING_PATIENCE,
                ItemSelection::List(_) | ItemSelection::Named(_) => Duration::ZERO,
            },
            OwedKind::Waiting => WAITING_PATIENCE,
        };
        let is_try = attempt.kind != OwedKind::Left;
        let mut owed = OwedItem::after(known, hash, item, attempt, now);
        if is_try && !was_given_up {
            if owed.report(patience, now) {
                report.new.insert(hash);
            }
            if owed.given_up {
                report.given_up.push(owed.clone());
            }
        }
        owed
    }
}

/// The attempt that ended for this reason; `None` where an option leaves the item
/// out, or nothing is known of it.
fn attempt(reason: &SkipReason, reasons: &HashMap<HashPart, &SkipReason>) -> Option<Attempt> {
    let (kind, needs) = match reason {
        SkipReason::Absent | SkipReason::OutOfReach(_) | SkipReason::NoNar(_) => {
            (OwedKind::Absent, None)
        }
        SkipReason::Broken(_) => (OwedKind::Broken, None),
        SkipReason::Refused { .. } | SkipReason::Occupied(_) => (OwedKind::Refused, None),
        SkipReason::NeedsRemoved(path) | SkipReason::Removed(path) => {
            (OwedKind::Waiting, Some(path.hash()))
        }
        SkipReason::WaitsFor(path) => match waits_for_excluded(path.hash(), reasons) {
            true => return None,
            false => (OwedKind::Waiting, Some(path.hash())),
        },
        SkipReason::Excluded(_)
        | SkipReason::UnknownPackage(_)
        | SkipReason::NoBuildFarm(_)
        | SkipReason::NotPublished => return None,
    };
    Some(Attempt {
        kind,
        reason: reason.to_string(),
        needs,
        nar: None,
    })
}

/// Returns true where the chain of items that wait for each other ends at one that an
/// option leaves out.
fn waits_for_excluded(mut hash: HashPart, reasons: &HashMap<HashPart, &SkipReason>) -> bool {
    // A chain has no more steps than there are items; one in a circle ends here.
    for _ in 0..=reasons.len() {
        match reasons.get(&hash) {
            Some(SkipReason::Excluded(_)) => return true,
            Some(SkipReason::WaitsFor(path)) => hash = path.hash(),
            _ => return false,
        }
    }
    false
}

fn endless() -> Attempt {
    Attempt {
        kind: OwedKind::Refused,
        reason: "it depends on more items than one run can mirror".to_owned(),
        ..Attempt::left()
    }
}
