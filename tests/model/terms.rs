//! The kinds and the circumstances of runs, and their ends.

use crate::item::ItemId;
use crate::killed::KilledNode;
use crate::random::Random;
use crate::site::Site;
use guix_ipfs::mirror::{GraftChoice, RunLimits};
use guix_ipfs::node::Node;
use guix_ipfs::publication::Engine;

/// The numbers of things that happened.
#[derive(Debug, Default)]
pub struct Counts {
    /// Items of builds that succeeded, as the farms listed them, and of lists.
    pub wanted: usize,
    pub mirrored: usize,
    /// At the end.
    pub published: usize,
    pub owed: usize,
    pub given_up: usize,
    pub removed: usize,
    pub ledger_bytes: u64,
    pub runs: usize,
    pub kills: usize,
    pub collections: usize,
    pub removals: usize,
    pub repairs: usize,
    pub prunes: usize,
    /// Items that prunes let go of.
    pub pruned: usize,
    pub pairs: usize,
    pub jumps: usize,
    /// Runs that failed because nothing could be had of a farm.
    pub unreachable: usize,
    /// Runs that failed beside another writer or the collector.
    pub beaten: usize,
}

/// The items that a run is asked for.
#[derive(Clone, Debug)]
pub enum RunKind {
    /// The latest builds.
    Sync,
    /// Items that a person named.
    Add(Vec<ItemId>),
    /// The items of a list.
    From(Vec<ItemId>),
}

/// The circumstances of a run.
#[derive(Clone, Debug)]
pub struct Terms {
    pub user: usize,
    /// The call at which it is killed.
    pub killed: Option<(usize, bool)>,
    /// The minutes by which its clock is wrong.
    pub jump: u64,
    pub max_bytes: Option<u64>,
    pub checkpoint: usize,
    pub max_planned: usize,
    pub graft: GraftChoice,
    pub jobs: u16,
    /// The builds to ask for at first.
    pub count: u32,
    /// Another writer or the collector is at work.
    pub is_alone: bool,
}

/// The end of a run.
#[derive(Debug)]
pub enum End {
    Well,
    Killed,
    Failed,
}

impl Terms {
    /// A run without limits and mishaps.
    pub fn plain(user: usize) -> Self {
        Self {
            user,
            killed: None,
            jump: 0,
            max_bytes: None,
            checkpoint: 1000,
            max_planned: RunLimits::MAX_PLANNED,
            graft: GraftChoice::Auto,
            jobs: 4,
            count: 30,
            is_alone: true,
        }
    }

    /// Nothing keeps the run from trying all that is due.
    pub fn is_unlimited(&self) -> bool {
        let is_unlimited = self.max_bytes.is_none() && self.max_planned == RunLimits::MAX_PLANNED;
        is_unlimited && self.jump == 0
    }

    pub fn random(random: &mut Random, site: &Site) -> Self {
        let mut terms = Self::plain(usize::from(random.chance(250)));
        if random.chance(80) {
            let last = random.between(0, site.calls as u64 + 2) as usize;
            terms.killed = Some((last, random.chance(500)));
        }
        // The ledger bears one wrong clock at a time.
        let is_over = site.wanted.jumps.last() < Some(&site.wanted.last_full);
        if random.chance(30) && is_over {
            let hours = [3, 30, 24 * 20, 24 * 400, 24 * 3650];
            terms.jump = random.pick(&hours).unwrap() * 60;
        }
        if random.chance(150) {
            terms.max_bytes = Some(random.between(200, 5000));
        }
        if random.chance(300) {
            terms.checkpoint = *random.pick(&[1, 3, 10]).unwrap();
        }
        if random.chance(50) {
            terms.max_planned = random.between(1, 40) as usize;
        }
        if random.chance(300) {
            terms.graft = GraftChoice::Only(Engine::Car);
        }
        terms.jobs = *random.pick(&[1, 4, 8]).unwrap();
        terms.count = *random.pick(&[10, 30, 200, 1000]).unwrap();
        terms
    }
}

/// The node of a run with these terms.
pub fn killable<'n>(node: &'n dyn Node, terms: &Terms) -> KilledNode<'n> {
    match terms.killed {
        None => KilledNode::counting(node),
        Some((last, is_done)) => KilledNode::new(node, last, is_done),
    }
}
