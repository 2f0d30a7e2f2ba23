//! The items that a run would mirror: the wanted ones, and those that they refer
//! to, less those that the published root has. Reads narinfos only.

use super::encoding::Encoding;
use super::failure::Failure;
use super::in_flight::MOST_REQUESTS;
use super::items::ItemRef;
use super::ledger::{Ledger, Standing};
use super::lookup::{LookupError, NarinfoLookup, PlannedItem};
use super::narinfos::{self, narinfo_name};
use super::request::{Closure, Pauses};
use super::schedule::Budget;
use super::skipped::{SkipKind, SkipReason, Skipped};
use crate::guix::{HashPart, StorePath};
use crate::ipfs::directory::name_hash;
use crate::publication::Tree;
use crate::util::parallel;
use crate::util::timestamp::Timestamp;
use std::collections::{HashMap, HashSet};

/// Items that are asked for before the limits are looked at again.
const CHUNK: usize = 256;

/// Items that are looked up in the root together. They are taken in the order of their
/// places, so that each shard is read once.
const LOOKED_UP: usize = 8192;

/// A plan of a run.
#[derive(Debug, Default)]
pub struct Plan {
    /// The items to mirror.
    pub items: Vec<PlannedItem>,
    /// The encoding of their nars.
    pub encoding: Encoding,
    /// The number of wanted items that are published already.
    pub already: usize,
    /// The items that are left out.
    pub skipped: Vec<Skipped>,
    /// The number of wanted items that are not tried, because their pauses are not
    /// over.
    pub paused: usize,
    /// The number of wanted items that a person removed.
    pub removed: usize,
    /// Items that a limit or a signal came before.
    pub left: Vec<HashPart>,
    /// As many items were planned as a run takes, and none of them is whole.
    pub is_endless: bool,
    /// Items that the ledger holds as owed and that are published.
    pub settled: Vec<HashPart>,
    /// The reason why planning ended early, where that was no limit and no signal.
    pub failure: Option<Failure>,
}

/// The wanted items of a run.
#[derive(Debug, Default)]
pub struct WantedItems {
    /// Known by their hashes.
    pub items: Vec<ItemRef>,
    /// Named by a person, and not known to anybody.
    pub unknown: Vec<Skipped>,
}

/// The way of planning.
pub struct Planner<'a> {
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
}

impl Plan {
    /// Leaves an item out.
    pub fn skip(&mut self, item: impl Into<String>, hash: HashPart, reason: SkipReason) {
        self.skipped.push(Skipped {
            item: item.into(),
            hash: Some(hash),
            reason,
        });
    }

    /// The items that are left out for a reason of this kind.
    pub fn skipped_as(&self, kind: SkipKind) -> impl Iterator<Item = &Skipped> {
        let skipped = self.skipped.iter();
        skipped.filter(move |skipped| skipped.reason.kind() == kind)
    }
}

impl Planner<'_> {
    /// Plans for the wanted items. The references of a wanted item that is
    /// published already are looked up, because it may have been published
    /// without them; everything below a published reference counts as there.
    pub fn plan(&self, wanted: WantedItems) -> Result<Plan, Failure> {
        let mut plan = Plan {
            skipped: wanted.unknown,
            ..Plan::default()
        };
        let mut known: HashSet<HashPart> = HashSet::new();
        let wanted = wanted.items.into_iter();
        let wanted = wanted.filter(|item| known.insert(item.hash));
        let mut open: Vec<ItemRef> = Vec::new();
        for item in wanted {
            match self.standing(&item) {
                Standing::Due => open.push(item),
                Standing::Paused => plan.paused += 1,
                Standing::Removed => plan.removed += 1,
            }
        }
        // Of wanted items that are published the references are read, too.
        let mut depth = self.closure;
        while !open.is_empty() {
            open = self.wave(&mut plan, open, depth, &mut known)?;
            open.retain(|item| self.standing(item) == Standing::Due);
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

    /// Plans some items. Returns those that they refer to and that were not known.
    fn wave(
        &self,
        plan: &mut Plan,
        items: Vec<ItemRef>,
        depth: Closure,
        known: &mut HashSet<HashPart>,
    ) -> Result<Vec<ItemRef>, Failure> {
        let mut below = Below {
            known,
            items: Vec::new(),
        };
        let new = self.pass_published(plan, items, depth, &mut below)?;
        let mut new = new.into_iter();
        while !self.is_over(plan) {
            let chunk: Vec<ItemRef> = new.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let begin = plan.items.len();
            plan.add(self.lookup, chunk, self.budget);
            if self.closure == Closure::Whole {
                let new = plan.items[begin..].iter();
                below.extend(new.flat_map(|item| &item.narinfo.references));
            }
        }
        plan.left.extend(new.map(|item| item.hash));
        Ok(below.items)
    }

    /// Skips the items that are published, and returns the others in their order.
    fn pass_published(
        &self,
        plan: &mut Plan,
        items: Vec<ItemRef>,
        depth: Closure,
        below: &mut Below,
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
                below.extend(&narinfos::references(self.tree, &published)?);
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
            let hashes = plan.items.iter().map(|item| item.narinfo.store_path.hash());
            let planned: HashSet<HashPart> = hashes.collect();
            let references = plan.items.iter().flat_map(|item| &item.narinfo.references);
            let others = references.map(StorePath::hash);
            let others = others.filter(|hash| !planned.contains(hash) && !there.contains(hash));
            let others: HashSet<HashPart> = others.collect();
            there.extend(narinfos::published(self.tree, others)?);
            let mut lacking: HashMap<HashPart, StorePath> = HashMap::new();
            for item in &plan.items {
                for path in &item.narinfo.references {
                    let hash = path.hash();
                    if !planned.contains(&hash) && !there.contains(&hash) {
                        lacking.insert(item.narinfo.store_path.hash(), path.clone());
                    }
                }
            }
            if lacking.is_empty() {
                return Ok(());
            }
            for item in std::mem::take(&mut plan.items) {
                let path = item.narinfo.store_path.clone();
                match lacking.remove(&path.hash()) {
                    None => plan.items.push(item),
                    Some(reference) if left.contains(&reference.hash()) => {
                        left.insert(path.hash());
                        plan.left.push(path.hash());
                    }
                    Some(reference) => {
                        let reason = self.lacks(reference);
                        plan.skip(path.to_string(), path.hash(), reason);
                    }
                }
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
}

/// The items that others refer to.
struct Below<'k> {
    /// All items that were met.
    known: &'k mut HashSet<HashPart>,
    /// Those that were not known.
    items: Vec<ItemRef>,
}

impl<'p> Extend<&'p StorePath> for Below<'_> {
    fn extend<I: IntoIterator<Item = &'p StorePath>>(&mut self, references: I) {
        for path in references {
            if self.known.insert(path.hash()) {
                self.items.push(path.into());
            }
        }
    }
}

impl Plan {
    /// Asks for the narinfos of these items, several at once, and sorts the answers.
    /// An upstream that cannot be reached ends it, and so does a signal.
    pub fn add(&mut self, lookup: &NarinfoLookup, wanted: Vec<ItemRef>, budget: &Budget) {
        let fetched = parallel::map(MOST_REQUESTS, wanted, |item| {
            let answer = lookup.fetch(&item, 0);
            (item, answer)
        });
        for (item, answer) in fetched {
            match answer {
                Ok(planned) => self.items.push(planned),
                // An error that a signal caused is not the upstream's fault.
                Err(_) if budget.is_interrupted() => self.left.push(item.hash),
                Err(LookupError::Skipped(reason)) => self.skip(item.label, item.hash, reason),
                Err(LookupError::NoUpstream(error)) => {
                    self.left.push(item.hash);
                    self.failure = Some(error.into());
                }
            }
        }
    }
}
