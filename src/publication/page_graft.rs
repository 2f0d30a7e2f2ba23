//! The graft of the page for people into a root.

use super::error::PublicationError;
use super::graft::{Engine, NewFile, graft, remove};
use super::ledger::LedgerFiles;
use super::page::{PageMaker, PageUse};
use super::stage::Stage;
use super::tree::{PAGE_NAME, Tree};
use crate::ipfs::directory::Entry;
use crate::node::Key;

/// The root of `tree`, which is on the node, with the page as it is to be; new blocks go
/// to `stage`.
pub(super) fn graft_page(
    (maker, page): (&dyn PageMaker, PageUse),
    key: &Key,
    tree: &Tree,
    stage: &Stage,
    ledger: &mut LedgerFiles,
) -> Result<Entry, PublicationError> {
    let path = vec![PAGE_NAME.to_owned()];
    if page == PageUse::Ended {
        return remove(tree, stage, &[path]);
    }
    let content = maker.write(key, tree, ledger)?;
    let entry = stage.content(PAGE_NAME, &content)?;
    graft(Engine::Car, tree, stage, &[NewFile { path, entry }])
}
