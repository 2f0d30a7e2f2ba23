//! The ways in which a service does not hold what it should.

use crate::ipfs::cid::Cid;
use crate::node::NodeError;
use crate::util::diagnosis::Diagnosis;
use crate::util::timestamp::Timestamp;
use thiserror::Error;

/// A service that does not hold what it should, or holds more.
#[derive(Debug, Error)]
pub enum ServiceProblem {
    /// It cannot be asked, or refuses.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// It failed to pin the root.
    #[error("pinning service {service} failed to pin /ipfs/{root}; it is asked again {when}", when = when(*next))]
    GaveUp {
        /// The service.
        service: String,
        /// The root.
        root: Cid,
        /// The time from which it is asked again; `None` where it was asked just now.
        next: Option<Timestamp>,
    },
}

fn when(next: Option<Timestamp>) -> String {
    match next {
        Some(next) => format!("from {next} on"),
        None => "now".to_owned(),
    }
}

impl Diagnosis for ServiceProblem {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Node(error) => error.advice(),
            Self::GaveUp { .. } => Some(
                "check that your quota at the service is large enough, and that this node can be \
                 reached from outside"
                    .to_owned(),
            ),
        }
    }
}
