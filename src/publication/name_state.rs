//! The knowledge about a name before a run: where it points, and its journals.

use super::error::PublicationError;
use super::journal::Journal;
use super::view::PublicationView;
use crate::ipfs::cid::Cid;

/// The knowledge about a name before a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameState {
    /// The root that the name points to, if it resolves.
    pub published: Option<Cid>,
    /// The journals of the key, the newest first.
    pub journals: Vec<Journal>,
}

/// Asks the name and the journals.
pub fn read_name_state(view: &PublicationView) -> Result<NameState, PublicationError> {
    Ok(NameState {
        published: view.resolve()?,
        journals: Journal::all(view)?,
    })
}
