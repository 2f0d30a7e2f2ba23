//! The items that a run would mirror: the wanted ones, and those that they refer
//! to, less those that the published root has. Reads narinfos only.

use super::failure::Failure;
use super::in_flight::MOST_REQUESTS;
use super::items::ItemRef;
use super::ledger::{Ledger, Standing};
use super::lookup::{LookupError, NarinfoLookup, PlannedItem};
use super::narinfos;
use super::request::{Closure, Pauses};
use super::schedule::Budget;
use super::skipped::{SkipKind, SkipReason, Skipped};
use crate::guix::{HashPart, Narinfo, StorePath};
use crate::ipfs::cid::Cid;
use crate::publication::{PublicationError, Tree};
use crate::util::parallel;
use crate::util::timestamp::Timestamp;
use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

/// Items that are asked for before the limits are looked at again, and published
/// narinfos that are read together.
const CHUNK: usize = 256;

/// A plan of a run.
#[derive(Debug, Default)]
pub struct Plan {
    /// The items to mirror.
    pub items: Vec<PlannedItem>,
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
            let mut below = self.wave(&mut plan, open, depth)?;
            below.retain(|item: &ItemRef| {
                known.insert(item.hash) && self.standing(item) == Standing::Due
            });
            open = below;
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

    /// Plans some items. Returns those that they refer to.
    fn wave(
        &self,
        plan: &mut Plan,
        items: Vec<ItemRef>,
        depth: Closure,
    ) -> Result<Vec<ItemRef>, Failure> {
        let hashes: Vec<HashPart> = items.iter().map(|item| item.hash).collect();
        if self.budget.is_spent() {
            plan.left.extend(hashes);
            return Ok(Vec::new());
        }
        let entries = narinfos::entries(self.tree, &hashes)?;
        let (mut there, mut new) = (Vec::new(), Vec::new());
        for (item, entry) in items.into_iter().zip(entries) {
            match entry {
                Some(entry) => there.push((item.hash, entry.cid)),
                None => new.push(item),
            }
        }
        if depth == self.closure {
            plan.already += there.len();
        }
        let owed = &self.ledger.owed;
        let settled = there.iter().map(|(item, _)| *item);
        plan.settled
            .extend(settled.filter(|item| owed.contains_key(item)));
        let mut below = match depth {
            Closure::Whole => self.references(there)?,
            Closure::ItemOnly => Vec::new(),
        };
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
                let references = new.flat_map(|item| &item.narinfo.references);
                below.extend(references.map(ItemRef::from));
            }
        }
        plan.left.extend(new.map(|item| item.hash));
        Ok(below)
    }

    /// The items that published ones refer to, each once.
    fn references(&self, published: Vec<(HashPart, Cid)>) -> Result<Vec<ItemRef>, Failure> {
        let mut parts: Vec<Vec<(HashPart, Cid)>> = Vec::new();
        for part in published.chunks(CHUNK) {
            parts.push(part.to_vec());
        }
        let read = |part: Vec<(HashPart, Cid)>| {
            let (items, files): (Vec<HashPart>, Vec<Cid>) = part.into_iter().unzip();
            let read = items.iter().zip(self.tree.read_each(&files));
            let read = read.map(|(item, narinfo)| references_of(item, narinfo));
            read.collect::<Result<Vec<_>, _>>()
        };
        let mut seen = HashSet::new();
        let mut references = Vec::new();
        let mut failure = Ok(());
        parallel::for_each(MOST_REQUESTS, parts, read, |read| match read {
            Ok(read) => {
                let new = read.iter().flatten();
                let new = new.filter(|path| seen.insert(path.hash()));
                references.extend(new.map(ItemRef::from));
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Err(error);
                ControlFlow::Break(())
            }
        });
        failure.map(|()| references)
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

/// The references of a published item. An unreadable narinfo of the root is for `verify`
/// to report, not a reason to stop mirroring others.
fn references_of(
    item: &HashPart,
    narinfo: Result<Vec<u8>, PublicationError>,
) -> Result<Vec<StorePath>, Failure> {
    let bytes = match narinfo {
        Err(error) if error.is_of_block() => return Ok(Vec::new()),
        read => read?,
    };
    let narinfo = Narinfo::parse(&bytes).ok();
    let narinfo = narinfo.filter(|narinfo| narinfo.matches(item));
    Ok(narinfo.map_or_else(Vec::new, |narinfo| narinfo.references))
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
                // An error that a signal caused tells nothing about the upstream.
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
