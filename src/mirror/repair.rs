//! The repair of a published root: broken items are fetched again, under the same
//! rule of admission as new ones.

use super::admission::TakenPlace;
use super::failure::Failure;
use super::fetch::{FailedNars, Fetcher};
use super::items::ItemRef;
use super::lookup::NarinfoLookup;
use super::observer::Observer;
use super::plan::Plan;
use super::request::{Closure, GraftChoice, ItemFilter, RunLimits};
use super::run::{MirrorRun, RunTerms};
use super::schedule::Budget;
use super::skipped::Skipped;
use super::sync::{announce, stop_on_signals};
use super::verification::{BrokenItem, Depth, VerifyReport, verify_root};
use crate::guix::UpstreamClient;
use crate::node::Node;
use crate::publication::{Engine, Publisher, PublisherOptions, Tree, adopt_root};

/// A request to repair items.
#[derive(Clone, Debug)]
pub struct RepairRequest {
    /// The node's name of the key.
    pub key: String,
    /// The substitute servers, asked in this order.
    pub upstreams: Vec<UpstreamClient>,
    /// The variants that the mirror is kept with.
    pub filter: ItemFilter,
    /// The depth of the check afterwards.
    pub depth: Depth,
    /// The terms of publishing.
    pub publishing: PublisherOptions,
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
    /// The items that could not be fetched.
    pub skipped: Vec<Skipped>,
}

/// Fetches broken items again, publishes the root in which they are whole, and
/// checks that root.
///
/// # Errors
/// The reason why the run stops.
pub fn repair(
    node: &dyn Node,
    request: &RepairRequest,
    broken: &[BrokenItem],
    observer: &dyn Observer,
) -> Result<RepairSummary, Failure> {
    let stop = stop_on_signals(&request.upstreams)?;
    let mut publisher = Publisher::open(node, &request.key, &request.publishing)?;
    let mut base = adopt_root(&mut publisher, None)?;
    let lookup = NarinfoLookup::new(&request.upstreams, &request.filter, &stop);
    let wanted = broken.iter().filter_map(|broken| {
        let label = broken.name.clone();
        let hash = broken.hash?;
        Some(ItemRef { hash, label })
    });
    let limits = RunLimits {
        max_bytes: None,
        max_time: None,
        checkpoint: usize::MAX,
        max_planned: usize::MAX,
    };
    let budget = Budget::new(&stop, &limits);
    let mut plan = Plan::default();
    plan.add(&lookup, request.jobs, wanted.collect(), &budget);
    if let Some(failure) = plan.failure {
        return Err(failure);
    }
    let tree = Tree::new(node, base.root);
    let run = MirrorRun {
        publisher: &publisher,
        tree: &tree,
        fetcher: Fetcher {
            lookup: &lookup,
            jobs: request.jobs,
            observer,
            stop: &stop,
            failed_nars: &FailedNars::default(),
        },
        budget: &budget,
        record: None,
        terms: RunTerms {
            graft: GraftChoice::Only(Engine::Car),
            closure: Closure::ItemOnly,
            taken_place: TakenPlace::IsReplaced,
            batch_items: limits.checkpoint,
        },
    };
    let result = run.run(&mut base, &mut plan)?;
    if result.published {
        announce(&publisher, &base.root, observer);
    }
    // With a cache of its own: blocks may have been replaced.
    let tree = Tree::new(node, base.root);
    Ok(RepairSummary {
        report: verify_root(&tree, request.depth, request.jobs, observer)?,
        repaired: result.mirrored,
        skipped: plan.skipped,
    })
}
