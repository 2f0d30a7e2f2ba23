//! The items that a run would mirror: the wanted ones, and those that they refer
//! to, less those that the published root has. Reads narinfos only.

use super::failure::Failure;
use super::in_flight::MOST_REQUESTS;
use super::items::ItemRef;
use super::ledger::Standing;
use super::lookup::{LookupError, PlannedItem};
use super::narinfos::{self, narinfo_name};
use super::plan::Plan;
use super::request::{Closure, Pauses};
use super::run_context::RunContext;
use super::skipped::SkipReason;
use super::wanted::WantedItems;
use crate::guix::{HashPart, StorePath};
use crate::ipfs::directory::name_hash;
use crate::util::parallel;
use std::collections::HashSet;

/// Items that are asked for before the limits are looked at again.
const CHUNK: usize = 256;

/// Items that are looked up in the root together. They are taken in the order of their
/// places, so that each shard is read once.
const LOOKED_UP: usize = 8192;

impl RunContext<'_> {
    /// Plans for the wanted items. The references of a wanted item that is
    /// published already are looked up, because it may have been published
    /// without them; everything below a published reference counts as there.
    pub fn plan(&self, wanted: &WantedItems) -> Result<Plan, Failure> {
        let mut plan = Plan {
            encoding: self.lookup.encoding,
            skipped: wanted.unknown.clone(),
            ..Plan::default()
        };
        let mut met = Met::default();
        for item in &wanted.items {
            if !met.known.insert(item.hash) {
                continue;
            }
            match self.standing(item) {
                Standing::Due => met.open.push(item.clone()),
                Standing::Paused => plan.paused += 1,
                Standing::Removed => plan.removed += 1,
            }
        }
        // Of wanted items that are published the references are read, too.
        let mut depth = self.closure;
        while !met.open.is_empty() {
            self.wave(&mut plan, depth, &mut met)?;
            met.open.retain(|item| self.standing(item) == Standing::Due);
            depth = Closure::ItemOnly;
        }
        let is_full = self.budget.is_planned(plan.items.len());
        if self.closure == Closure::Whole {
            self.hold_back(&mut plan)?;
        }
        plan.is_endless = is_full && plan.items.is_empty();
        Ok(plan)
    }

    fn standing(&self, item: &ItemRef) -> Standing {
        match self.pauses {
            Pauses::Obeyed => self.ledger.standing(&item.hash, self.now),
            Pauses::Ignored => Standing::Due,
        }
    }

    /// Returns true when nothing more is to be planned.
    fn is_over(&self, plan: &Plan) -> bool {
        plan.failure.is_some() || self.budget.is_planned(plan.items.len()) || self.budget.is_spent()
    }

    /// Plans the open items. After that those are open that they refer to and that were
    /// not known.
    fn wave(&self, plan: &mut Plan, depth: Closure, met: &mut Met) -> Result<(), Failure> {
        let open = std::mem::take(&mut met.open);
        let mut new = self.pass_published(plan, open, depth, met)?.into_iter();
        while !self.is_over(plan) {
            let chunk: Vec<ItemRef> = new.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let begin = plan.items.len();
            self.look_up(plan, chunk);
            if self.closure == Closure::Whole {
                let new = plan.items[begin..].iter();
                met.extend(new.flat_map(|item| &item.narinfo.references));
            }
        }
        plan.left.extend(new.map(|item| item.hash));
        Ok(())
    }

    /// Skips the items that are published, and returns the others in their order.
    fn pass_published(
        &self,
        plan: &mut Plan,
        items: Vec<ItemRef>,
        depth: Closure,
        met: &mut Met,
    ) -> Result<Vec<ItemRef>, Failure> {
        let mut is_there = vec![false; items.len()];
        let mut places: Vec<usize> = (0..items.len()).collect();
        places.sort_by_cached_key(|&at| name_hash(&narinfo_name(&items[at].hash)));
        for places in places.chunks(LOOKED_UP) {
            if self.budget.is_spent() {
                break;
            }
            let hashes: Vec<HashPart> = places.iter().map(|&at| items[at].hash).collect();
            let entries = narinfos::entries(self.tree, &hashes)?;
            let mut published = Vec::new();
            for (&at, entry) in places.iter().zip(entries) {
                if let Some(entry) = entry {
                    is_there[at] = true;
                    published.push((items[at].hash, entry.cid));
                }
            }
            let settled = published.iter().map(|(item, _)| *item);
            let settled = settled.filter(|item| self.ledger.owed.contains_key(item));
            plan.settled.extend(settled);
            if depth == self.closure {
                plan.already += published.len();
            }
            if depth == Closure::Whole {
                met.extend(&narinfos::references(self.tree, &published)?);
            }
        }
        let items = items.into_iter().zip(is_there);
        let others = items.filter_map(|(item, is_there)| (!is_there).then_some(item));
        Ok(others.collect())
    }

    /// Takes items out of the plan that refer to something neither published nor in
    /// the plan, and in turn those that refer to them.
    pub fn hold_back(&self, plan: &mut Plan) -> Result<(), Failure> {
        let mut left: HashSet<HashPart> = plan.left.iter().copied().collect();
        let mut there: HashSet<HashPart> = HashSet::new();
        loop {
            let before = plan.items.len();
            let planned: HashSet<HashPart> = plan.items.iter().map(PlannedItem::hash).collect();
            let references = plan.items.iter().flat_map(|item| &item.narinfo.references);
            let others = references.map(StorePath::hash);
            let others = others.filter(|hash| !planned.contains(hash) && !there.contains(hash));
            let others: HashSet<HashPart> = others.collect();
            there.extend(narinfos::published(self.tree, others)?);
            let is_lacking = |path: &&StorePath| {
                let hash = path.hash();
                !planned.contains(&hash) && !there.contains(&hash)
            };
            for item in std::mem::take(&mut plan.items) {
                match item.narinfo.references.iter().rfind(is_lacking) {
                    None => plan.items.push(item),
                    Some(reference) if left.contains(&reference.hash()) => {
                        left.insert(item.hash());
                        plan.left.push(item.hash());
                    }
                    Some(reference) => {
                        let reason = self.lacks(reference.clone());
                        plan.skip(&item.narinfo.store_path, reason);
                    }
                }
            }
            if plan.items.len() == before {
                return Ok(());
            }
        }
    }

    /// The reason for an item that lacks a reference.
    fn lacks(&self, reference: StorePath) -> SkipReason {
        let is_removed = self.ledger.removed.contains_key(&reference.hash());
        match is_removed && self.pauses == Pauses::Obeyed {
            true => SkipReason::NeedsRemoved(reference),
            false => SkipReason::WaitsFor(reference),
        }
    }

    /// Asks for the narinfos of these items, several at once, and sorts the answers.
    /// An upstream that cannot be reached ends the plan, and so does a signal.
    pub fn look_up(&self, plan: &mut Plan, wanted: Vec<ItemRef>) {
        let fetched = parallel::map(MOST_REQUESTS, wanted, |item| {
            let answer = self.lookup.fetch(&item, 0);
            (item, answer)
        });
        for (item, answer) in fetched {
            match answer {
                Ok(planned) => plan.items.push(planned),
                // An error that a signal caused is not the upstream's fault.
                Err(_) if self.budget.is_interrupted() => plan.left.push(item.hash),
                Err(LookupError::Skipped(reason)) => plan.skip(item, reason),
                Err(LookupError::NoUpstream(error)) => {
                    plan.left.push(item.hash);
                    plan.failure = Some(error.into());
                }
            }
        }
    }
}

/// The items that were met while planning.
#[derive(Default)]
struct Met {
    /// All of them.
    known: HashSet<HashPart>,
    /// Those that are to be looked at next.
    open: Vec<ItemRef>,
}

impl<'p> Extend<&'p StorePath> for Met {
    fn extend<I: IntoIterator<Item = &'p StorePath>>(&mut self, references: I) {
        for path in references {
            if self.known.insert(path.hash()) {
                self.open.push(path.into());
            }
        }
    }
}
