//! What a run would mirror: the wanted items, and what they refer to, less what
//! the published root has. Reads narinfos only.

use super::parallel;
use super::source::{Absent, Item, Source};
use crate::cli::Wanted;
use crate::failure::Failure;
use crate::guix::{HashPart, Narinfo};
use crate::publication::Tree;
use std::collections::{HashMap, HashSet};

/// An item that is left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// As it was named, or its store path.
    pub item: String,
    /// The reason.
    pub reason: String,
}

/// What a run would do.
#[derive(Debug, Default)]
pub struct Plan {
    /// To be mirrored.
    pub items: Vec<Item>,
    /// How many wanted items are published already.
    pub already: usize,
    /// What no upstream has, or not yet.
    pub missing: Vec<LeftOut>,
    /// What depends on something that is left out.
    pub waiting: Vec<LeftOut>,
    /// What is not what it should be, and will be the same the next time.
    pub refused: Vec<LeftOut>,
    /// What the network, or something else that may change, has spoiled.
    pub broken: Vec<LeftOut>,
}

/// How to plan.
pub struct Planner<'a> {
    /// What is published.
    pub tree: &'a Tree<'a>,
    /// Where narinfos come from.
    pub source: Source<'a>,
    /// How many are asked for at once.
    pub jobs: u16,
    /// Whether to follow references.
    pub closure: bool,
}

/// What is to be planned for.
#[derive(Debug, Default)]
pub struct Wishes {
    /// The wanted items.
    pub items: Vec<Wanted>,
    /// What was named and is no item that anybody knows.
    pub unknown: Vec<LeftOut>,
}

impl From<Vec<Wanted>> for Wishes {
    fn from(items: Vec<Wanted>) -> Self {
        Self {
            items,
            unknown: Vec::new(),
        }
    }
}

impl Planner<'_> {
    /// Plans for the wanted items. The references of a wanted item that is
    /// published already are looked up, because it may have been published
    /// without them; whatever lies below a published reference counts as there.
    pub fn plan(&self, wishes: Wishes) -> Result<Plan, Failure> {
        let mut plan = Plan {
            missing: wishes.unknown,
            ..Plan::default()
        };
        let mut seen: HashSet<HashPart> = HashSet::new();
        let mut unpublished = Vec::new();
        let mut references = Vec::new();
        let wanted = wishes
            .items
            .into_iter()
            .filter(|item| seen.insert(item.hash));
        for looked_up in self.look_up(wanted.collect(), self.closure) {
            match looked_up? {
                (item, None) => unpublished.push(item),
                (_, Some(below)) => {
                    plan.already += 1;
                    references.extend(below);
                }
            }
        }
        let below = std::mem::take(&mut references);
        self.keep_unpublished(below, &mut seen, &mut unpublished)?;
        while !unpublished.is_empty() {
            let wanted = std::mem::take(&mut unpublished);
            let source = &self.source;
            source.fetch_into(&mut plan, self.jobs, wanted, |found| {
                if self.closure {
                    references.extend(found.narinfo.references.iter().map(Wanted::from));
                }
            })?;
            let below = std::mem::take(&mut references);
            self.keep_unpublished(below, &mut seen, &mut unpublished)?;
        }
        if self.closure {
            self.hold_back(&mut plan)?;
        }
        Ok(plan)
    }

    /// Takes out of the plan what is not closed: items that refer to something
    /// neither published nor in the plan, and in turn what refers to those.
    pub fn hold_back(&self, plan: &mut Plan) -> Result<(), Failure> {
        loop {
            let planned: HashSet<HashPart> = plan
                .items
                .iter()
                .map(|item| item.narinfo.store_path.hash())
                .collect();
            let mut lacking = HashMap::new();
            for item in &plan.items {
                for path in &item.narinfo.references {
                    let hash = path.hash();
                    if !planned.contains(&hash) && self.tree.find(&[narinfo_name(&hash)])?.is_none()
                    {
                        lacking.insert(item.narinfo.store_path.hash(), path.to_string());
                    }
                }
            }
            if lacking.is_empty() {
                return Ok(());
            }
            plan.items.retain(|item| {
                let path = &item.narinfo.store_path;
                let Some(reference) = lacking.get(&path.hash()) else {
                    return true;
                };
                plan.waiting.push(LeftOut {
                    item: path.to_string(),
                    reason: format!("it refers to {reference}, which cannot be mirrored (yet)"),
                });
                false
            });
        }
    }

    fn keep_unpublished(
        &self,
        items: Vec<Wanted>,
        seen: &mut HashSet<HashPart>,
        unpublished: &mut Vec<Wanted>,
    ) -> Result<(), Failure> {
        let items = items.into_iter().filter(|item| seen.insert(item.hash));
        for looked_up in self.look_up(items.collect(), false) {
            if let (item, None) = looked_up? {
                unpublished.push(item);
            }
        }
        Ok(())
    }

    /// Looks each item up in the root, several at a time because each takes a
    /// few calls to the node.
    fn look_up(&self, items: Vec<Wanted>, references: bool) -> Vec<Result<LookedUp, Failure>> {
        // All threads begin with the root's first block; what fails here fails there.
        let _ = self.tree.top(&self.tree.root);
        parallel::map(self.jobs, items, |item| {
            let below = match self.tree.find(&[narinfo_name(&item.hash)])? {
                None => None,
                Some(entry) if references => Some(self.references_of(&item, &entry.cid)?),
                Some(_) => Some(Vec::new()),
            };
            Ok((item, below))
        })
    }

    /// What a published item refers to. An unreadable narinfo of the root is
    /// for `verify` to report, not a reason to stop mirroring others.
    fn references_of(
        &self,
        item: &Wanted,
        narinfo: &crate::ipfs::cid::Cid,
    ) -> Result<Vec<Wanted>, Failure> {
        let bytes = self.tree.read(narinfo)?;
        let references = Narinfo::parse(&bytes)
            .ok()
            .filter(|narinfo| narinfo.matches(&item.hash))
            .map(|narinfo| narinfo.references)
            .unwrap_or_default();
        Ok(references.iter().map(Wanted::from).collect())
    }
}

impl Source<'_> {
    /// A plan of just these items, whatever is published and whatever they refer to.
    pub fn plan_of(&self, jobs: u16, wanted: Vec<Wanted>) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        self.fetch_into(&mut plan, jobs, wanted, |_| {})?;
        Ok(plan)
    }

    /// Asks for the narinfos of `wanted`, several at once, and sorts the answers.
    fn fetch_into(
        &self,
        plan: &mut Plan,
        jobs: u16,
        wanted: Vec<Wanted>,
        mut found_one: impl FnMut(&Item),
    ) -> Result<(), Failure> {
        let fetched = parallel::map(jobs, wanted, |item| {
            let answer = self.fetch(&item, 0);
            (item, answer)
        });
        for (item, answer) in fetched {
            let left_out = |reason| LeftOut {
                item: item.label,
                reason,
            };
            match answer {
                Ok(found) => {
                    found_one(&found);
                    plan.items.push(found);
                }
                Err(Absent::Missing(reason)) => plan.missing.push(left_out(reason)),
                Err(Absent::Refused(reason)) => plan.refused.push(left_out(reason)),
                Err(Absent::Broken(reason)) => plan.broken.push(left_out(reason)),
                Err(Absent::NoUpstream(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// `None` for an item that is not in the root; for one that is, what it refers
/// to, if that is wanted.
type LookedUp = (Wanted, Option<Vec<Wanted>>);

/// The entry of an item's narinfo in the root.
pub fn narinfo_name(hash: &HashPart) -> String {
    format!("{hash}.narinfo")
}
