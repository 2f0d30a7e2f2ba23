//! Pin, publish, check, and only then let go of what was before.

use super::{Base, Journal, PublicationError, Site, Tree};
use crate::ipfs::cid::Cid;
use crate::node::{Publish, TELLS_RECORDS};

/// What a commit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The name already pointed to the root.
    Unchanged,
    /// The name points to the root now.
    Published,
}

/// Pins a journal whose blocks are stored, and makes its root what the name
/// points to.
///
/// # Errors
/// The name then still points where it did, and the root may be pinned: the next
/// run goes on from there. [`PublicationError::Moved`] when another writer was
/// quicker: [`follow`] it, and graft onto what it published.
pub fn commit(
    site: &Site,
    base: &mut Base,
    journal: Journal,
) -> Result<Committed, PublicationError> {
    if let Err(error) = journal.pin(site, base.journals.first()) {
        // A writer that has published unpins the journals before its own.
        let is_gone = matches!(&error, PublicationError::Node(error)
            if error.says("not recursively pinned already") || error.says("not pinned"));
        if is_gone {
            refuse_if_moved(site, base, journal.root)?;
        }
        return Err(error);
    }
    base.root = journal.root;
    base.journals.insert(0, journal);
    republish(site, base)
}

/// Makes the base what the name points to, where it is not, and lets go of
/// older journals.
pub fn republish(site: &Site, base: &mut Base) -> Result<Committed, PublicationError> {
    let committed = match base.published == Some(base.root) {
        true => Committed::Unchanged,
        false => publish(site, base, base.root)?,
    };
    while base.journals.len() > 1 {
        if let Some(oldest) = base.journals.pop() {
            site.node.pin_rm(&oldest.cid)?;
        }
    }
    Ok(committed)
}

/// Goes on from what another writer published during this run. The journals are
/// read again; this run's own, which was not published, stays among them, and
/// keeps what was staged, until the next commit lets go of it.
pub fn follow(site: &Site, base: &mut Base, now: Cid) -> Result<(), PublicationError> {
    if !Tree::new(site.node, now).is_mirror()? {
        return Err(PublicationError::NotAMirror {
            root: Box::new(now),
        });
    }
    base.journals = Journal::find(site)?;
    base.published = Some(now);
    base.root = now;
    Ok(())
}

fn publish(site: &Site, base: &mut Base, root: Cid) -> Result<Committed, PublicationError> {
    // No node offers compare-and-swap: this is as late as one can look.
    refuse_if_moved(site, base, root)?;
    let mut how = Publish {
        lifetime: site.record_lifetime,
        allow_offline: site.allow_offline,
        sequence: None,
    };
    site.node.name_publish(&site.key, &root, &how)?;
    let mut now = site.resolve()?;
    if now != Some(root) {
        // The node's own count of the name's records is behind the network's.
        refuse_if_moved(site, base, root)?;
        if let Some(record) = site.node.name_record(&site.key.id)? {
            how.sequence = Some(record.sequence.saturating_add(1));
            site.node.name_publish(&site.key, &root, &how)?;
            now = site.resolve()?;
        }
    }
    if now != Some(root) {
        return Err(PublicationError::NotFollowed {
            name: site.key.id.clone(),
            now: now.map_or_else(|| "nothing".to_owned(), |now| format!("/ipfs/{now}")),
            root: Box::new(root),
            way_out: way_out(site),
        });
    }
    base.published = now;
    Ok(Committed::Published)
}

/// What a person can do where the name does not follow.
fn way_out(site: &Site) -> &'static str {
    match site.node.version < TELLS_RECORDS {
        true => {
            "This node is too old to tell that number: Kubo 0.40 or newer publishes above it by \
             itself"
        }
        false => "Run again when the network has settled",
    }
}

/// Fails where the name points neither to what this run began with nor to `root`.
/// A name that does not resolve has not moved.
fn refuse_if_moved(site: &Site, base: &Base, root: Cid) -> Result<(), PublicationError> {
    match site.resolve()? {
        Some(now) if Some(now) != base.published && now != root => Err(PublicationError::Moved {
            name: site.key.id.clone(),
            now: Box::new(now),
            root: Box::new(root),
        }),
        _ => Ok(()),
    }
}
