//! The whole of mirroring, as `sync` and `add` ask for it: plan, mirror the new
//! items batch by batch, and sum up.

use super::admission::TakenPlace;
use super::announcing::announce;
use super::encoding::Encoding;
use super::exit::Exit;
use super::failed_nars::FailedNars;
use super::failure::Failure;
use super::json;
use super::ledger::{Ledger, OwedItem, choose_encoding, recover_lost_encoding};
use super::lookup::{NarinfoLookup, PlannedItem};
use super::observer::{Event, Observer};
use super::plan::Plan;
use super::record::{RunEnd, RunRecord, RunReport};
use super::request::{GraftChoice, ItemSelection, MirrorRequest};
use super::retention::{PruneOutcome, prune_if_due};
use super::run::{MirrorRun, RunResult};
use super::run_context::RunContext;
use super::schedule::Budget;
use super::selection::RequestedRun;
use super::skipped::Skipped;
use crate::guix::{HashPart, UpstreamClient};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::node::Node;
use crate::publication::{
    Base, Committed, Engine, KeyAge, LedgerFiles, PublicationView, Publisher, Stage, Tree,
    adopt_root, choose_base, ensure_published, publish_with_rebase, read_name_state,
};
use crate::util::stop::Stop;
use serde::Serialize;
use std::collections::HashSet;

/// The result of mirroring.
#[derive(Debug, Serialize)]
pub struct MirrorSummary {
    /// The node's name of the key.
    pub key: String,
    /// The IPNS name.
    pub name: String,
    /// The root that the name points to now.
    #[serde(serialize_with = "json::text")]
    pub root: Cid,
    /// The root that it pointed to before, if it resolved.
    #[serde(serialize_with = "json::optional_text")]
    pub before: Option<Cid>,
    /// The result of the run.
    #[serde(flatten)]
    pub result: RunResult,
    /// The plan, with every item that was left out.
    #[serde(flatten)]
    pub plan: Plan,
    /// The signal that ended the run, as an exit code.
    #[serde(skip)]
    pub interrupted: Option<Exit>,
    /// The items that are owed and not tried again by themselves any more.
    pub given_up: Vec<OwedItem>,
    /// The number of items that are owed.
    pub owed: usize,
    /// The result of the prune that followed, where one was due.
    pub prune: Option<PruneOutcome>,
    #[serde(skip)]
    new: HashSet<HashPart>,
}

impl MirrorSummary {
    /// Returns true for an item that was left out for a reason that was not reported
    /// today.
    pub fn is_new(&self, skipped: &Skipped) -> bool {
        skipped.hash.is_none_or(|hash| self.new.contains(&hash))
    }
}

/// Mirrors the wanted items that the published root lacks, and records in the ledger
/// those that did not arrive.
///
/// # Errors
/// The reason why the run stops; what was published before stays published.
pub fn mirror(
    node: &dyn Node,
    request: &MirrorRequest,
    observer: &dyn Observer,
) -> Result<MirrorSummary, Failure> {
    if let Some(asked) = request.encoding {
        // Before a key is made.
        graft_choice(asked, request)?;
    }
    let stop = stop_on_signals(&request.upstreams)?;
    let budget = Budget::new(&stop, &request.limits);
    let (publisher, mut base) = begin(node, request)?;
    let before = base.state.published;
    let tree = Tree::new(node, base.root);
    let ledger = Ledger::read(node, &mut base.ledger)?;
    if request.base.is_some_and(|root| before != Some(root)) {
        recover_lost_encoding(&tree, &mut base.ledger);
    }
    let encoding = choose_encoding(request.encoding, &tree, &mut base.ledger)?;
    let graft = graft_choice(encoding, request)?;
    let run = RequestedRun {
        request,
        context: RunContext {
            tree: &tree,
            lookup: &NarinfoLookup::new(&request.upstreams, &request.filter, encoding, &stop),
            closure: request.closure,
            ledger: &ledger,
            pauses: request.pauses,
            now: request.now.into(),
            budget: &budget,
            jobs: request.jobs,
            failed_nars: &FailedNars::after(ledger.failed_nars()),
            observer,
        },
        is_without_ledger: base.ledger.is_empty(),
    };
    let (mut plan, wanted) = match run.plan() {
        // An error that the signal caused is not the upstream's fault.
        Err(_) if stop.is_asked() => Default::default(),
        planned => planned?,
    };
    let record = RunRecord::new(&run, wanted);
    if plan.failure.is_some() {
        let planned = std::mem::take(&mut plan.items);
        plan.left.extend(planned.iter().map(PlannedItem::hash));
    }
    if !plan.items.is_empty() {
        warn_if_full(node, observer);
    }
    observer.notify(Event::Planned(&plan));
    if !plan.items.is_empty() && !matches!(request.selection, ItemSelection::LatestBuilds { .. }) {
        record_beginning(&publisher, &mut base, &plan, &record)?;
    }
    let batches = MirrorRun {
        publisher: &publisher,
        context: &run.context,
        record: Some(&record),
        graft,
        taken_place: TakenPlace::Refuses,
        batch_items: request.limits.checkpoint,
    };
    let mut result = batches.run(&mut base, &mut plan)?;
    result.left = plan.left.len();
    let end = RunEnd {
        mirrored: result.hashes.clone(),
        settled: &plan.settled,
        skipped: plan.skipped.iter().collect(),
        left: plan.left.clone(),
        is_endless: plan.is_endless,
    };
    let (committed, report) = record_end(&publisher, &mut base, &end, &record)?;
    result.published |= committed == Committed::Published;
    let mut pruned = None;
    if plan.failure.is_none() && stop.signal().is_none() {
        let prune = prune_if_due(&publisher, &mut base, &record)?;
        if let Some((committed, outcome)) = prune {
            result.published |= committed == Committed::Published;
            pruned = Some(outcome);
        }
    }
    if result.published {
        announce(&publisher, &base.root, observer);
    }
    let owed = Ledger::read(node, &mut base.ledger)?.owed.len();
    if report.dropped.owed > 0 {
        observer.notify(Event::LedgerFull(report.dropped.owed));
    }
    if let Some(failure) = plan.failure {
        return Err(failure);
    }
    Ok(MirrorSummary {
        key: publisher.view.key.name.clone(),
        name: publisher.view.key.id.clone(),
        root: base.root,
        before,
        result,
        plan,
        interrupted: stop.signal().map(Exit::of_signal),
        given_up: report.given_up,
        owed,
        prune: pruned,
        new: report.new,
    })
}

/// The publication that the run continues, or begins, and its root.
fn begin<'n>(
    node: &'n dyn Node,
    request: &MirrorRequest,
) -> Result<(Publisher<'n>, Base), Failure> {
    let (key, publishing) = (&request.key, &request.publishing);
    let mut publisher = match Publisher::open_existing(node, key, publishing)? {
        Some(publisher) => publisher,
        None => {
            refuse_beside_self(node, key)?;
            Publisher::open(node, key, publishing)?
        }
    };
    let mut base = adopt_root(&mut publisher, request.base)?;
    if publisher.key_age == KeyAge::New {
        // The run after one that is killed from here on continues from this point.
        ensure_published(&publisher, &mut base)?;
    }
    Ok((publisher, base))
}

/// Records the items of a list or a command line before they are fetched, so that
/// they are owed even if the run is killed. The builds of a farm need no such record:
/// they stand in its list until a commit records them.
fn record_beginning(
    publisher: &Publisher,
    base: &mut Base,
    plan: &Plan,
    record: &RunRecord,
) -> Result<(), Failure> {
    let planned = plan.items.iter().map(PlannedItem::hash);
    let end = RunEnd {
        left: planned.chain(plan.left.iter().copied()).collect(),
        ..RunEnd::default()
    };
    record_end(publisher, base, &end, record).map(|_| ())
}

/// Commits the ledger as it is when the run ends so. Publishes the base where that is
/// still to be done.
fn record_end(
    publisher: &Publisher,
    base: &mut Base,
    end: &RunEnd,
    record: &RunRecord,
) -> Result<(Committed, RunReport), Failure> {
    let mut report = RunReport::default();
    let work = |tree: &Tree, _: &Stage, ledger: &mut LedgerFiles| {
        report = record.write(end, tree, ledger)?;
        Ok::<_, Failure>(None)
    };
    let tree = record.run.context.tree;
    let committed = publish_with_rebase(publisher, base, tree, Engine::Car, work)?;
    Ok((committed, report))
}

/// Plans what [`mirror`] would do, and changes nothing.
///
/// # Errors
/// As [`mirror`].
pub fn preview(
    node: &dyn Node,
    request: &MirrorRequest,
    observer: &dyn Observer,
) -> Result<Plan, Failure> {
    // A signal may end this run where it is.
    let stop = Stop::default();
    let (tree, mut files) = match PublicationView::of_key(node, &request.key)? {
        None => (Tree::empty(node, CidVersion::V0), LedgerFiles::default()),
        Some(view) => {
            let state = read_name_state(&view)?;
            if request.base.is_none() {
                state.refuse_moved(&view.key.id)?;
            }
            let root = choose_base(&view, &state, request.base)?;
            let tree = Tree::new(node, root);
            let mut files = state.ledger(node, &root)?;
            if request
                .base
                .is_some_and(|root| state.published != Some(root))
            {
                recover_lost_encoding(&tree, &mut files);
            }
            (tree, files)
        }
    };
    let ledger = Ledger::read(node, &mut files)?;
    let encoding = choose_encoding(request.encoding, &tree, &mut files)?;
    graft_choice(encoding, request)?;
    let run = RequestedRun {
        request,
        context: RunContext {
            tree: &tree,
            lookup: &NarinfoLookup::new(&request.upstreams, &request.filter, encoding, &stop),
            closure: request.closure,
            ledger: &ledger,
            pauses: request.pauses,
            now: request.now.into(),
            budget: &Budget::new(&stop, &request.limits),
            jobs: request.jobs,
            failed_nars: &FailedNars::default(),
            observer,
        },
        is_without_ledger: files.is_empty(),
    };
    let (plan, _) = run.plan()?;
    observer.notify(Event::Planned(&plan));
    match plan.failure {
        Some(failure) => Err(failure),
        None => Ok(plan),
    }
}

/// The way of grafting. The leaves of a delta nar have lengths of their own, which no node
/// gives a file that it adds.
fn graft_choice(encoding: Encoding, request: &MirrorRequest) -> Result<GraftChoice, Failure> {
    match (encoding, request.graft) {
        (Encoding::Upstream, choice) => Ok(choice),
        (Encoding::Delta, GraftChoice::Only(Engine::AddLink)) => Err(Failure::AddLinkOfDelta),
        (Encoding::Delta, _) => Ok(GraftChoice::Only(Engine::Car)),
    }
}

/// The end of a run that a signal asks for; it breaks off the downloads.
pub fn stop_on_signals(upstreams: &[UpstreamClient]) -> Result<Stop, Failure> {
    let upstreams = upstreams.to_vec();
    let stop = Stop::on_signals(move || upstreams.into_iter().for_each(UpstreamClient::break_off));
    Ok(stop?)
}

/// Reports a node that is nearly full: it still accepts blocks, but its collector
/// will run more and more often. A node that does not report its size is not warned
/// about.
fn warn_if_full(node: &dyn Node, observer: &dyn Observer) {
    if !node.description().capabilities.storage_limit {
        return;
    }
    let Ok(usage) = node.usage() else {
        return;
    };
    let is_full = |limit: u64| usage.bytes / 9 >= limit / 10;
    if usage.limit.is_some_and(is_full) {
        observer.notify(Event::NearlyFull(usage));
    }
}

/// Stops a run that would begin a second mirror beside the one that `self` already
/// publishes, as the prototype did.
fn refuse_beside_self(node: &dyn Node, wanted: &str) -> Result<(), Failure> {
    let Some(view) = PublicationView::of_key(node, "self")? else {
        return Ok(());
    };
    let Some(root) = view.resolve().ok().flatten() else {
        return Ok(());
    };
    match Tree::new(node, root).is_mirror() {
        Ok(true) => Err(Failure::SelfIsAMirror {
            wanted: wanted.to_owned(),
            root: root.to_string(),
        }),
        // A tree that cannot be read here is not this program's.
        _ => Ok(()),
    }
}
