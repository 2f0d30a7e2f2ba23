//! Entries of a directory, and changes to them.

use super::super::blocks::BlockSink;
pub use super::super::dag_pb::Entry;
use super::error::TreeError;
use std::collections::BTreeMap;

/// Changes to a directory: a name gets an entry, or loses it.
pub type Changes = BTreeMap<String, Option<Entry>>;

/// Hands a new block to `sink`, and returns its entry in a parent.
pub(super) fn store<S: BlockSink>(
    (block, entry): (Vec<u8>, Entry),
    sink: &mut S,
) -> Result<Entry, TreeError<S::Error>> {
    sink.put(entry.cid, block).map_err(TreeError::Blocks)?;
    Ok(entry)
}
