//! The items that a run would mirror: the wanted ones, and those that they refer
//! to, less those that the published root has. Reads narinfos only.

use super::failure::Failure;
use super::items::ItemRef;
use super::lookup::{LookupError, NarinfoLookup, PlannedItem};
use super::request::Closure;
use super::skipped::{SkipKind, SkipReason, Skipped};
use crate::guix::{HashPart, Narinfo, StorePath};
use crate::ipfs::cid::Cid;
use crate::publication::Tree;
use crate::util::parallel;
use std::collections::{HashMap, HashSet};

/// A plan of a run.
#[derive(Debug, Default)]
pub struct Plan {
    /// The items to mirror.
    pub items: Vec<PlannedItem>,
    /// The number of wanted items that are published already.
    pub already: usize,
    /// The items that are left out.
    pub skipped: Vec<Skipped>,
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
    /// Narinfos that are asked for at once.
    pub jobs: u16,
    /// The items that come with a wanted one.
    pub closure: Closure,
}

impl Plan {
    /// Leaves an item out.
    pub fn skip(&mut self, item: impl Into<String>, reason: SkipReason) {
        let item = item.into();
        self.skipped.push(Skipped { item, reason });
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
        let mut unpublished = Vec::new();
        let mut references = Vec::new();
        let wanted = wanted.items.into_iter();
        let wanted = wanted.filter(|item| known.insert(item.hash)).collect();
        for looked_up in self.look_up(wanted, self.closure) {
            match looked_up? {
                (item, None) => unpublished.push(item),
                (_, Some(below)) => {
                    plan.already += 1;
                    references.extend(below);
                }
            }
        }
        loop {
            let below = std::mem::take(&mut references).into_iter();
            let below = below.filter(|item: &ItemRef| known.insert(item.hash));
            for looked_up in self.look_up(below.collect(), Closure::ItemOnly) {
                if let (item, None) = looked_up? {
                    unpublished.push(item);
                }
            }
            if unpublished.is_empty() {
                break;
            }
            let begin = plan.items.len();
            plan.add(self.lookup, self.jobs, std::mem::take(&mut unpublished))?;
            if self.closure == Closure::Whole {
                let new = plan.items[begin..].iter();
                let below = new.flat_map(|item| &item.narinfo.references);
                references.extend(below.map(ItemRef::from));
            }
        }
        if self.closure == Closure::Whole {
            self.hold_back(&mut plan)?;
        }
        Ok(plan)
    }

    /// Takes items out of the plan that refer to something neither published nor in
    /// the plan, and in turn those that refer to them.
    pub fn hold_back(&self, plan: &mut Plan) -> Result<(), Failure> {
        loop {
            let hashes = plan.items.iter().map(|item| item.narinfo.store_path.hash());
            let planned: HashSet<HashPart> = hashes.collect();
            let mut lacking: HashMap<HashPart, StorePath> = HashMap::new();
            for item in &plan.items {
                for path in &item.narinfo.references {
                    let hash = path.hash();
                    let is_there = planned.contains(&hash)
                        || self.tree.find(&[narinfo_name(&hash)])?.is_some();
                    if !is_there {
                        lacking.insert(item.narinfo.store_path.hash(), path.clone());
                    }
                }
            }
            if lacking.is_empty() {
                return Ok(());
            }
            for item in std::mem::take(&mut plan.items) {
                let path = &item.narinfo.store_path;
                match lacking.remove(&path.hash()) {
                    None => plan.items.push(item),
                    Some(reference) => {
                        plan.skip(path.to_string(), SkipReason::WaitsFor(reference));
                    }
                }
            }
        }
    }

    /// Looks each item up in the root, several at a time because each takes a few
    /// calls to the node.
    fn look_up(&self, items: Vec<ItemRef>, references: Closure) -> Vec<Result<LookedUp, Failure>> {
        // All threads begin with the root's first block; a failure here fails there.
        let _ = self.tree.top(&self.tree.root);
        parallel::map(self.jobs, items, |item| {
            let below = match self.tree.find(&[narinfo_name(&item.hash)])? {
                None => None,
                Some(entry) if references == Closure::Whole => {
                    Some(self.references_of(&item, &entry.cid)?)
                }
                Some(_) => Some(Vec::new()),
            };
            Ok((item, below))
        })
    }

    /// The references of a published item. An unreadable narinfo of the root is
    /// for `verify` to report, not a reason to stop mirroring others.
    fn references_of(&self, item: &ItemRef, narinfo: &Cid) -> Result<Vec<ItemRef>, Failure> {
        let bytes = match self.tree.read(narinfo) {
            Err(error) if error.is_of_block() => return Ok(Vec::new()),
            read => read?,
        };
        let references = Narinfo::parse(&bytes)
            .ok()
            .filter(|narinfo| narinfo.matches(&item.hash))
            .map(|narinfo| narinfo.references)
            .unwrap_or_default();
        Ok(references.iter().map(ItemRef::from).collect())
    }
}

impl Plan {
    /// Asks for the narinfos of these items, several at once, and sorts the answers.
    pub fn add(
        &mut self,
        lookup: &NarinfoLookup,
        jobs: u16,
        wanted: Vec<ItemRef>,
    ) -> Result<(), Failure> {
        let fetched = parallel::map(jobs, wanted, |item| {
            let answer = lookup.fetch(&item, 0);
            (item, answer)
        });
        for (item, answer) in fetched {
            match answer {
                Ok(planned) => self.items.push(planned),
                Err(LookupError::Skipped(reason)) => self.skip(item.label, reason),
                Err(LookupError::NoUpstream(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// `None` for an item that is not in the root; for one that is, its references, if
/// those are wanted.
type LookedUp = (ItemRef, Option<Vec<ItemRef>>);

/// The entry of an item's narinfo in the root.
pub fn narinfo_name(hash: &HashPart) -> String {
    format!("{hash}.narinfo")
}
