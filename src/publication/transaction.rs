//! One commit from start to end: stage, graft, pin, publish; and once more onto
//! the root that another writer published meanwhile.

use super::base::Base;
use super::commit::{ATTEMPTS, Committed, commit, publish_base};
use super::error::PublicationError;
use super::graft::Engine;
use super::journal::Journal;
use super::ledger::LedgerFiles;
use super::other_writer::rebase_onto;
use super::publisher::Publisher;
use super::stage::{Stage, with_stage};
use super::tree::Tree;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::Entry;
use crate::node::NodeError;

/// Commits the root that `work` grafts onto the tree it is given, `None` where that
/// stays, and the ledger as `work` leaves it. Where another writer moved the name
/// meanwhile, `work` is called again with the tree that is published now; the files it
/// staged before are still there. The blocks read of `tree`, and of any other tree of
/// the node, are shared.
///
/// # Errors
/// The error of `work`, or the reason why the root was not published. No staging
/// directory is left pinned, as far as the node can be reached.
pub fn publish_with_rebase<E: From<NodeError> + From<PublicationError>>(
    publisher: &Publisher,
    base: &mut Base,
    tree: &Tree,
    engine: Engine,
    mut work: impl FnMut(&Tree, &Stage, &mut LedgerFiles) -> Result<Option<Entry>, E>,
) -> Result<Committed, E> {
    let mut pinned = Vec::new();
    let done = attempt(publisher, base, tree, engine, &mut work, &mut pinned);
    let dropped = publisher.drop_staging(&pinned);
    let committed = done?;
    dropped?;
    Ok(committed)
}

fn attempt<E: From<NodeError> + From<PublicationError>>(
    publisher: &Publisher,
    base: &mut Base,
    tree: &Tree,
    engine: Engine,
    work: &mut impl FnMut(&Tree, &Stage, &mut LedgerFiles) -> Result<Option<Entry>, E>,
    pinned: &mut Vec<Cid>,
) -> Result<Committed, E> {
    let version = CidVersion::of(&base.root);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let tree = tree.at(base.root);
        let mut ledger = base.ledger.clone();
        let (journal, staging) = with_stage(publisher, version, engine, |stage| {
            let root = work(&tree, stage, &mut ledger)?.filter(|root| root.cid != base.root);
            let (ledger, ledger_blocks) = ledger.encode().unzip();
            let newest = base.journals.first();
            let root = match root {
                Some(root) => root,
                None if ledger == newest.and_then(|journal| journal.ledger) => return Ok(None),
                None => tree.whole()?,
            };
            let key_id = &publisher.view.key.id;
            let (journal, blocks) = Journal::compose(key_id, &root, base.published, newest, ledger);
            for (cid, block) in ledger_blocks.into_iter().flatten().chain(blocks) {
                stage.block(cid, block)?;
            }
            Ok::<_, E>(Some(journal))
        })?;
        pinned.extend(staging);
        let root = base.root;
        let committed = match journal {
            Some(journal) => commit(publisher, base, journal, ledger),
            None => publish_base(publisher, base),
        };
        match committed {
            Err(PublicationError::Moved { now, .. })
                if attempts < ATTEMPTS && CidVersion::of(&now) == version =>
            {
                rebase_onto(publisher, base, *now)?;
            }
            // Two writers change the ledger beside one root again and again.
            Err(PublicationError::Moved { now, .. }) if *now == root && base.root == root => {
                return Ok(Committed::Unchanged);
            }
            done => return Ok(done?),
        }
    }
}
