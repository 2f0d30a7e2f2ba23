//! The collection of what nothing pins on the node.

use super::failure::Failure;
use crate::node::Node;
use serde::Serialize;

/// The result of a collection.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CollectionSummary {
    /// The number of blocks that were removed.
    pub blocks: u64,
    /// Bytes of the node's repository before, if the node reports it.
    pub bytes_before: Option<u64>,
    /// The same afterwards.
    pub bytes_after: Option<u64>,
}

impl CollectionSummary {
    /// The bytes that came free, if the node reports it. Another program may have
    /// stored something meanwhile.
    pub fn freed(&self) -> Option<u64> {
        Some(self.bytes_before?.saturating_sub(self.bytes_after?))
    }
}

/// Removes every block of the node that no pin reaches, whoever stored it.
///
/// # Errors
/// The node's own, such as that of a damaged block below a pin: then nothing is removed.
pub fn collect(node: &dyn Node) -> Result<CollectionSummary, Failure> {
    // Nothing depends on these figures.
    let bytes = || node.usage().ok().map(|usage| usage.bytes);
    let bytes_before = bytes();
    let blocks = node
        .collect_garbage()
        .map_err(|error| Failure::from(error).of_own_tree())?;
    Ok(CollectionSummary {
        blocks,
        bytes_before,
        bytes_after: bytes(),
    })
}
