//! The request to mirror items, as plain data.

use super::encoding::Encoding;
use super::items::{ItemRef, ItemSpec};
use super::ledger::RetentionRule;
use crate::guix::{Compression, UpstreamClient};
use crate::ipfs::cid::Cid;
use crate::publication::{Engine, PublisherOptions};
use std::time::{Duration, SystemTime};

/// A request to mirror items.
#[derive(Clone, Debug)]
pub struct MirrorRequest {
    /// The node's name of the key to publish under.
    pub key: String,
    /// The wanted items.
    pub selection: ItemSelection,
    /// The substitute servers, asked in this order.
    pub upstreams: Vec<UpstreamClient>,
    /// The system of builds and packages, such as `x86_64-linux`.
    pub system: String,
    /// The items and variants that are taken.
    pub filter: ItemFilter,
    /// The encoding that is asked for. Without it the mirror's own, which is the upstream's
    /// for a new one.
    pub encoding: Option<Encoding>,
    /// The items that come with a wanted one.
    pub closure: Closure,
    /// The way of grafting.
    pub graft: GraftChoice,
    /// The limits of the run.
    pub limits: RunLimits,
    /// The treatment of items that were tried lately, and of those that a person
    /// removed.
    pub pauses: Pauses,
    /// The time of the run.
    pub now: SystemTime,
    /// The root to continue from, whatever the name and the journal hold.
    pub base: Option<Cid>,
    /// The terms of publishing.
    pub publishing: PublisherOptions,
    /// Downloads at once.
    pub jobs: u16,
    /// The items that are kept after the run. `None` leaves that to others.
    pub retention: Option<RetentionRule>,
    /// The items that go are named in the result.
    pub lists_pruned: bool,
}

/// The wanted items.
#[derive(Clone, Debug)]
pub enum ItemSelection {
    /// The outputs of a build farm's latest builds.
    LatestBuilds {
        /// The builds to ask for at first.
        count: u32,
        /// Builds of one jobset only.
        jobset: Option<String>,
    },
    /// A list of items.
    List(Vec<ItemRef>),
    /// Items that a person named.
    Named(Vec<ItemSpec>),
}

/// The items and variants that are taken.
#[derive(Clone, Debug, Default)]
pub struct ItemFilter {
    /// The wanted compressions, where an item has one of them; none stands for all.
    pub compressions: Vec<Compression>,
    /// The largest unpacked nar, in bytes.
    pub max_nar_size: Option<u64>,
}

/// The items that come with a wanted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closure {
    /// All that it refers to; without them it does not enter.
    Whole,
    /// None.
    ItemOnly,
}

/// The way of grafting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GraftChoice {
    /// By the number of files and the size of the directories; add-link gives way to
    /// CAR where the node fails at it.
    Auto,
    /// This one.
    Only(Engine),
}

/// The limits of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunLimits {
    /// No other item begins after so many bytes of nars.
    pub max_bytes: Option<u64>,
    /// No other item begins after so long.
    pub max_time: Option<Duration>,
    /// Items in a batch, after which the run commits.
    pub checkpoint: usize,
    /// Items that are planned; others are left for another run.
    pub max_planned: usize,
}

impl RunLimits {
    /// Items that are planned in one run, all held in memory.
    pub const MAX_PLANNED: usize = 100_000;
}

/// The treatment of items that were tried lately, and of those that a person removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pauses {
    /// An item is tried when its pause is over, and a removed one stays out.
    Obeyed,
    /// Each is tried at once, because a person named it.
    Ignored,
}
