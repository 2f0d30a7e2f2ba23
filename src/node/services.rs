//! Pins at pinning services: other people's nodes, which a node asks over the Pinning
//! Services API to hold something.
//! Source: <https://ipfs.github.io/pinning-services-api-spec/>.

use super::error::{NodeError, Refusal};
use crate::ipfs::cid::Cid;
use serde::Serialize;

/// A pin at a service. A service may hold several of one CID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemotePin {
    /// The root, as the service spells it.
    pub cid: Cid,
    /// Its name; a service may keep none.
    pub name: String,
    /// Its state.
    pub status: RemoteStatus,
}

/// The state of a pin at a service, the better one later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RemoteStatus {
    /// The service gave it up.
    Failed,
    /// It waits.
    Queued,
    /// The service fetches it.
    Pinning,
    /// The service holds all of it.
    Pinned,
}

impl RemoteStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Failed, Self::Queued, Self::Pinning, Self::Pinned];

    /// The word of the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Queued => "queued",
            Self::Pinning => "pinning",
            Self::Pinned => "pinned",
        }
    }
}

/// The pins that a service is asked for.
#[derive(Clone, Copy, Debug)]
pub enum RemoteQuery<'q> {
    /// Those with exactly this name.
    Named(&'q str),
    /// Those of this CID, whatever their names.
    Of(&'q Cid),
}

/// The refusal of a node without pinning services.
pub(super) fn no_services<T>() -> Result<T, NodeError> {
    Err(NodeError::refused(
        "ask a pinning service",
        Refusal::UnknownService,
        "only a Kubo node can use pinning services",
    ))
}
