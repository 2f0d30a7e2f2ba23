//! Items that a run leaves out, and the reasons.

use super::items::ItemRef;
use super::json;
use crate::guix::{HashPart, StorePath};
use crate::util::diagnosis::Diagnosis;
use serde::Serialize;
use thiserror::Error;

/// An item that is left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The item as it was named, or its store path.
    pub item: String,
    /// Its store hash, where that is known.
    #[serde(skip)]
    pub hash: Option<HashPart>,
    /// The reason.
    #[serde(serialize_with = "json::text")]
    pub reason: SkipReason,
}

impl Skipped {
    /// An item that is left out for this reason.
    pub fn new(item: impl Into<ItemRef>, reason: SkipReason) -> Self {
        let ItemRef { hash, label } = item.into();
        Self {
            item: label,
            hash: Some(hash),
            reason,
        }
    }
}

/// The kinds of reasons, by what the next run may do about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipKind {
    /// No upstream has it, or not yet.
    Missing,
    /// It depends on an item that is left out.
    Waiting,
    /// It differs from what its narinfo promises, or is not taken; it will be the
    /// same the next time.
    Refused,
    /// The network, or something else that may change, has spoiled it.
    Broken,
}

/// The reason why an item is left out.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SkipReason {
    /// No upstream has it.
    #[error("no upstream has it (yet)")]
    Absent,
    /// None of the upstreams that can be reached has it.
    #[error("no upstream that can be reached has it (yet); {0} cannot be reached")]
    OutOfReach(String),
    /// A package that no build farm lists.
    #[error("no build farm lists a successful build of it for {0}")]
    UnknownPackage(String),
    /// A package, and no build farm to ask.
    #[error("{0}")]
    NoBuildFarm(String),
    /// It is not in the published root.
    #[error("it is not published")]
    NotPublished,
    /// It refers to an item that is left out.
    #[error("it refers to {0}, which cannot be mirrored (yet)")]
    WaitsFor(StorePath),
    /// It refers to an item that a person removed.
    #[error("it refers to {0}, which was removed by hand")]
    NeedsRemoved(StorePath),
    /// A person removed it.
    #[error("it was removed by hand")]
    Removed(StorePath),
    /// An option of this run leaves it out.
    #[error("{0}")]
    Excluded(String),
    /// Its narinfo or a nar is not taken.
    #[error("{what}")]
    Refused {
        /// The reason, with the file that it is about.
        what: String,
        /// The next step for the person, where there is one.
        advice: Option<String>,
    },
    /// The place of one of its files is taken.
    #[error("{0}")]
    Occupied(String),
    /// The server lists a nar that it does not have.
    #[error("{0}")]
    NoNar(String),
    /// It did not come whole.
    #[error("{0}")]
    Broken(String),
}

impl SkipReason {
    /// The kind of this reason.
    pub fn kind(&self) -> SkipKind {
        match self {
            Self::Absent
            | Self::OutOfReach(_)
            | Self::UnknownPackage(_)
            | Self::NoBuildFarm(_)
            | Self::NotPublished => SkipKind::Missing,
            Self::WaitsFor(_) | Self::NeedsRemoved(_) | Self::Removed(_) => SkipKind::Waiting,
            Self::Excluded(_) | Self::Refused { .. } => SkipKind::Refused,
            Self::Occupied(_) | Self::NoNar(_) | Self::Broken(_) => SkipKind::Broken,
        }
    }

    /// A refusal for this error.
    pub(super) fn refused(error: &impl Diagnosis) -> Self {
        Self::Refused {
            what: error.to_string(),
            advice: error.advice(),
        }
    }

    /// A refusal in these words.
    pub(super) fn refused_because(what: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            advice: None,
        }
    }
}

impl Diagnosis for SkipReason {
    fn advice(&self) -> Option<String> {
        let text = match self {
            Self::Absent => "check its spelling; the farm may still build it",
            Self::OutOfReach(_) => {
                "run again when they can be reached; the farm may still build it"
            }
            Self::UnknownPackage(_) => {
                "check that it is spelled as in `guix show`, with a version after @ (hello@2.12), \
                 or name a store path instead"
            }
            Self::NoBuildFarm(_) => {
                "a package is looked up at a build farm; name a store path instead"
            }
            Self::NeedsRemoved(path) | Self::Removed(path) => {
                return Some(format!("`guix-ipfs add {path}` adds it again"));
            }
            Self::Refused { advice, .. } => return advice.clone(),
            _ => return None,
        };
        Some(text.to_owned())
    }
}
