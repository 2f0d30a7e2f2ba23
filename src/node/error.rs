//! What can go wrong with a call. The text is for a person: what was being
//! done, to which item, and the node's own words.

use super::info::Version;
use std::io;
use thiserror::Error;

/// A call that failed.
#[derive(Debug, Error)]
#[error("{doing}: {problem}")]
pub struct NodeError {
    /// What was being done, such as "pin /ipfs/Qm…".
    pub doing: String,
    /// What went wrong.
    #[source]
    pub problem: Problem,
}

/// Why a call failed.
#[derive(Debug, Error)]
pub enum Problem {
    /// No connection: no daemon runs there, or the address is wrong.
    #[error(
        "no node answers at {url} ({reason})\nstart one with `ipfs daemon`, or say where it is with --api"
    )]
    Unreachable {
        /// The RPC's address.
        url: String,
        /// The system's reason.
        reason: String,
    },
    /// The node took longer than the call's limit.
    #[error(
        "the node did not answer within {0} seconds\nit is busy, or searches the network; run again later"
    )]
    TimedOut(u64),
    /// The node answered with an error of its own; this is its message.
    #[error("the node says: {0}{way_out}", way_out = way_out(.0))]
    Refused(String),
    /// The node does not know the command.
    #[error("this node has no command {0}")]
    NoSuchCommand(String),
    /// Something else listens there, such as the node's gateway.
    #[error(
        "{0} is no node's RPC, but perhaps its gateway\n`ipfs config Addresses.API` tells where \
         the RPC is, for --api"
    )]
    NotAnRpc(String),
    /// The RPC asks for a user or a token, or refuses the one given.
    #[error(
        "the node refuses access (HTTP {0})\nsay who you are with bearer:TOKEN or \
         basic:USER:PASSWORD in ${variable} or in a file named by --api-auth-file, and see that \
         the node's API.Authorizations allow all of /api/v0",
        variable = super::AUTHORIZATION_VARIABLE
    )]
    Forbidden(u16),
    /// The connection broke, or the answer ended before it was whole.
    #[error("the answer was cut short ({0})")]
    Cut(String),
    /// The answer is whole but not what the call gives.
    #[error("the node gave an answer that makes no sense here: {0}")]
    Unexpected(String),
    /// The data that was being sent could not be read to its end; nothing was added.
    #[error("{0}")]
    Source(#[source] io::Error),
    /// A Kubo whose answers are not known.
    #[error("Kubo {0} is too old\nupdate it to {oldest} or newer", oldest = super::OLDEST)]
    TooOld(Version),
}

/// What to do about the few refusals that are nobody's mistake here.
fn way_out(message: &str) -> &'static str {
    let message = message.to_ascii_lowercase();
    match message.contains("no space left") {
        true => {
            "\nmake room on the node's disk, or let go of what it keeps with `ipfs repo gc`; then run again"
        }
        false => "",
    }
}

impl NodeError {
    /// Whether the node could not be reached at all, so that a later try may do.
    pub fn is_unreachable(&self) -> bool {
        matches!(self.problem, Problem::Unreachable { .. })
    }

    /// Whether the node lacks a block: it says so, or searched the network for it
    /// until its time was over.
    pub fn is_lacking(&self) -> bool {
        matches!(self.problem, Problem::TimedOut(_))
            || [
                "could not find",
                "not found locally",
                "context deadline exceeded",
            ]
            .iter()
            .any(|text| self.says(text))
    }

    /// Whether the node's own message contains `text`.
    pub fn says(&self, text: &str) -> bool {
        matches!(&self.problem, Problem::Refused(message) if message.contains(text))
    }
}

impl Problem {
    /// What ureq's error means for a call to `url` with this limit in seconds.
    pub(super) fn from_ureq(error: ureq::Error, url: &str, limit_seconds: u64) -> Self {
        let unreachable = |reason: String| Self::Unreachable {
            url: url.to_owned(),
            reason,
        };
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect) => unreachable("no answer".to_owned()),
            ureq::Error::Timeout(_) => Self::TimedOut(limit_seconds),
            ureq::Error::HostNotFound => unreachable("unknown host".to_owned()),
            ureq::Error::ConnectionFailed => unreachable("no connection".to_owned()),
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                unreachable("connection refused".to_owned())
            }
            // The resolver's own message; its kind says nothing.
            ureq::Error::Io(error) if error.to_string().starts_with("failed to lookup") => {
                unreachable("unknown host".to_owned())
            }
            other => Self::Cut(other.to_string()),
        }
    }
}
