//! The end of an update before its root is pinned.

use super::objection::Objection;
use crate::ipfs::directory::TreeError;
use crate::mirror::failure::Failure;
use crate::node::NodeError;
use crate::publication::PublicationError;

/// The end of an update before its root is pinned.
#[derive(Debug)]
pub enum Halt {
    /// The root is not to be held.
    Objection(Objection),
    /// The node, or a block.
    Failure(Failure),
}

impl From<Objection> for Halt {
    fn from(objection: Objection) -> Self {
        Self::Objection(objection)
    }
}

impl<E: Into<Failure>> From<E> for Halt {
    fn from(error: E) -> Self {
        match error.into() {
            Failure::Publication(
                error @ (PublicationError::Tree(_) | PublicationError::File(..)),
            ) => Self::Objection(Objection::Malformed(error.to_string())),
            failure => Self::Failure(failure),
        }
    }
}

impl From<TreeError<NodeError>> for Halt {
    fn from(error: TreeError<NodeError>) -> Self {
        match error {
            TreeError::Blocks(error) => error.into(),
            malformed => Self::Objection(Objection::Malformed(malformed.to_string())),
        }
    }
}
