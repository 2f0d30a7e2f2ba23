//! The node that a mirror leaves, and the one that it comes to: marks and journals.

use super::base::Base;
use super::error::PublicationError;
use super::journal::{Content, Journal, mark_among};
use super::moved::Moved;
use super::other_writer::{known, refuse_if_not_followed};
use super::publisher::Publisher;
use super::view::PublicationView;
use crate::ipfs::cid::Cid;
use crate::node::{Node, NodeError, Refusal};

/// Marks the journal of a mirror that leaves the node. The journals that only hold the
/// same root are unpinned.
pub fn mark_moved(
    publisher: &Publisher,
    base: &mut Base,
    moved: Moved,
) -> Result<(), PublicationError> {
    let newest = base.journal();
    if newest.is_some_and(|journal| journal.moved.as_ref() == Some(&moved)) {
        return unpin_older(publisher, base);
    }
    let view = &publisher.view;
    let content = base.state.content(view.node, base.root)?;
    let (published, latest) = (base.state.published, base.newest());
    let (journal, blocks) =
        Journal::compose(&view.key.id, &content, published, latest, Some(moved));
    publisher.import_and_pin(blocks, || journal.pin(view, newest))?;
    base.state.journals.insert(0, journal);
    unpin_older(publisher, base)
}

/// Unpins the journals that only hold the same root as the newest.
fn unpin_older(publisher: &Publisher, base: &mut Base) -> Result<(), PublicationError> {
    let root = base.root;
    let older = base.state.journals.split_off(1);
    let (same, others): (Vec<Journal>, Vec<Journal>) =
        older.into_iter().partition(|journal| journal.root == root);
    base.state.journals.extend(others);
    for journal in same {
        publisher.node().unpin(&journal.cid)?;
    }
    Ok(())
}

/// Returns true where another writer of this node pinned a journal since `base` was
/// chosen.
pub fn was_overtaken(publisher: &Publisher, base: &Base) -> Result<bool, PublicationError> {
    let others = Journal::all(&publisher.view, &known(base))?.readable;
    Ok(!others.is_empty())
}

/// The journals of a key on the node that its mirror is moved to.
#[derive(Debug, Default)]
pub struct ArrivedJournals(Vec<Journal>);

impl ArrivedJournals {
    /// Reads them.
    pub fn read(view: &PublicationView) -> Result<Self, PublicationError> {
        Ok(Self(Journal::all(view, &[])?.readable))
    }

    /// The root that this node continues from; `None` where the mirror was never here,
    /// or left.
    pub fn root(&self) -> Option<Cid> {
        match mark_among(&self.0) {
            Some(_) => None,
            None => self.0.first().map(|journal| journal.root),
        }
    }

    /// The same for a mirror that came after the other node marked this journal.
    pub fn root_after(&self, marked: &Journal) -> Option<Cid> {
        let is_newer = self.0.first().is_some_and(|it| it.number > marked.number);
        self.root().filter(|_| is_newer)
    }

    /// Unpins them.
    pub fn unpin(&self, node: &dyn Node) -> Result<(), NodeError> {
        self.0
            .iter()
            .try_for_each(|journal| node.unpin(&journal.cid))
    }
}

/// Pins the journal of a mirror that has come to the node, in place of what kept the copy
/// of `content`: the proof that all of it is there. Its number is above those of both
/// nodes.
pub fn pin_arrived(
    publisher: &Publisher,
    content: &Content,
    left: &Base,
    before: &ArrivedJournals,
) -> Result<(), PublicationError> {
    let journals = left.journal().into_iter().chain(before.0.first());
    let newest = journals.max_by_key(|journal| journal.number);
    let PublicationView { node, key } = &publisher.view;
    let previous = Some(content.root.cid);
    let (journal, blocks) = Journal::compose(&key.id, content, previous, newest, None);
    // With its name.
    let pin = || node.pin_update(&content.keeper().0, &journal.cid);
    Ok(publisher.import_and_pin(blocks, pin)?)
}

/// Publishes a root above the sequence number of every record that is known: `last` is
/// that of the other node.
pub fn publish_above(
    publisher: &Publisher,
    root: Cid,
    last: Option<u64>,
) -> Result<(), PublicationError> {
    let (node, key) = (publisher.node(), &publisher.view.key);
    // If it is not known in time, the node's own count is used.
    let own = node.record(&key.id).ok().flatten();
    let own = own.map(|record| record.sequence);
    let sequence = own.max(last).map(|last| last.saturating_add(1));
    match node.publish(key, &root, &publisher.publish_options(sequence)) {
        // The node has a higher one, and does not report it.
        Err(error) if sequence.is_some() && error.is(Refusal::Other) => {
            node.publish(key, &root, &publisher.publish_options(None))?;
        }
        published => published?,
    }
    refuse_if_not_followed(publisher, publisher.view.resolve()?, root)?;
    publisher.note_published(Some(root), root);
    Ok(())
}
