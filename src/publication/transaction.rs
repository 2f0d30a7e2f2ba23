//! One commit from start to end: stage, graft, pin, publish; and once more onto
//! what another writer published meanwhile.

use super::graft::Engine;
use super::stage::{Stage, staging};
use super::{Base, Committed, Journal, PublicationError, Site, Tree, commit, follow, republish};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::Entry;
use crate::node::NodeError;

/// How often another writer may be quicker.
const ATTEMPTS: u32 = 4;

/// Commits the root that `work` grafts onto the tree it is given; none where
/// nothing changes. Where another writer moved the name meanwhile, `work` is
/// asked again, with the tree that is published now; what it staged before is
/// still there. What was read of any tree of the node is at hand through `read`.
///
/// # Errors
/// What `work` says, or why the root was not published. No staging directory is
/// left pinned, as far as the node can be reached.
pub fn transact<E: From<NodeError> + From<PublicationError>>(
    site: &Site,
    base: &mut Base,
    read: &Tree,
    engine: Engine,
    mut work: impl FnMut(&Tree, &Stage) -> Result<Option<Entry>, E>,
) -> Result<Committed, E> {
    let mut pinned = Vec::new();
    let done = attempt(site, base, read, engine, &mut work, &mut pinned);
    let dropped = site.drop_staging(&pinned);
    let committed = done?;
    dropped?;
    Ok(committed)
}

fn attempt<E: From<NodeError> + From<PublicationError>>(
    site: &Site,
    base: &mut Base,
    read: &Tree,
    engine: Engine,
    work: &mut impl FnMut(&Tree, &Stage) -> Result<Option<Entry>, E>,
    pinned: &mut Vec<Cid>,
) -> Result<Committed, E> {
    let version = CidVersion::of(&base.root);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let tree = read.at(base.root);
        let (journal, staged) = staging(site, version, engine, |stage| {
            let root = work(&tree, stage)?.filter(|root| root.cid != base.root);
            let Some(root) = root else {
                return Ok(None);
            };
            let newest = base.journals.first();
            let (journal, blocks) = Journal::compose(&site.key.id, &root, base.published, newest);
            for (cid, block) in blocks {
                stage.block(&cid, &block)?;
            }
            Ok::<_, E>(Some(journal))
        })?;
        pinned.extend(staged.staging);
        let committed = match journal {
            Some(journal) => commit(site, base, journal),
            None => republish(site, base),
        };
        match committed {
            Err(PublicationError::Moved { now, .. })
                if attempts < ATTEMPTS && CidVersion::of(&now) == version =>
            {
                follow(site, base, *now)?;
            }
            done => return Ok(done?),
        }
    }
}
