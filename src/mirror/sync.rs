//! The whole of mirroring, as `sync` and `add` ask for it: plan, mirror the new
//! items batch by batch, and sum up.

use super::admission::TakenPlace;
use super::failure::{Exit, Failure};
use super::farm::BuildFarms;
use super::fetch::Fetcher;
use super::json;
use super::lookup::NarinfoLookup;
use super::observer::{Event, Observer};
use super::plan::{Plan, Planner, WantedItems};
use super::refusals::RefusalCache;
use super::request::{ItemSelection, MirrorRequest};
use super::run::{MirrorRun, RunResult, RunTerms};
use super::schedule::Budget;
use super::skipped::Skipped;
use crate::guix::UpstreamClient;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::node::Node;
use crate::publication::{
    Committed, KeyAge, PublicationView, Publisher, Tree, adopt_root, choose_base, ensure_published,
    read_name_state,
};
use crate::util::stop::Stop;
use serde::Serialize;

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
    #[serde(skip)]
    refusals: RefusalCache,
}

impl MirrorSummary {
    /// Returns true the first time in a day that an item is left out for this
    /// reason.
    pub fn is_new(&self, skipped: &Skipped) -> bool {
        self.refusals.note_reported(skipped)
    }
}

/// Mirrors the wanted items that the published root lacks.
///
/// # Errors
/// The reason why the run stops; what was published before stays published.
pub fn mirror(
    node: &dyn Node,
    request: &MirrorRequest,
    observer: &dyn Observer,
) -> Result<MirrorSummary, Failure> {
    let stop = stop_on_signals(&request.upstreams)?;
    refuse_beside_self(node, &request.key)?;
    let budget = Budget::new(&stop, &request.limits);
    let mut publisher = Publisher::open(node, &request.key, &request.publishing)?;
    let mut base = adopt_root(&mut publisher, request.base)?;
    if publisher.key_age == KeyAge::New {
        // A run that is killed after this goes on from here.
        ensure_published(&publisher, &mut base)?;
    }
    let before = base.published;
    let tree = Tree::new(node, base.root);
    let lookup = NarinfoLookup::new(&request.upstreams, &request.filter, &stop);
    let mut plan = match plan(request, &tree, &lookup, &stop, observer) {
        // An error that the signal caused tells nothing about the upstream.
        _ if stop.is_asked() => Plan::default(),
        planned => planned?,
    };
    if !plan.items.is_empty() {
        warn_if_full(node, observer);
    }
    observer.notify(Event::Planned(&plan));
    let refusals = RefusalCache::open(request.cache_folder.as_deref());
    let run = MirrorRun {
        publisher: &publisher,
        tree: &tree,
        fetcher: Fetcher {
            lookup: &lookup,
            jobs: request.jobs,
            observer,
            stop: &stop,
        },
        budget,
        refusals: &refusals,
        terms: RunTerms {
            graft: request.graft,
            closure: request.closure,
            taken_place: TakenPlace::Refuses,
            remembered_refusals: request.remembered_refusals,
            batch_items: request.limits.checkpoint,
        },
    };
    let mut result = run.run(&mut base, &mut plan)?;
    let committed = ensure_published(&publisher, &mut base)?;
    result.published |= committed == Committed::Published;
    if result.published {
        announce(&publisher, &base.root, observer);
    }
    Ok(MirrorSummary {
        key: publisher.view.key.name.clone(),
        name: publisher.view.key.id.clone(),
        root: base.root,
        before,
        result,
        plan,
        interrupted: stop.signal().map(Exit::of_signal),
        refusals,
    })
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
    let tree = match PublicationView::of_key(node, &request.key)? {
        None => Tree::empty(node, CidVersion::V0),
        Some(view) => {
            let state = read_name_state(&view)?;
            Tree::new(node, choose_base(&view, &state, request.base)?)
        }
    };
    let lookup = NarinfoLookup::new(&request.upstreams, &request.filter, &stop);
    let plan = plan(request, &tree, &lookup, &stop, observer)?;
    observer.notify(Event::Planned(&plan));
    Ok(plan)
}

fn plan(
    request: &MirrorRequest,
    tree: &Tree,
    lookup: &NarinfoLookup,
    stop: &Stop,
    observer: &dyn Observer,
) -> Result<Plan, Failure> {
    let _shown = observer.waiting("asking what is new");
    let farms = BuildFarms {
        upstreams: &request.upstreams,
        system: &request.system,
        stop,
    };
    let wanted = match &request.selection {
        ItemSelection::LatestBuilds { count, jobset } => WantedItems {
            items: farms.latest(*count, jobset.as_deref(), tree)?,
            unknown: Vec::new(),
        },
        ItemSelection::List(items) => WantedItems {
            items: items.clone(),
            unknown: Vec::new(),
        },
        ItemSelection::Named(specs) => farms.named(specs, observer)?,
    };
    let planner = Planner {
        tree,
        lookup,
        jobs: request.jobs,
        closure: request.closure,
    };
    planner.plan(wanted)
}

/// The end of a run that a signal asks for; it breaks off the downloads.
pub fn stop_on_signals(upstreams: &[UpstreamClient]) -> Result<Stop, Failure> {
    let upstreams = upstreams.to_vec();
    let stop = Stop::on_signals(move || upstreams.into_iter().for_each(UpstreamClient::break_off));
    Ok(stop?)
}

/// Tells the network of a root that was published. Nobody needs that to find it in
/// the end, so a failure is only reported.
pub fn announce(publisher: &Publisher, root: &Cid, observer: &dyn Observer) {
    if let Err(error) = publisher.announce(root) {
        observer.notify(Event::NotAnnounced(&error));
    }
}

/// Reports a node that is nearly full: it refuses nothing, but its collector will
/// run ever more often. A node that does not tell is none.
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
    let keys = node.keys()?;
    if keys.iter().any(|key| key.name == wanted) {
        return Ok(());
    }
    let Some(key) = keys.into_iter().find(|key| key.name == "self") else {
        return Ok(());
    };
    let view = PublicationView { node, key };
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
