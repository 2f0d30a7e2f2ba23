//! The choice of the items that go, and the root without them.

use super::ages::{Ages, Clock};
use super::inventory::Inventory;
use super::kept::Kept;
use super::summary::{PruneOutcome, PrunedItem};
use crate::ipfs::directory::Entry;
use crate::mirror::failure::Failure;
use crate::mirror::ledger::{RetentionRule, forget_builds};
use crate::mirror::narinfos::{self, PublishedNarinfo, item_of};
use crate::mirror::nars;
use crate::publication::{LedgerFiles, Stage, Tree, thin};
use std::time::SystemTime;

/// Days for which a pruned build stays known: a farm may still list it, and it would
/// come and go every day.
const MAY_BE_LISTED: u64 = 1;

/// The terms of a prune.
#[derive(Clone, Copy, Debug)]
pub struct PruneTerms {
    /// The items that are kept.
    pub rule: RetentionRule,
    /// The clock is trusted, and it may prune everything.
    pub is_forced: bool,
    /// The items that go are named in the result.
    pub listing: bool,
    /// The prune is one of a cron job, which records it.
    pub is_scheduled: bool,
    /// The time of the run.
    pub now: SystemTime,
    /// Narinfos that are read at once.
    pub jobs: u16,
}

/// The items of a root, and the times since they were wanted.
pub struct Choice<'c> {
    tree: &'c Tree<'c>,
    terms: &'c PruneTerms,
    inventory: Inventory,
    ages: Ages,
}

impl<'c> Choice<'c> {
    /// Reads a root and its ledger.
    ///
    /// # Errors
    /// As [`Inventory::read`] and [`Ages::read`].
    pub fn new(
        tree: &'c Tree<'c>,
        files: &LedgerFiles,
        terms: &'c PruneTerms,
    ) -> Result<Self, Failure> {
        let inventory = Inventory::read(tree, terms.jobs)?;
        let clock = match terms.is_forced {
            true => Clock::Believed,
            false => Clock::Doubted,
        };
        let ages = Ages::read(tree.node(), files, &inventory, terms.now.into(), clock)?;
        Ok(Self {
            tree,
            terms,
            inventory,
            ages,
        })
    }

    /// The items that a rule keeps.
    ///
    /// # Errors
    /// [`Failure::NothingLeft`].
    pub fn kept(&self, rule: &RetentionRule) -> Result<Kept, Failure> {
        let kept = Kept::choose(&self.inventory, &self.ages, rule);
        match kept.count == 0 && self.inventory.len() > 0 && !self.terms.is_forced {
            true => Err(Failure::NothingLeft(self.inventory.len())),
            false => Ok(kept),
        }
    }

    /// The items that are kept, and the root without the others; `None` where all are
    /// kept.
    pub fn carry_out(&self, stage: &Stage) -> Result<(Kept, Option<Entry>), Failure> {
        let Self { tree, terms, .. } = self;
        let directories = nars::directories(tree, terms.jobs)?;
        let mut rule = terms.rule;
        loop {
            let kept = self.kept(&rule)?;
            if kept.count == self.inventory.len() {
                return Ok((kept, None));
            }
            let root = thin(tree, stage, &directories, terms.jobs, &mut |path, name| {
                self.goes_out(&kept, path, name)
            })?;
            match (terms.rule.max_size, &mut rule.max_size) {
                // The directories are larger than estimated.
                (Some(most), Some(tried)) if root.size > most && kept.count > 0 => {
                    *tried = tried.saturating_sub(root.size - most);
                }
                _ => return Ok((kept, Some(root))),
            }
        }
    }

    fn goes_out(&self, kept: &Kept, directory: &[String], name: &str) -> bool {
        let inventory = &self.inventory;
        if directory.is_empty() {
            let item = item_of(name).and_then(|hash| inventory.place(&hash));
            return item.is_some_and(|item| !kept.items[item]);
        }
        let path = [directory, &[name.to_owned()]].concat();
        let nar = inventory.listed_nar(&path);
        nar.is_some_and(|nar| !kept.nars[nar])
    }

    /// The result, with the size of the tree that is left where that was made.
    pub fn outcome(&self, kept: &Kept, tree_bytes: Option<u64>) -> Result<PruneOutcome, Failure> {
        let inventory = &self.inventory;
        let before = self.tree.whole()?.size;
        let kept_bytes = match kept.count == inventory.len() {
            true => before,
            false => tree_bytes.unwrap_or_else(|| kept.size(inventory)),
        };
        let is_wanted = |item: usize| self.ages.last_day(item).is_some_and(|day| day.age == 0);
        let gone = (0..inventory.len()).filter(|item| !kept.items[*item]);
        Ok(PruneOutcome {
            pruned: inventory.len() - kept.count,
            pruned_bytes: before.saturating_sub(kept_bytes),
            kept: kept.count,
            kept_bytes,
            wanted_today: gone.filter(|item| is_wanted(*item)).count(),
            items: match self.terms.listing {
                true => Some(self.pruned_items(kept)?),
                false => None,
            },
            clock_gap: self.ages.gap.clone(),
        })
    }

    /// The items that go, those first that were wanted longest ago.
    fn pruned_items(&self, kept: &Kept) -> Result<Vec<PrunedItem>, Failure> {
        let (tree, jobs, inventory) = (self.tree, self.terms.jobs, &self.inventory);
        let place = |name: &str| {
            let place = inventory.place(&item_of(name)?)?;
            (!kept.items[place]).then_some(place)
        };
        let mut pruned = Vec::new();
        let item = |narinfo: PublishedNarinfo| {
            let place = place(&narinfo.name)?;
            let nars = inventory.nars.of(place).filter(|nar| !kept.nars[*nar]);
            let nars: u64 = nars.map(|nar| inventory.nar_bytes(nar)).sum();
            let item = PrunedItem {
                item: match narinfo.narinfo {
                    Ok(narinfo) => narinfo.store_path.to_string(),
                    Err(_) => narinfo.name,
                },
                bytes: inventory.narinfo_bytes[place] + nars,
                last_wanted: self.ages.last_day(place).map(|day| day.name.clone()),
            };
            Some((self.ages.of(place), item))
        };
        let work =
            |narinfos: Vec<PublishedNarinfo>| narinfos.into_iter().filter_map(item).collect();
        tree.for_each_part(&tree.root, jobs, |entries| {
            let gone = entries
                .into_iter()
                .filter(|(name, _)| place(name).is_some());
            let gone = gone.map(|(name, entry)| (name, entry.cid)).collect();
            narinfos::for_each_of(tree, jobs, gone, work, |item| pruned.push(item))
        })?;
        pruned.sort_by(|(age, one), (other_age, other)| {
            other_age.cmp(age).then_with(|| one.item.cmp(&other.item))
        });
        Ok(pruned.into_iter().map(|(_, item)| item).collect())
    }

    /// Takes builds that go for new again, unless a farm may list them still.
    pub fn forget_builds(&self, files: &mut LedgerFiles, kept: &Kept) -> Result<(), Failure> {
        forget_builds(self.tree.node(), files, |hash| {
            let item = self.inventory.place(hash);
            item.is_some_and(|item| !kept.items[item] && self.ages.of(item) > MAY_BE_LISTED)
        })
    }
}
