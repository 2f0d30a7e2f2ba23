//! Pin, publish, check, and only then let go of what was before.

use super::{Base, Journal, PublicationError, Site};
use crate::ipfs::cid::Cid;
use crate::node::Publish;

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
/// run goes on from there.
pub fn commit(
    site: &Site,
    base: &mut Base,
    journal: Journal,
) -> Result<Committed, PublicationError> {
    journal.pin(site, base.journals.first())?;
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

fn publish(site: &Site, base: &mut Base, root: Cid) -> Result<Committed, PublicationError> {
    // No node offers compare-and-swap: this is as late as one can look.
    let now = site.resolve()?;
    if now != base.published && now != Some(root) {
        return Err(PublicationError::Moved {
            name: site.key.id.clone(),
            now: describe(now),
            root: Box::new(root),
        });
    }
    let how = Publish {
        lifetime: &site.record_lifetime,
        allow_offline: site.allow_offline,
    };
    site.node.name_publish(&site.key, &root, &how)?;
    let now = site.resolve()?;
    if now != Some(root) {
        return Err(PublicationError::NotFollowed {
            name: site.key.id.clone(),
            now: describe(now),
            root: Box::new(root),
        });
    }
    base.published = now;
    Ok(Committed::Published)
}

fn describe(root: Option<Cid>) -> String {
    root.map_or_else(|| "nothing".to_owned(), |root| format!("/ipfs/{root}"))
}
