//! The prune: the choice of the items that go, and their removal in one commit.

use super::ages::{Ages, Clock};
use super::choice::Kept;
use super::inventory::{Inventory, item_of};
use super::summary::{PruneOutcome, PruneSummary, PrunedItem};
use crate::ipfs::directory::Entry;
use crate::mirror::announcing::announce;
use crate::mirror::failure::Failure;
use crate::mirror::keys::no_key;
use crate::mirror::ledger::{Retention, RetentionRule, forget_builds};
use crate::mirror::narinfos::{self, PublishedNarinfo};
use crate::mirror::nars;
use crate::mirror::observer::Observer;
use crate::node::Node;
use crate::publication::{
    Base, Committed, Engine, LedgerFiles, PublicationView, Publisher, PublisherOptions, Stage,
    Tree, adopt_root, choose_base, publish_with_rebase, read_name_state, thin,
};
use crate::util::timestamp::{DAY, Timestamp};
use std::time::{Duration, SystemTime};

/// The pause between two prunes of a cron job. A run a little early counts.
const PAUSE: Duration = Duration::from_secs(DAY.as_secs() - 60);

/// Days for which a build that was let go of stays known: a farm may still list it, and
/// it would come and go every day.
const MAY_BE_LISTED: u64 = 1;

/// A request to prune a mirror.
#[derive(Clone, Debug)]
pub struct PruneRequest {
    /// The node's name of the key.
    pub key: String,
    /// The terms of the prune.
    pub terms: PruneTerms,
    /// The terms of publishing.
    pub publishing: PublisherOptions,
}

/// The terms of a prune.
#[derive(Clone, Copy, Debug)]
pub struct PruneTerms {
    /// The items that are kept.
    pub rule: RetentionRule,
    /// The clock is believed, and nothing need be left.
    pub is_forced: bool,
    /// The items that go are named in the result.
    pub listing: bool,
    /// The prune is one of a cron job, which takes note of it.
    pub is_scheduled: bool,
    /// The time of the run.
    pub now: SystemTime,
    /// Narinfos that are read at once.
    pub jobs: u16,
}

/// Lets go of the items that the rule does not keep.
///
/// # Errors
/// [`Failure::NothingLeft`]; [`Failure::Unreadable`] and [`Failure::UnreadableNarinfo`]
/// where it is not known what is referred to; the reason why the run stops. Nothing is
/// removed then.
pub fn prune(
    node: &dyn Node,
    request: &PruneRequest,
    observer: &dyn Observer,
) -> Result<PruneSummary, Failure> {
    let Some(mut publisher) = Publisher::open_existing(node, &request.key, &request.publishing)?
    else {
        return Err(no_key(node, &request.key));
    };
    let mut base = adopt_root(&mut publisher, None)?;
    let before = base.root;
    let tree = Tree::new(node, before);
    let _shown = observer.waiting("looking through the mirror");
    let (committed, outcome) = prune_beside(&publisher, &mut base, &tree, &request.terms)?;
    if base.root != before {
        announce(&publisher, &base.root, observer);
    }
    Ok(PruneSummary {
        key: publisher.view.key.name.clone(),
        name: publisher.view.key.id.clone(),
        root: base.root,
        before,
        published: committed == Committed::Published,
        outcome,
    })
}

/// The same within a run that has the right to write. The choice is made anew where
/// another writer was quicker.
pub fn prune_beside(
    publisher: &Publisher,
    base: &mut Base,
    tree: &Tree,
    terms: &PruneTerms,
) -> Result<(Committed, PruneOutcome), Failure> {
    let node = publisher.node();
    let mut outcome = PruneOutcome::default();
    let work = |tree: &Tree, stage: &Stage, files: &mut LedgerFiles| {
        let choice = Choice::new(tree, files, terms)?;
        let (kept, root) = choice.carry_out(tree, stage, terms)?;
        outcome = choice.outcome(tree, &kept, root.map(|root| root.size), terms)?;
        if root.is_some() {
            choice.forget_builds(node, files, &kept)?;
        }
        if root.is_some() || terms.is_scheduled {
            let known = Retention::read(node, files)?;
            let pruned = Some(terms.now.into());
            Retention { pruned, ..known }.write(node, files)?;
        }
        Ok::<_, Failure>(root)
    };
    let committed = publish_with_rebase(publisher, base, tree, Engine::Car, work)?;
    Ok((committed, outcome))
}

/// The result that [`prune`] would have. Changes nothing.
///
/// # Errors
/// As [`prune`].
pub fn preview_prune(
    node: &dyn Node,
    request: &PruneRequest,
    observer: &dyn Observer,
) -> Result<PruneSummary, Failure> {
    let Some(view) = PublicationView::of_key(node, &request.key)? else {
        return Err(no_key(node, &request.key));
    };
    let state = read_name_state(&view)?;
    state.refuse_moved(&view.key.id)?;
    let root = choose_base(&view, &state, None)?;
    let tree = Tree::new(node, root);
    let mut files = state.ledger(node, &root)?;
    let _shown = observer.waiting("looking through the mirror");
    let choice = Choice::new(&tree, &mut files, &request.terms)?;
    let kept = choice.kept(&request.terms.rule, &request.terms)?;
    Ok(PruneSummary {
        key: view.key.name,
        name: view.key.id,
        root,
        before: root,
        published: false,
        outcome: choice.outcome(&tree, &kept, None, &request.terms)?,
    })
}

/// Returns true where a cron job is to prune: once a day, and when its rule is new.
pub fn is_due(known: &Retention, rule: &RetentionRule, now: Timestamp) -> bool {
    let passed = known.pruned.and_then(|pruned| pruned.age(now));
    known.rule != *rule || passed.is_none_or(|passed| passed >= PAUSE)
}

/// The items of a root, and the times since they were wanted.
struct Choice {
    inventory: Inventory,
    ages: Ages,
}

impl Choice {
    fn new(tree: &Tree, files: &mut LedgerFiles, terms: &PruneTerms) -> Result<Self, Failure> {
        let inventory = Inventory::read(tree, terms.jobs)?;
        let clock = match terms.is_forced {
            true => Clock::Believed,
            false => Clock::Doubted,
        };
        let ages = Ages::read(tree.node(), files, &inventory, terms.now.into(), clock)?;
        Ok(Self { inventory, ages })
    }

    fn kept(&self, rule: &RetentionRule, terms: &PruneTerms) -> Result<Kept, Failure> {
        let kept = Kept::choose(&self.inventory, &self.ages, rule);
        match kept.count == 0 && self.inventory.len() > 0 && !terms.is_forced {
            true => Err(Failure::NothingLeft(self.inventory.len())),
            false => Ok(kept),
        }
    }

    /// The items that are kept, and the root without the others; `None` where all are
    /// kept.
    fn carry_out(
        &self,
        tree: &Tree,
        stage: &Stage,
        terms: &PruneTerms,
    ) -> Result<(Kept, Option<Entry>), Failure> {
        let mut rule = terms.rule;
        loop {
            let kept = self.kept(&rule, terms)?;
            if kept.count == self.inventory.len() {
                return Ok((kept, None));
            }
            let directories = nars::directories(tree, terms.jobs)?;
            let root = thin(tree, stage, &directories, terms.jobs, &mut |path, name| {
                self.goes_out(&kept, path, name)
            })?;
            let beyond = terms.rule.max_size.and_then(|most| {
                let beyond = root.size.checked_sub(most)?;
                (beyond > 0).then_some(beyond)
            });
            // The directories were larger than estimated.
            match (beyond, &mut rule.max_size) {
                (Some(beyond), Some(most)) if *most > 0 && kept.count > 0 => {
                    *most = most.saturating_sub(beyond);
                }
                _ => return Ok((kept, Some(root))),
            }
        }
    }

    fn goes_out(&self, kept: &Kept, directory: &[String], name: &str) -> bool {
        let inventory = &self.inventory;
        if directory.is_empty() {
            let item = item_of(name).and_then(|hash| inventory.place(&hash));
            return item.is_some_and(|item| !kept.has_item(item));
        }
        let path = [directory, &[name.to_owned()]].concat();
        let nar = inventory.nar_place(&path);
        nar.is_some_and(|nar| inventory.is_listed(nar) && !kept.has_nar(nar))
    }

    fn outcome(
        &self,
        tree: &Tree,
        kept: &Kept,
        tree_bytes: Option<u64>,
        terms: &PruneTerms,
    ) -> Result<PruneOutcome, Failure> {
        let inventory = &self.inventory;
        let before = tree.whole()?.size;
        let kept_bytes = match kept.count == inventory.len() {
            true => before,
            false => tree_bytes.unwrap_or_else(|| kept.size(inventory)),
        };
        let is_wanted = |item: usize| self.ages.last_day(item).is_some_and(|day| day.age == 0);
        let gone = (0..inventory.len()).filter(|item| !kept.has_item(*item));
        Ok(PruneOutcome {
            pruned: inventory.len() - kept.count,
            pruned_bytes: before.saturating_sub(kept_bytes),
            kept: kept.count,
            kept_bytes,
            wanted_today: gone.filter(|item| is_wanted(*item)).count(),
            items: match terms.listing {
                true => Some(self.pruned_items(tree, kept, terms.jobs)?),
                false => None,
            },
            clock_gap: self.ages.gap.clone(),
        })
    }

    /// The items that go, those first that were wanted longest ago.
    fn pruned_items(
        &self,
        tree: &Tree,
        kept: &Kept,
        jobs: u16,
    ) -> Result<Vec<PrunedItem>, Failure> {
        let inventory = &self.inventory;
        let place = |name: &str| {
            let place = inventory.place(&item_of(name)?)?;
            (!kept.has_item(place)).then_some(place)
        };
        let mut pruned = Vec::new();
        let item = |narinfo: PublishedNarinfo| {
            let place = place(&narinfo.name)?;
            let nars = inventory.nars(place).filter(|nar| !kept.has_nar(*nar));
            let nars: u64 = nars.map(|nar| inventory.nar_bytes(nar)).sum();
            let item = PrunedItem {
                item: match narinfo.narinfo {
                    Ok(narinfo) => narinfo.store_path.to_string(),
                    Err(_) => narinfo.name,
                },
                bytes: inventory.narinfo_bytes(place) + nars,
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

    fn forget_builds(
        &self,
        node: &dyn Node,
        files: &mut LedgerFiles,
        kept: &Kept,
    ) -> Result<(), Failure> {
        forget_builds(node, files, |hash| {
            let item = self.inventory.place(hash);
            item.is_some_and(|item| !kept.has_item(item) && self.ages.of(item) > MAY_BE_LISTED)
        })
    }
}
