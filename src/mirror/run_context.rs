//! The surroundings of a run, the same from its plan to its end.

use super::failed_nars::FailedNars;
use super::ledger::Ledger;
use super::lookup::NarinfoLookup;
use super::observer::Observer;
use super::request::{Closure, Pauses};
use super::schedule::Budget;
use crate::publication::Tree;
use crate::util::timestamp::Timestamp;

/// The surroundings of a run.
pub struct RunContext<'a> {
    /// The published tree.
    pub tree: &'a Tree<'a>,
    /// The source of narinfos.
    pub lookup: &'a NarinfoLookup<'a>,
    /// The items that come with a wanted one.
    pub closure: Closure,
    /// The ledger before the run.
    pub ledger: &'a Ledger,
    /// The treatment of what the ledger holds.
    pub pauses: Pauses,
    /// The time of the run.
    pub now: Timestamp,
    /// The limits of the run.
    pub budget: &'a Budget,
    /// Downloads at once.
    pub jobs: u16,
    /// The nars that did not come.
    pub failed_nars: &'a FailedNars,
    /// The receiver of events.
    pub observer: &'a dyn Observer,
}
