//! The items that a run is about: those that it was asked for, and those that the
//! ledger owes; and their plan.

use super::encoding::Encoding;
use super::failed_nars::FailedNars;
use super::failure::Failure;
use super::farm::BuildFarms;
use super::items::ItemRef;
use super::ledger::{Ledger, SeenBuilds};
use super::listing::{FarmLists, FirstLook};
use super::lookup::NarinfoLookup;
use super::observer::Observer;
use super::plan::{Plan, Planner, WantedItems};
use super::record::RunRecord;
use super::request::{ItemSelection, MirrorRequest, Pauses};
use super::schedule::Budget;
use crate::guix::HashPart;
use crate::publication::Tree;
use crate::util::stop::Stop;
use crate::util::timestamp::Timestamp;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

/// The time for which a build may have no narinfo before that is reported: farms
/// bake them minutes to hours after the build.
const BAKING_PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// The surroundings of a plan.
pub struct PlanContext<'a> {
    /// The request.
    pub request: &'a MirrorRequest,
    /// The published tree.
    pub tree: &'a Tree<'a>,
    /// The ledger before the run.
    pub ledger: &'a Ledger,
    /// The encoding of the nars.
    pub encoding: Encoding,
    /// The nars that did not come.
    pub failed_nars: &'a FailedNars,
    /// The mirror has no ledger yet.
    pub is_without_ledger: bool,
    /// The source of narinfos.
    pub lookup: &'a NarinfoLookup<'a>,
    /// The limits of the run.
    pub budget: &'a Budget,
    /// The signal to end.
    pub stop: &'a Stop,
    /// The receiver of events.
    pub observer: &'a dyn Observer,
}

/// The items of a run.
#[derive(Debug, Default)]
pub struct Selection {
    wanted: WantedItems,
    /// The items that were named or listed today.
    today: BTreeSet<HashPart>,
    seen: Vec<SeenBuilds>,
    /// A farm's list could not be read.
    is_partial: bool,
}

impl<'a> PlanContext<'a> {
    /// Plans the run.
    pub fn plan(&self) -> Result<(Plan, RunRecord<'a>), Failure> {
        let _shown = self.observer.waiting("looking for new builds");
        let mut selection = self.select()?;
        let wanted = std::mem::take(&mut selection.wanted);
        selection.wanted.items.clone_from(&wanted.items);
        let planner = Planner {
            tree: self.tree,
            lookup: self.lookup,
            closure: self.request.closure,
            ledger: self.ledger,
            pauses: self.request.pauses,
            now: self.now(),
            budget: self.budget,
        };
        let mut plan = planner.plan(wanted)?;
        plan.encoding = self.encoding;
        Ok((plan, self.record(selection)))
    }

    /// The record of a run about these items.
    pub fn record(&self, selection: Selection) -> RunRecord<'a> {
        let wanted = selection.wanted.items.into_iter();
        let wanted: HashMap<HashPart, String> =
            wanted.map(|item| (item.hash, item.label)).collect();
        RunRecord {
            node: self.tree.node(),
            ledger: self.ledger,
            planned_onto: self.tree.root,
            now: self.now(),
            pauses: self.request.pauses,
            absence_patience: match self.request.selection {
                ItemSelection::LatestBuilds { .. } => BAKING_PATIENCE,
                ItemSelection::List(_) | ItemSelection::Named(_) => Duration::ZERO,
            },
            wanted,
            failed_nars: self.failed_nars,
            wanted_today: selection.today,
            seen: selection.seen,
            is_partial: selection.is_partial,
            encoding: self.encoding,
            rule: self.request.retention,
        }
    }

    fn now(&self) -> Timestamp {
        self.request.now.into()
    }

    fn select(&self) -> Result<Selection, Failure> {
        let mut selection = Selection::default();
        if self.request.pauses == Pauses::Obeyed {
            let due = self.ledger.due(self.now()).into_iter();
            selection.wanted.items = due
                .map(|owed| ItemRef {
                    hash: owed.hash,
                    label: owed.item.clone(),
                })
                .collect();
        }
        match &self.request.selection {
            ItemSelection::LatestBuilds { count, jobset } => {
                let news = self.lists(*count, jobset.as_deref())?.news()?;
                selection.wanted.items.extend(news.items);
                selection.today = news.listed;
                selection.seen = news.seen;
                selection.is_partial = news.is_partial;
            }
            ItemSelection::List(items) => {
                selection.today = items.iter().map(|item| item.hash).collect();
                selection.wanted.items.extend(items.iter().cloned());
            }
            ItemSelection::Named(specs) => {
                let farms = BuildFarms {
                    upstreams: &self.request.upstreams,
                    system: &self.request.system,
                    stop: self.stop,
                };
                selection.wanted = farms.named(specs, self.observer)?;
                let items = selection.wanted.items.iter();
                selection.today = items.map(|item| item.hash).collect();
            }
        }
        Ok(selection)
    }

    fn lists<'s>(&'s self, count: u32, jobset: Option<&'s str>) -> Result<FarmLists<'s>, Failure> {
        let continues = self.is_without_ledger && self.tree.has_narinfos()?;
        Ok(FarmLists {
            upstreams: &self.request.upstreams,
            system: &self.request.system,
            jobset,
            closure: self.request.closure,
            filter: &self.request.filter,
            count,
            ledger: self.ledger,
            first_look: match continues {
                true => FirstLook::Continues,
                false => FirstLook::Begins,
            },
            tree: self.tree,
            now: self.now(),
            observer: self.observer,
            stop: self.stop,
        })
    }
}
