//! One commit from start to end: stage, graft, pin, publish; and again onto the root
//! that another writer published meanwhile.

use super::base::Base;
use super::claim;
use super::commit::{ATTEMPTS, Committed, commit, publish_base};
use super::error::PublicationError;
use super::graft::Engine;
use super::journal::{Content, Journal};
use super::ledger::LedgerFiles;
use super::other_writer::{rebase_onto, refuse_if_behind};
use super::page::PageUse;
use super::page_graft::graft_page;
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
    let mut pins = TemporaryPins::default();
    let done = attempt(publisher, base, tree, engine, &mut work, &mut pins);
    let pins: Vec<Cid> = pins.staging.into_iter().chain(pins.claim).collect();
    let dropped = publisher.drop_staging(&pins);
    let committed = done?;
    dropped?;
    Ok(committed)
}

/// The pins of a commit that are unpinned after it, the claim last.
#[derive(Default)]
struct TemporaryPins {
    staging: Vec<Cid>,
    claim: Option<Cid>,
}

fn attempt<E: From<NodeError> + From<PublicationError>>(
    publisher: &Publisher,
    base: &mut Base,
    tree: &Tree,
    engine: Engine,
    work: &mut impl FnMut(&Tree, &Stage, &mut LedgerFiles) -> Result<Option<Entry>, E>,
    pins: &mut TemporaryPins,
) -> Result<Committed, E> {
    let version = CidVersion::of(&base.root);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let tree = tree.at(base.root);
        let mut ledger = base.ledger.clone();
        let maker = publisher.options.page.as_deref();
        let begin = |ledger: &mut _| maker.map_or(PageUse::None, |maker| maker.begin(ledger));
        let mut page = begin(&mut ledger);
        let ((root, journal), staging) = with_stage(publisher, version, engine, |stage| {
            let root = work(&tree, stage, &mut ledger)?.filter(|root| root.cid != base.root);
            if page == PageUse::None {
                // A repair may have found one.
                page = begin(&mut ledger);
            }
            let journal = match page.is_due(root.is_some()) {
                true => None,
                false => compose::<E>(publisher, base, &tree, stage, root, &ledger)?,
            };
            Ok::<_, E>((root, journal))
        })?;
        pins.staging.extend(staging);
        let journal = match maker {
            // The page describes the root, which is on the node only now.
            Some(maker) if page.is_due(root.is_some()) => {
                let after = tree.at(root.map_or(base.root, |root| root.cid));
                let key = &publisher.view.key;
                let (journal, staging) = with_stage(publisher, version, Engine::Car, |stage| {
                    let root = graft_page((maker, page), key, &after, stage, &mut ledger)?;
                    let root = Some(root).filter(|root| root.cid != base.root);
                    compose::<E>(publisher, base, &tree, stage, root, &ledger)
                })?;
                pins.staging.extend(staging);
                journal
            }
            _ => journal,
        };
        if journal.is_none() && base.is_settled() {
            return Ok(Committed::Unchanged);
        }
        if pins.claim.is_none() {
            pins.claim = Some(claim::take(publisher)?);
        }
        let committed = refuse_if_behind(publisher, base).and_then(|()| match journal {
            Some(journal) => commit(publisher, base, journal, ledger),
            None => publish_base(publisher, base),
        });
        match committed {
            Err(PublicationError::Moved { now, .. })
                if attempts < ATTEMPTS && CidVersion::of(&now) == version =>
            {
                rebase_onto(publisher, base, *now)?;
            }
            done => return Ok(done?),
        }
    }
}

/// The staged journal of a root, or of that of `tree` where none is given; `None` where
/// neither the root nor the ledger changes, and its journal is the newest.
fn compose<E: From<NodeError> + From<PublicationError>>(
    publisher: &Publisher,
    base: &Base,
    tree: &Tree,
    stage: &Stage,
    root: Option<Entry>,
    ledger: &LedgerFiles,
) -> Result<Option<Journal>, E> {
    let restores = ledger.restores();
    let (ledger, ledger_blocks) = ledger.encode().unzip();
    let own = base.journal();
    // A commit unpins older journals only, so that two writers that continued from each
    // other's root do not unpin each other's journals. One newer than both replaces them.
    let is_newest = own.map(Journal::age) == base.newest().map(Journal::age);
    let root = match root {
        Some(root) => root,
        None if is_newest && !restores && ledger == own.and_then(|journal| journal.ledger) => {
            return Ok(None);
        }
        None => tree.whole()?,
    };
    let key_id = &publisher.view.key.id;
    let content = Content { root, ledger };
    let (published, newest) = (base.state.published, base.newest());
    let (journal, blocks) = Journal::compose(key_id, &content, published, newest, None);
    for (cid, block) in ledger_blocks.into_iter().flatten().chain(blocks) {
        stage.block(cid, block)?;
    }
    Ok(Some(journal))
}
