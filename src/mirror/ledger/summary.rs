//! The ledger as a person asks for it.

use super::encoding::kept_encoding;
use super::owed::OwedItem;
use super::removed::RemovedItem;
use super::retention::Retention;
use super::state::Ledger;
use crate::mirror::encoding::Encoding;
use crate::mirror::failure::Failure;
use crate::node::Node;
use crate::publication::{PublicationView, Tree, choose_base, read_name_state};
use serde::Serialize;

/// The items that are owed, and those that a person removed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LedgerSummary {
    /// The owed items, in the order of their hashes.
    pub owed: Vec<OwedItem>,
    /// The removed items, in the order of their hashes.
    pub removed: Vec<RemovedItem>,
    /// The encoding of the nars.
    pub encoding: Encoding,
    /// The rule of retention that `sync` obeys.
    pub retention: Retention,
    /// The bytes of all its files.
    pub ledger_bytes: u64,
}

/// Reads the ledger of a name; `None` where the node has no key of it.
///
/// # Errors
/// The node cannot be asked, or the ledger is not whole on it.
pub fn ledger_summary(node: &dyn Node, name: &str) -> Result<Option<LedgerSummary>, Failure> {
    let Some(view) = PublicationView::of_name(node, name)? else {
        return Ok(None);
    };
    let state = read_name_state(&view)?;
    // A name that points elsewhere has no ledger of this program's.
    let Ok(root) = choose_base(&view, &state, None) else {
        return Ok(None);
    };
    let mut files = state.ledger(node, &root)?;
    let ledger = Ledger::read(node, &mut files)?;
    let encoding = kept_encoding(&Tree::new(node, root), &mut files)?;
    Ok(Some(LedgerSummary {
        owed: ledger.owed.into_values().collect(),
        removed: ledger.removed.into_values().collect(),
        encoding,
        retention: ledger.retention,
        ledger_bytes: files.bytes(),
    }))
}
