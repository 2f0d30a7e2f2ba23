//! The knowledge about a name before a run: where it points, and its journals.

use super::error::PublicationError;
use super::journal::Journal;
use super::ledger::LedgerFiles;
use super::view::PublicationView;
use crate::ipfs::cid::Cid;
use crate::node::Node;

/// The knowledge about a name before a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameState {
    /// The root that the name points to, if it resolves.
    pub published: Option<Cid>,
    /// The journals of the key, the newest first.
    pub journals: Vec<Journal>,
}

impl NameState {
    /// The ledger of the newest journal.
    ///
    /// # Errors
    /// It is not whole on the node.
    pub fn ledger(&self, node: &dyn Node) -> Result<LedgerFiles, PublicationError> {
        let newest = self.journals.first();
        let top = newest.and_then(|journal| journal.ledger.as_ref());
        LedgerFiles::load(node, top)
    }
}

/// Asks the name and the journals.
pub fn read_name_state(view: &PublicationView) -> Result<NameState, PublicationError> {
    Ok(NameState {
        published: view.resolve()?,
        journals: Journal::all(view)?,
    })
}
