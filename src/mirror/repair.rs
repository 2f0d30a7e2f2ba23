//! The repair of a publication: what cannot be read is left out or made again, broken
//! items and those that are missing are fetched under the same rule of admission as new
//! ones, and nars that no narinfo lists are removed.

use super::admission::TakenPlace;
use super::announcing::announce;
use super::damage::{DamagedPart, damaged_records};
use super::failed_nars::FailedNars;
use super::failure::Failure;
use super::items::ItemRef;
use super::ledger::{Ledger, PageState, kept_encoding, recover_lost_encoding};
use super::lookup::NarinfoLookup;
use super::observer::Observer;
use super::plan::Plan;
use super::request::{Closure, GraftChoice, ItemFilter, Pauses, RunLimits};
use super::run::{MirrorRun, RunResult};
use super::run_context::RunContext;
use super::schedule::Budget;
use super::skipped::{SkipReason, Skipped};
use super::sync::stop_on_signals;
use super::verification::{BrokenItem, Check, ItemFault, VerifyReport, verify_root};
use super::wanted::WantedItems;
use crate::guix::{HashPart, UpstreamClient};
use crate::node::Node;
use crate::publication::{
    Base, Committed, Damage, Engine, LedgerFiles, Publisher, PublisherOptions, Stage, Tree,
    adopt_damaged, adopt_root, ensure_published, mend, publish_with_rebase, remove as remove_files,
};
use crate::util::stop::Stop;
use std::collections::HashSet;
use std::time::SystemTime;

/// A request to repair a publication.
#[derive(Clone, Debug)]
pub struct RepairRequest {
    /// The node's name of the key.
    pub key: String,
    /// The substitute servers, asked in this order.
    pub upstreams: Vec<UpstreamClient>,
    /// The variants that the mirror is kept with.
    pub filter: ItemFilter,
    /// The terms of the check.
    pub check: Check,
    /// The terms of publishing.
    pub publishing: PublisherOptions,
    /// The time of the repair.
    pub now: SystemTime,
    /// Downloads at once.
    pub jobs: u16,
}

/// The result of a repair.
#[derive(Debug)]
pub struct RepairSummary {
    /// The check of the root that is published now.
    pub report: VerifyReport,
    /// The store paths that were repaired.
    pub repaired: Vec<String>,
    /// The parts that were left out or made again.
    pub mended: Vec<DamagedPart>,
    /// The nars that no narinfo listed, and that are removed.
    pub removed: Vec<String>,
    /// The items that could not be fetched.
    pub skipped: Vec<Skipped>,
}

impl RepairSummary {
    /// That of a check after which nothing was repaired.
    pub fn of_nothing(report: VerifyReport) -> Self {
        Self {
            report,
            repaired: Vec::new(),
            mended: Vec::new(),
            removed: Vec::new(),
            skipped: Vec::new(),
        }
    }
}

/// Repairs what a check has found, publishes, and checks the root that is published
/// then.
///
/// # Errors
/// The reason why the run stops; what was repaired before stays published.
pub fn repair(
    node: &dyn Node,
    request: &RepairRequest,
    found: VerifyReport,
    observer: &dyn Observer,
) -> Result<RepairSummary, Failure> {
    let stop = stop_on_signals(&request.upstreams)?;
    let mut publisher = Publisher::open(node, &request.key, &request.publishing)?;
    let mut base = adopt_damaged(&publisher)?;
    let before = base.state.published;
    let found = match found.root == base.root {
        true => found,
        // Another writer was here between the check and the lock.
        false => verify_root(&Tree::new(node, base.root), request.check, observer)?,
    };
    if found.damaged.iter().any(|part| part.is_kept) {
        // A person must act first: what is made again would be damaged again.
        return Ok(RepairSummary::of_nothing(found));
    }
    let mended = mend_tree(&publisher, &mut base, &found)?;
    let (plan, result) = fetch(&publisher, request, &stop, observer, &mut base, &found)?;
    // With a cache of its own: blocks may have been replaced.
    let tree = Tree::new(node, base.root);
    let mut report = verify_root(&tree, request.check, observer)?;
    let removed = remove_unlisted(&publisher, &mut base, &mut report)?;
    ensure_published(&publisher, &mut base)?;
    settle_journal(&mut publisher, &mut base, &mut report)?;
    if base.state.published != before {
        announce(&publisher, &base.root, observer);
    }
    Ok(RepairSummary {
        report,
        repaired: result.mirrored,
        mended,
        removed,
        skipped: plan.skipped,
    })
}

/// Publishes the tree, and the ledger beside it, without what cannot be read, and returns
/// those parts.
fn mend_tree(
    publisher: &Publisher,
    base: &mut Base,
    found: &VerifyReport,
) -> Result<Vec<DamagedPart>, Failure> {
    let parts = found.damaged.iter();
    let parts = parts.filter(|part| !matches!(part.damage, Damage::Journal(_)));
    let parts: Vec<DamagedPart> = parts.cloned().collect();
    if !parts.is_empty() {
        let work = |tree: &Tree, stage: &Stage, ledger: &mut LedgerFiles| {
            if tree.root != found.root {
                return Ok(None);
            }
            for part in &parts {
                // Without its directories it was not loaded at all.
                if let Damage::Ledger(Some(file)) = &part.damage {
                    ledger.remove(file);
                }
            }
            PageState::recover(tree, ledger);
            recover_lost_encoding(tree, ledger);
            let damages = parts.iter().map(|part| part.damage.clone());
            Ok::<_, Failure>(Some(mend(tree, stage, damages)?))
        };
        let tree = Tree::new(publisher.node(), base.root);
        publish_with_rebase(publisher, base, &tree, Engine::Car, work)?;
    }
    Ok(parts)
}

/// Fetches the items that are broken, lost or missing.
fn fetch(
    publisher: &Publisher,
    request: &RepairRequest,
    stop: &Stop,
    observer: &dyn Observer,
    base: &mut Base,
    found: &VerifyReport,
) -> Result<(Plan, RunResult), Failure> {
    if found.broken.is_empty() && found.missing.is_empty() {
        return Ok((Plan::default(), RunResult::default()));
    }
    let tree = Tree::new(publisher.node(), base.root);
    let encoding = kept_encoding(&tree, &mut base.ledger)?;
    let limits = RunLimits {
        max_bytes: None,
        max_time: None,
        checkpoint: usize::MAX,
        max_planned: usize::MAX,
    };
    let context = RunContext {
        tree: &tree,
        lookup: &NarinfoLookup::new(&request.upstreams, &request.filter, encoding, stop),
        closure: request.check.closure,
        ledger: &Ledger::read(publisher.node(), &mut base.ledger)?,
        pauses: Pauses::Ignored,
        now: request.now.into(),
        budget: &Budget::new(stop, &limits),
        jobs: request.jobs,
        failed_nars: &FailedNars::default(),
        observer,
    };
    let mut plan = plan(&context, found)?;
    if let Some(failure) = plan.failure {
        return Err(failure);
    }
    let run = MirrorRun {
        publisher,
        context: &context,
        record: None,
        graft: GraftChoice::Only(Engine::Car),
        taken_place: TakenPlace::IsReplaced,
        batch_items: limits.checkpoint,
    };
    let result = run.run(base, &mut plan)?;
    Ok((plan, result))
}

/// Plans for the broken items, though they are published, and for all that they and
/// others refer to and that is not.
fn plan(context: &RunContext, found: &VerifyReport) -> Result<Plan, Failure> {
    let items = |fault: ItemFault| {
        let broken = found.broken.iter();
        let broken = broken.filter(move |broken: &&BrokenItem| broken.fault == fault);
        broken.filter_map(|broken| broken.item.clone())
    };
    let mut plan = Plan::default();
    context.look_up(&mut plan, items(ItemFault::Content).collect());
    let mut wanted: Vec<ItemRef> = items(ItemFault::Lost).collect();
    wanted.extend(found.missing.iter().map(ItemRef::from));
    let again: HashSet<HashPart> = items(ItemFault::Content).map(|item| item.hash).collect();
    if context.closure == Closure::Whole {
        let new = plan.items.iter();
        let references = new.flat_map(|item| &item.narinfo.references);
        wanted.extend(references.map(ItemRef::from));
    }
    // An item that a person removed stays out, also where others refer to it.
    let is_removed = |hash: HashPart| context.ledger.removed.contains_key(&hash);
    wanted.retain(|item| !again.contains(&item.hash) && !is_removed(item.hash));
    let others = context.plan(&WantedItems {
        items: wanted,
        ..WantedItems::default()
    })?;
    let new = others.items.into_iter();
    let new = new.filter(|item| !again.contains(&item.hash()));
    plan.items.extend(new);
    plan.skipped.extend(others.skipped);
    plan.failure = plan.failure.or(others.failure);
    if context.closure == Closure::Whole {
        context.hold_back(&mut plan)?;
    }
    for path in &found.missing {
        if is_removed(path.hash()) {
            plan.skip(path, SkipReason::Removed(path.clone()));
        }
    }
    Ok(plan)
}

/// Removes the nars that the report finds unlisted, unless another writer has published
/// meanwhile, and returns them.
fn remove_unlisted(
    publisher: &Publisher,
    base: &mut Base,
    report: &mut VerifyReport,
) -> Result<Vec<String>, Failure> {
    if report.unlisted.is_empty() {
        return Ok(Vec::new());
    }
    let components = |path: &String| path.split('/').map(str::to_owned).collect();
    let paths: Vec<Vec<String>> = report.unlisted.iter().map(components).collect();
    let work = |tree: &Tree, stage: &Stage, _: &mut LedgerFiles| match tree.root == report.root {
        true => Ok::<_, Failure>(Some(remove_files(tree, stage, &paths)?)),
        false => Ok(None),
    };
    let tree = Tree::new(publisher.node(), base.root);
    let committed = publish_with_rebase(publisher, base, &tree, Engine::Car, work)?;
    if committed == Committed::Unchanged {
        return Ok(Vec::new());
    }
    report.root = base.root;
    Ok(std::mem::take(&mut report.unlisted))
}

/// Ensures that a journal holds the root; those that cannot be read are then unpinned.
/// A root in which something is still broken cannot be pinned again; that is not a
/// failure of its own.
fn settle_journal(
    publisher: &mut Publisher,
    base: &mut Base,
    report: &mut VerifyReport,
) -> Result<(), Failure> {
    let is_held = base.state.journals.first().map(|journal| journal.root) == Some(base.root);
    let settled = match is_held {
        true => Ok(()),
        false => adopt_root(publisher, None).and_then(|adopted| {
            *base = adopted;
            ensure_published(publisher, base).map(drop)
        }),
    };
    if report.is_whole() {
        settled?;
    }
    let damaged = damaged_records(&publisher.view, &base.root)?;
    report.damaged.extend(damaged);
    Ok(())
}
