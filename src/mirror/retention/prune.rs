//! The prune: in one commit, or as a preview.

use super::choice::{Choice, PruneTerms};
use super::summary::{PruneOutcome, PruneSummary};
use crate::mirror::announcing::announce;
use crate::mirror::failure::Failure;
use crate::mirror::keys::{no_key, view_of};
use crate::mirror::ledger::{PageState, Retention, recover_encoding};
use crate::mirror::name_change::NameChange;
use crate::mirror::observer::Observer;
use crate::mirror::page::MOST_PAGE_BYTES;
use crate::node::Node;
use crate::publication::{
    Base, Committed, Engine, LedgerFiles, PAGE_NAME, Publisher, PublisherOptions, Stage, Tree,
    adopt_root, choose_base, publish_with_rebase, read_name_state,
};

/// A request to prune a mirror.
#[derive(Clone, Debug)]
pub struct PruneRequest {
    /// The node's name of the key.
    pub key: String,
    /// The terms of the prune.
    pub terms: PruneTerms,
    /// The terms of publishing.
    pub publishing: PublisherOptions,
}

/// Prunes the items that the rule does not keep.
///
/// # Errors
/// [`Failure::NothingLeft`]; [`Failure::Unreadable`] and [`Failure::UnreadableNarinfo`]
/// where it is not known what is referred to; the reason why the run stops. Nothing is
/// removed then.
pub fn prune(
    node: &dyn Node,
    request: &PruneRequest,
    observer: &dyn Observer,
) -> Result<PruneSummary, Failure> {
    let publisher = Publisher::open_existing(node, &request.key, &request.publishing)?;
    let mut publisher = publisher.ok_or_else(|| no_key(node, &request.key))?;
    let mut base = adopt_root(&mut publisher, None)?;
    let before = base.root;
    let tree = Tree::new(node, before);
    let _shown = observer.waiting("reading the mirror");
    let (committed, outcome) = prune_beside(&publisher, &mut base, &tree, &request.terms)?;
    if base.root != before {
        announce(&publisher, &base.root, observer);
    }
    Ok(PruneSummary {
        change: NameChange::new(&publisher.view.key, before, base.root, committed),
        outcome,
    })
}

/// The same within a run that has the right to write. The choice is made again if
/// another writer was quicker.
pub fn prune_beside(
    publisher: &Publisher,
    base: &mut Base,
    tree: &Tree,
    terms: &PruneTerms,
) -> Result<(Committed, PruneOutcome), Failure> {
    let node = publisher.node();
    let mut outcome = PruneOutcome::default();
    let mut terms = *terms;
    let given = terms.rule;
    let work = |tree: &Tree, stage: &Stage, files: &mut LedgerFiles| {
        recover_encoding(tree, files);
        terms.rule = given.beside_page(page_growth(tree, files)?);
        let choice = Choice::new(tree, files, &terms)?;
        let (kept, root) = choice.carry_out(stage)?;
        let earlier = std::mem::take(&mut outcome);
        outcome = choice.outcome(&kept, root.map(|root| root.size))?;
        if root.is_none() && earlier.pruned > 0 {
            // Another writer continued from what an earlier try has pruned.
            outcome = PruneOutcome {
                kept: outcome.kept,
                kept_bytes: outcome.kept_bytes,
                ..earlier
            };
        }
        if root.is_some() {
            choice.forget_builds(files, &kept)?;
        }
        if root.is_some() || terms.is_scheduled {
            let known = Retention::read(node, files)?;
            let pruned = Some(terms.now.into());
            Retention { pruned, ..known }.write(node, files)?;
        }
        Ok::<_, Failure>(root)
    };
    let committed = publish_with_rebase(publisher, base, tree, Engine::Car, work)?;
    match outcome.pruned {
        0 => Ok((committed, outcome)),
        _ => Ok((Committed::Published, outcome)),
    }
}

/// Bytes by which the page may grow when the root changes.
fn page_growth(tree: &Tree, files: &LedgerFiles) -> Result<u64, Failure> {
    if !PageState::is_kept(files) {
        return Ok(0);
    }
    let page = tree.find(&[PAGE_NAME])?;
    Ok(MOST_PAGE_BYTES.saturating_sub(page.map_or(0, |page| page.size)))
}

/// The result that [`prune`] would have. Changes nothing.
///
/// # Errors
/// As [`prune`].
pub fn preview_prune(
    node: &dyn Node,
    request: &PruneRequest,
    observer: &dyn Observer,
) -> Result<PruneSummary, Failure> {
    let view = view_of(node, &request.key)?;
    let state = read_name_state(&view)?;
    state.refuse_moved(&view.key.id)?;
    let root = choose_base(&view, &state, None)?;
    let tree = Tree::new(node, root);
    let files = state.ledger(node, &root)?;
    let _shown = observer.waiting("reading the mirror");
    let rule = request.terms.rule.beside_page(page_growth(&tree, &files)?);
    let choice = Choice::new(&tree, &files, &request.terms)?;
    let kept = choice.kept(&rule)?;
    Ok(PruneSummary {
        change: NameChange::new(&view.key, root, root, Committed::Unchanged),
        outcome: choice.outcome(&kept, None)?,
    })
}
