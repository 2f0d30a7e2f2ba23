//! The content of a mirror: all that a move to another node takes along.

use super::base::Base;
use super::error::PublicationError;
use super::name_state::NameState;
use super::tree::Tree;
use super::view::PublicationView;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Entry, PlainDirectory};
use crate::node::Node;

/// A root with the ledger beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The root, as a directory above it links to it.
    pub root: Entry,
    /// The directory of the ledger.
    pub ledger: Option<Entry>,
}

impl Content {
    /// A directory with both, whose pin keeps all. The pin has the name of a journal's,
    /// which the journal takes over from it; without a `state` it is not a journal.
    pub(super) fn keeper(&self) -> (Cid, Vec<u8>) {
        let parts = [("root", self.root)].into_iter();
        let parts = parts.chain(self.ledger.map(|ledger| ("ledger", ledger)));
        let entries = parts.map(|(name, entry)| (name.to_owned(), entry));
        let directory = PlainDirectory {
            entries: entries.collect(),
        };
        let (block, entry) = directory.encode(CidVersion::V1);
        (entry.cid, block)
    }
}

/// The content of the base, with the ledger as its journal has it.
pub fn content_of(node: &dyn Node, base: &Base) -> Result<Content, PublicationError> {
    Ok(Content {
        root: Tree::new(node, base.root).whole()?,
        ledger: base.journals.first().and_then(|journal| journal.ledger),
    })
}

/// The content that a run would continue from. Writes nothing.
pub fn content_at(
    view: &PublicationView,
    state: &NameState,
    root: Cid,
) -> Result<Content, PublicationError> {
    let holding = state.journals.iter().find(|journal| journal.root == root);
    Ok(Content {
        root: Tree::new(view.node, root).whole()?,
        ledger: holding.and_then(|journal| journal.ledger),
    })
}
