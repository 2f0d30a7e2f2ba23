//! The state of a name before a run: where it points, and its journals.

use super::error::PublicationError;
use super::journal::{Content, Journal, Journals, mark_among};
use super::ledger::LedgerFiles;
use super::moved::Moved;
use super::tree::Tree;
use super::view::PublicationView;
use crate::ipfs::cid::Cid;
use crate::node::Node;

/// The state of a name before a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameState {
    /// The root that the name points to, if it resolves to one.
    pub published: Option<Cid>,
    /// The path that the name points to, where that is no root.
    pub foreign: Option<String>,
    /// The journals of the key, the newest first.
    pub journals: Vec<Journal>,
    /// The pins of journals whose own blocks are lost.
    pub lost: Vec<Cid>,
}

impl NameState {
    /// The mark of a mirror that left this node.
    pub fn moved(&self) -> Option<&Moved> {
        mark_among(&self.journals)
    }

    /// Fails where the mirror under `name` left this node.
    pub fn refuse_moved(&self, name: &str) -> Result<(), PublicationError> {
        refuse_moved(name, &self.journals)
    }

    /// The ledger of the newest journal that holds a root, or else of the newest.
    ///
    /// # Errors
    /// It is not whole on the node.
    pub fn ledger(&self, node: &dyn Node, root: &Cid) -> Result<LedgerFiles, PublicationError> {
        let journal = self.journal_of(root).or(self.journals.first());
        let top = journal.and_then(|journal| journal.ledger.as_ref());
        LedgerFiles::load(node, top)
    }

    /// A root with the ledger beside it.
    pub fn content(&self, node: &dyn Node, root: Cid) -> Result<Content, PublicationError> {
        let journal = self.journal_of(&root);
        Ok(Content {
            root: Tree::new(node, root).whole()?,
            ledger: journal.and_then(|journal| journal.ledger),
        })
    }

    /// The first of the journals that hold a root.
    pub(super) fn journal_of(&self, root: &Cid) -> Option<&Journal> {
        self.journals.iter().find(|journal| journal.root == *root)
    }

    /// The path that shows that something was published: the one that the name points
    /// to, or the root of a journal that came after another.
    pub fn shown_publication(&self) -> Option<String> {
        let went_on = |journal: &&Journal| journal.previous.is_some() || journal.number > 1;
        let of_journal = || self.journals.iter().find(went_on).map(|it| it.root);
        let root = self.published.or_else(of_journal);
        root.map(|root| format!("/ipfs/{root}"))
            .or_else(|| self.foreign.clone())
    }
}

/// Fails where the newest of these journals of `name` has the mark of a mirror that left.
pub fn refuse_moved(name: &str, journals: &[Journal]) -> Result<(), PublicationError> {
    let (Some(moved), Some(newest)) = (mark_among(journals), journals.first()) else {
        return Ok(());
    };
    Err(PublicationError::MovedAway {
        name: name.to_owned(),
        root: Box::new(newest.root),
        moved: Box::new(moved.clone()),
    })
}

/// Resolves the name and reads the journals.
pub fn read_name_state(view: &PublicationView) -> Result<NameState, PublicationError> {
    let (published, foreign) = match view.resolve() {
        Ok(root) => (root, None),
        Err(PublicationError::ForeignPath { path, .. }) => (None, Some(path)),
        Err(error) => return Err(error),
    };
    let Journals { readable, lost, .. } = Journal::all(view, &[])?;
    Ok(NameState {
        published,
        foreign,
        journals: readable,
        lost: lost.into_iter().map(|(pin, _)| pin).collect(),
    })
}
