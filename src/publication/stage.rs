//! New files, on the node but in no directory yet.

use crate::ipfs::cid::CidVersion;
use crate::ipfs::file::Added;
use crate::node::{Node, NodeError};
use std::io::Read;

/// Adds one file straight from `content`; the node chunks and hashes it.
///
/// # Errors
/// [`crate::node::Problem::Source`] with `content`'s own error when it refuses
/// to end cleanly: a nar whose hash is wrong never becomes a file.
pub fn stage(node: &Node, version: CidVersion, content: &mut dyn Read) -> Result<Added, NodeError> {
    node.add(version, content)
}
