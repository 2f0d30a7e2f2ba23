//! One more entry in a plain directory.

use super::super::error::{Problem, Refusal};
use super::blocks::BlockStore;
use super::lock::Writing;
use super::problem::refused;
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, CidVersion, DAG_PB};
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::directory::{DirectoryNode, Entry};

/// Stores `directory` with `target` under `name`, and returns its CID, of the same
/// version.
///
/// # Errors
/// [`Refusal::NotPlain`] when `directory` is sharded or not a directory.
pub fn add_link(
    _: &Writing,
    blocks: &BlockStore,
    directory: &Cid,
    name: &str,
    target: &Cid,
) -> Result<Cid, Problem> {
    if name.is_empty() || name.contains('/') {
        let message = format!("{name:?} cannot be the name of a link");
        return Err(refused(Refusal::Other, message));
    }
    let not_plain = |reason: &str| {
        let message = format!("/ipfs/{directory} is not a plain directory: {reason}");
        refused(Refusal::NotPlain, message)
    };
    let block = blocks.get(directory)?;
    let mut plain = match DirectoryNode::decode(directory, &block) {
        Ok(DirectoryNode::Plain(plain)) => plain,
        Ok(DirectoryNode::Sharded(_)) => return Err(not_plain("it is sharded")),
        Err(error) => return Err(not_plain(&error.to_string())),
    };
    let entry = Entry {
        cid: *target,
        size: cumulative_size(blocks, target)?,
    };
    plain.entries.insert(name.to_owned(), entry);
    let (block, Entry { cid, .. }) = plain.encode(CidVersion::of(directory));
    blocks.put(&cid, &block)?;
    Ok(cid)
}

/// The size of all below a CID, in bytes, as its block states it.
pub fn cumulative_size(blocks: &BlockStore, cid: &Cid) -> Result<u64, Problem> {
    let block = blocks.get(cid)?;
    if cid.codec() != DAG_PB {
        return Ok(block.len() as u64);
    }
    match PbNode::decode(&block) {
        Ok(node) => Ok(node.cumulative_size(block.len())),
        Err(error) => Err(refused(Refusal::Other, format!("/ipfs/{cid}: {error}"))),
    }
}
