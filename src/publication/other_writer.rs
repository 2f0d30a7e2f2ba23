//! Another writer of the same name: how a run learns of one, and goes on from its root.

use super::base::{Base, pin_adopted};
use super::error::PublicationError;
use super::journal::Journal;
use super::name_state::refuse_moved;
use super::publisher::Publisher;
use super::tree::Tree;
use crate::ipfs::cid::Cid;

/// The root that the name points to now. A foreign path that is given up is none.
pub fn resolve(publisher: &Publisher, base: &Base) -> Result<Option<Cid>, PublicationError> {
    match publisher.view.resolve() {
        Err(PublicationError::ForeignPath { path, .. }) if base.foreign.as_ref() == Some(&path) => {
            Ok(None)
        }
        resolved => resolved,
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
        Some(moved) if now != base.published && moved != root => {
            base.published = now;
            Err(moved_to(publisher, moved, root))
        }
        _ => Ok(now),
    }
}

/// Fails where another writer of this node pinned a journal while this run was at work:
/// it looked at the name before this run published, or published before that and was
/// overwritten. Each of two such writers has pinned before it looked and looks at the
/// pins after it published, so at least one of them learns of the other.
pub fn refuse_if_overwritten(publisher: &Publisher, base: &Base) -> Result<(), PublicationError> {
    let root = base.root;
    let number = base.journals.first().map_or(0, |own| own.number);
    let unknown = Journal::all(&publisher.view, &known(base))?.readable;
    // One with a lower number went on from an older root, and is told so when it looks.
    let mut others = unknown.into_iter();
    match others.find(|other| other.number >= number) {
        Some(other) => Err(moved_to(publisher, other.root, root)),
        None => Ok(()),
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
fn known(base: &Base) -> Vec<Cid> {
    base.journals.iter().map(|journal| journal.cid).collect()
}

/// Goes on from the root `now` of another writer. The journals are read again. Those
/// that this run knew stay among them, its own too, which was not published and keeps
/// what was staged; the next commit lets go of them.
pub fn rebase_onto(
    publisher: &Publisher,
    base: &mut Base,
    now: Cid,
) -> Result<(), PublicationError> {
    if !Tree::new(publisher.node(), now).is_mirror()? {
        return Err(PublicationError::NotAMirror {
            root: Box::new(now),
        });
    }
    let known = known(base);
    let found = Journal::all(&publisher.view, &known)?.readable;
    refuse_moved(&publisher.view.key.id, &found)?;
    base.root = now;
    // Another writer's journal of the root leads: its ledger is not known yet.
    base.journals.splice(0..0, found);
    if !base.lead_with_root() {
        pin_adopted(publisher, base)?;
        return base.load_ledger(publisher.node());
    }
    // One that is as new as this root's may be that of a writer that is at work.
    let number = base.journals.first().map_or(0, |journal| journal.number);
    let is_ours = |journal: &Journal| {
        journal.root == now || journal.number < number || known.contains(&journal.cid)
    };
    base.journals.retain(is_ours);
    base.load_ledger(publisher.node())
}
