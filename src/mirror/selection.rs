//! The items that a run is about: those that it was asked for, and those that the
//! ledger owes; and their plan.

use super::failure::Failure;
use super::farm::BuildFarms;
use super::items::ItemRef;
use super::listing::FarmLists;
use super::plan::Plan;
use super::request::{ItemSelection, MirrorRequest, Pauses};
use super::run_context::RunContext;
use super::wanted::WantedItems;

/// A run that a request asks for.
pub struct RequestedRun<'a> {
    /// The request.
    pub request: &'a MirrorRequest,
    /// The surroundings of the run.
    pub context: RunContext<'a>,
    /// The mirror has no ledger yet.
    pub is_without_ledger: bool,
}

impl RequestedRun<'_> {
    /// Plans the run, and returns the items that it is about, too.
    pub fn plan(&self) -> Result<(Plan, WantedItems), Failure> {
        let _shown = self.context.observer.waiting("looking for new builds");
        let wanted = self.select()?;
        Ok((self.context.plan(&wanted)?, wanted))
    }

    fn select(&self) -> Result<WantedItems, Failure> {
        let Self {
            request, context, ..
        } = self;
        let mut wanted = WantedItems::default();
        if request.pauses == Pauses::Obeyed {
            let due = context.ledger.due(context.now).into_iter();
            wanted.items = due
                .map(|owed| ItemRef {
                    hash: owed.hash,
                    label: owed.item.clone(),
                })
                .collect();
        }
        match &request.selection {
            ItemSelection::LatestBuilds { count, jobset } => {
                let lists = FarmLists {
                    context,
                    system: &request.system,
                    jobset: jobset.as_deref(),
                    count: *count,
                    continues: self.is_without_ledger && context.tree.has_narinfos()?,
                };
                lists.add_news(&mut wanted)?;
            }
            ItemSelection::List(items) => {
                wanted.today = items.iter().map(|item| item.hash).collect();
                wanted.items.extend(items.iter().cloned());
            }
            ItemSelection::Named(specs) => {
                let farms = BuildFarms {
                    context,
                    system: &request.system,
                };
                wanted = farms.named(specs)?;
                wanted.today = wanted.items.iter().map(|item| item.hash).collect();
            }
        }
        Ok(wanted)
    }
}
