//! The reasons why a name is not followed to its root.

use super::objection::Objection;
use crate::ipfs::cid::Cid;
use crate::node::{NodeError, Problem, Refusal};
use crate::util::diagnosis::{Diagnosis, Retry};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// A name that was not followed to its root. What the node held before stays pinned.
#[derive(Debug, Error)]
pub enum FollowFailure {
    /// A root in place of a name.
    #[error("{0} is a root, which never changes; only a name can be followed")]
    NotAName(String),
    /// The node has no network to take anything from.
    #[error("this node has no network, so it cannot follow a name")]
    NoNetwork,
    /// A name that is to be unpinned and is not held.
    #[error("/ipns/{0} is not followed on this node")]
    NotFollowed(String),
    /// Another run follows the name.
    #[error("another run (process {holder}) is following /ipns/{name}")]
    Held {
        /// The name.
        name: String,
        /// The process, as it wrote itself down.
        holder: String,
    },
    /// The lock file cannot be made or locked.
    #[error("cannot lock {path}: {source}", path = path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The name does not resolve.
    #[error("/ipns/{name} does not resolve now{}", kept(.held))]
    Unresolved {
        /// The name.
        name: String,
        /// The root that is held.
        held: Option<Cid>,
    },
    /// A part of the root cannot be had.
    #[error(
        "/ipfs/{root} of /ipns/{name} cannot be fetched completely now: {source}; {came} bytes of \
         it arrived{}", kept(.held)
    )]
    Absent {
        /// The name.
        name: String,
        /// The root.
        root: Box<Cid>,
        /// The root that is held.
        held: Option<Cid>,
        /// Bytes that came in this run.
        came: u64,
        /// The node's message.
        source: Box<NodeError>,
    },
    /// The root is not to be held.
    #[error("/ipfs/{root} of /ipns/{name} is rejected: {objection}{}", kept(.held))]
    Refused {
        /// The name.
        name: String,
        /// The root.
        root: Box<Cid>,
        /// The root that is held.
        held: Option<Cid>,
        /// The reason.
        objection: Box<Objection>,
    },
}

/// The root that stays.
fn kept(held: &Option<Cid>) -> String {
    held.map_or_else(String::new, |root| format!("; /ipfs/{root} is kept"))
}

/// Returns true for a block that nobody sends now, or a node that cannot be used now.
pub(super) fn is_absence(error: &NodeError) -> bool {
    error.is_unavailable()
        || error.is_missing()
        || error.is(Refusal::Offline)
        || matches!(error.problem, Problem::Cut(_))
}

impl Diagnosis for FollowFailure {
    fn advice(&self) -> Option<String> {
        let text = match self {
            Self::NotAName(root) => return Some(format!("keep it with `ipfs pin add {root}`")),
            Self::NoNetwork => "give a node that has one with --api",
            Self::NotFollowed(_) => "`guix-ipfs follow --list` prints the followed names",
            Self::Held { .. } => "try again later",
            Self::Lock { .. } => "make its folder writable, or set XDG_STATE_HOME",
            Self::Unresolved { .. } => {
                "its publisher may be away, and a record that is not renewed expires after two \
                 days; run again later"
            }
            Self::Absent { .. } => {
                "its publisher may be away, or this node reaches nobody who has it; run again \
                 later, or wait longer with --read-timeout. The blocks that arrived stay on the \
                 node until its garbage collection"
            }
            Self::Refused { objection, .. } => objection.advice(),
        };
        Some(text.to_owned())
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Held { .. } | Self::Unresolved { .. } | Self::Absent { .. } => Retry::Soon,
            _ => Retry::Never,
        }
    }
}
