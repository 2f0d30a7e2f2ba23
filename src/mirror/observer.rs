//! The ear of the engine: everything it reports while it runs.

use super::plan::Plan;
use super::services::ServiceProblem;
use crate::guix::{HttpError, StorePath};
use crate::ipfs::cid::Cid;
use crate::node::{NodeError, RemoteStatus, Usage};

/// A receiver of what the engine reports. Threads may share it.
pub trait Observer: Sync {
    /// Receives an event.
    fn notify(&self, event: Event<'_>);

    /// Shows that something is waited for, until the guard is dropped.
    fn waiting(&self, text: &'static str) -> Box<dyn Send>;

    /// Begins to show how `items` of `bytes` in all come in, as far as their size is
    /// known.
    fn progress(&self, items: usize, bytes: u64) -> Box<dyn RunProgress>;
}

/// The progress of a run, shown until it is dropped.
pub trait RunProgress: Sync {
    /// Counts an item as done.
    fn item_done(&self);

    /// Shows that what came in is being published, until the next item is done.
    fn publishing(&self);

    /// Begins to show a download of `bytes`, if they are known.
    fn download(&self, name: &str, bytes: Option<u64>) -> Box<dyn DownloadProgress>;
}

/// The progress of a download, shown until it is dropped. Unless it was finished,
/// its bytes do not count.
pub trait DownloadProgress: Send {
    /// Counts bytes that came.
    fn advance(&self, bytes: u64);

    /// Counts the download as taken.
    fn finish(&mut self);
}

/// An event of a run.
pub enum Event<'e> {
    /// A package was looked up.
    PackageFound {
        /// The package as it was named.
        package: &'e str,
        /// An output of its latest build.
        output: &'e str,
        /// The number of the build, if the farm reports it.
        build: Option<u64>,
        /// The system it was built for.
        system: &'e str,
    },
    /// The whole list of a farm does not reach back to what was seen of it before.
    ListGap {
        /// The base URL of the farm.
        farm: &'e str,
    },
    /// A farm's list of builds cannot be read; those of others can.
    ListUnreadable(&'e HttpError),
    /// No farm lists a build for the system.
    NothingListed {
        /// Such as `x86_64-linux`.
        system: &'e str,
        /// The jobset that was asked for.
        jobset: Option<&'e str>,
    },
    /// The ledger is full, and does not hold so many items that are owed.
    LedgerFull(usize),
    /// The ledger is full, and has forgotten so many of the oldest removals.
    RemovalsForgotten(usize),
    /// All that was published under a name is abandoned.
    GivenUp {
        /// The name.
        name: &'e str,
        /// The path that it was last pointed to.
        path: &'e str,
    },
    /// The items to mirror are known.
    Planned(&'e Plan),
    /// The node's repository is nearly full.
    NearlyFull(Usage),
    /// The disk of the node that a mirror of so many bytes is moved to has less room.
    LittleRoom {
        /// Bytes of the mirror.
        bytes: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A mirror of so many bytes brings the node that it is moved to beyond its limit.
    LowLimit {
        /// Bytes of the mirror.
        bytes: u64,
        /// The room that the node takes, and its limit.
        usage: Usage,
    },
    /// A file of an item did not come from one upstream; another is asked.
    NextUpstream {
        /// The item.
        item: &'e StorePath,
        /// The reason.
        reason: &'e str,
        /// The base URL of the next one.
        upstream: &'e str,
    },
    /// add-link failed; the batch is grafted with CAR instead.
    EngineChanged(&'e dyn std::error::Error),
    /// An item is published.
    Published(&'e StorePath),
    /// The published root could not be announced.
    NotAnnounced(&'e NodeError),
    /// A pinning service has the published root in this state.
    AtService {
        /// The service.
        service: &'e str,
        /// The root.
        root: &'e Cid,
        /// Its state.
        status: RemoteStatus,
    },
    /// A pinning service does not do what it should.
    ServiceProblem {
        /// The reason.
        problem: &'e ServiceProblem,
        /// It was not said today.
        is_due: bool,
    },
    /// A published narinfo was looked at, and it is whole.
    Whole(&'e str),
}
