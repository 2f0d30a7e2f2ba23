//! Another writer of the same name: how a run detects one, and continues from its root.

use super::base::{Base, pin_adopted};
use super::error::PublicationError;
use super::journal::Journal;
use super::name_state::refuse_moved;
use super::publisher::Publisher;
use super::tree::Tree;
use crate::ipfs::cid::Cid;

/// The root that the name points to now. A foreign path that is to be replaced does
/// not count.
pub fn resolve(publisher: &Publisher, base: &Base) -> Result<Option<Cid>, PublicationError> {
    match publisher.view.resolve() {
        Err(PublicationError::ForeignPath { path, .. })
            if base.state.foreign.as_ref() == Some(&path) =>
        {
            Ok(None)
        }
        resolved => resolved,
    }
}

/// Fails where the name points to another root than the published one, `now`.
pub fn refuse_if_not_followed(
    publisher: &Publisher,
    now: Option<Cid>,
    root: Cid,
) -> Result<(), PublicationError> {
    let name = publisher.view.key.id.clone();
    match now {
        Some(now) if now == root => Ok(()),
        Some(now) => Err(PublicationError::NotFollowed {
            name,
            now: Box::new(now),
            root: Box::new(root),
            sequence_is_known: publisher.node().description().capabilities.sequence,
        }),
        None => Err(PublicationError::NoRecord {
            name,
            root: Box::new(root),
        }),
    }
}

/// Returns the root that the name points to now. Fails where that is neither the one
/// that this run began with nor `root`. A name that does not resolve has not moved.
pub fn refuse_if_moved(
    publisher: &Publisher,
    base: &mut Base,
    root: Cid,
) -> Result<Option<Cid>, PublicationError> {
    let now = resolve(publisher, base)?;
    match now {
        Some(moved) if now != base.state.published && moved != root => {
            base.state.published = now;
            Err(moved_to(publisher, moved, root))
        }
        _ => Ok(now),
    }
}

/// Fails where another writer of this node has pinned a journal that this run did not
/// continue from. While the claim of a run holds, that was before it; where another
/// took the claim for one of a killed run, at least one of both detects the other, since
/// each has pinned before it looked at the name, and looks at the pins again after it
/// published.
pub fn refuse_if_behind(publisher: &Publisher, base: &Base) -> Result<(), PublicationError> {
    let number = base.journal().map_or(0, |own| own.number);
    let unknown = refuse_if_unpinned(publisher, base)?;
    match unknown.first() {
        // One with a lower number continued from an older root, and detects that itself.
        Some(newest) if newest.number >= number => Err(moved_to(publisher, newest.root, base.root)),
        _ => Ok(()),
    }
}

/// Fails where another writer has unpinned the journal that this run continues from,
/// after a commit of its own. Returns the journals of other writers, the newest first.
pub fn refuse_if_unpinned(
    publisher: &Publisher,
    base: &Base,
) -> Result<Vec<Journal>, PublicationError> {
    let found = Journal::all(&publisher.view, &known(base))?;
    match base.journal() {
        Some(own) if !found.known.contains(&own.cid) => {
            let newest = found.readable.first();
            let now = newest.map_or(base.root, |journal| journal.root);
            Err(moved_to(publisher, now, base.root))
        }
        _ => Ok(found.readable),
    }
}

/// The error of a run that another writer was quicker than.
pub fn moved_to(publisher: &Publisher, now: Cid, root: Cid) -> PublicationError {
    PublicationError::Moved {
        name: publisher.view.key.id.clone(),
        now: Box::new(now),
        root: Box::new(root),
    }
}

/// The journals that this run has read or made.
pub fn known(base: &Base) -> Vec<Cid> {
    let journals = base.state.journals.iter();
    journals.map(|journal| journal.cid).collect()
}

/// Continues from the root `now` of another writer. The journals are read again.
/// Those that this run knew stay among them, its own too, which was not published and
/// keeps what was staged; the next commit unpins them.
pub fn rebase_onto(
    publisher: &Publisher,
    base: &mut Base,
    mut now: Cid,
) -> Result<(), PublicationError> {
    let found = Journal::all(&publisher.view, &known(base))?;
    refuse_moved(&publisher.view.key.id, &found.readable)?;
    // Another writer may have unpinned some.
    let journals = &mut base.state.journals;
    journals.retain(|own| found.known.contains(&own.cid));
    journals.splice(0..0, found.readable);
    let is_held = |root: &Cid| base.state.journal_of(root).is_some();
    // A third may have been quicker than the other.
    if !is_held(&now)
        && let Some(newer) = resolve(publisher, base)?.filter(is_held)
    {
        base.state.published = Some(newer);
        now = newer;
    }
    if !Tree::new(publisher.node(), now).is_mirror()? {
        return Err(PublicationError::NotAMirror(Box::new(now)));
    }
    base.root = now;
    if !base.lead_with_root(&found.known) {
        pin_adopted(publisher, base)?;
        return base.load_ledger(publisher.node());
    }
    // One that is as new as this root's may be that of a writer that is at work.
    let number = base.journal().map_or(0, |journal| journal.number);
    base.state.journals.retain(|journal| {
        let is_known = found.known.contains(&journal.cid);
        journal.root == now || journal.number < number || is_known
    });
    base.load_ledger(publisher.node())
}
