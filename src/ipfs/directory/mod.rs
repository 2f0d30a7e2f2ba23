//! UnixFS directories, plain or sharded: look up, patch, list, each touching
//! only the blocks on the way.
//!
//! A directory is a pure function of its entries: whatever the order and
//! grouping of changes, removals included, the result has the bytes that
//! `ipfs add -r` gives for the same entries.

mod hamt;
mod plain;
mod shard;
#[cfg(test)]
mod tests;

pub use plain::{Directory, SHARDING_BYTES, empty, entry_bytes};
pub use shard::{Child, Shard};

use super::cid::{Cid, CidVersion, DAG_PB};
use super::dag_pb::{DagPbError, Node};
use super::unixfs::{Kind, UnixFs, UnixFsError};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use thiserror::Error;

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The root of the file or directory.
    pub cid: Cid,
    /// Cumulative size in bytes.
    pub size: u64,
}

/// Changes to a directory: a name gets an entry, or loses it.
pub type Changes = BTreeMap<String, Option<Entry>>;

/// Where blocks come from.
pub trait Blocks {
    /// Why a block cannot be had.
    type Error;

    /// The block named `cid`, already checked against it.
    fn get(&self, cid: &Cid) -> Result<Vec<u8>, Self::Error>;
}

/// Why a block is no directory, or part of one.
#[derive(Clone, Debug, Error)]
pub enum DirectoryError {
    /// The CID's codec is not dag-pb, so it is a leaf of a file or a foreign thing.
    #[error("its codec is not dag-pb, so it is no directory")]
    Codec,
    /// The block is no dag-pb node.
    #[error(transparent)]
    DagPb(#[from] DagPbError),
    /// The node's data is no UnixFS message.
    #[error(transparent)]
    UnixFs(#[from] UnixFsError),
    /// A file, a symlink, or a node without data.
    #[error("it is a {0}, not a directory")]
    NotADirectory(&'static str),
    /// A sharded directory, where only a plain one will do.
    #[error("it is a sharded (HAMT) directory, not a plain one")]
    Sharded,
    /// Two entries of one name.
    #[error("it has two entries named {0:?}")]
    Duplicate(String),
    /// A shard that hashes names with another function than murmur3-x64-64.
    #[error("its shards use the hash function {0:#x}, not murmur3-x64-64 (0x22)")]
    HashFunction(u64),
    /// A shard with another number of slots than 256.
    #[error("its shards have {0} slots, not 256")]
    Fanout(u64),
    /// A shard's links and its bitfield do not agree.
    #[error("a shard's bitfield does not agree with its links")]
    Bitfield,
    /// A link in a shard whose name does not begin with a slot, or is out of order.
    #[error("a shard has the malformed link {0:?}")]
    Link(String),
    /// An entry stands in a slot that the hash of its name does not lead to.
    #[error("the entry {0:?} stands in a shard where its name's hash does not lead")]
    Misplaced(String),
    /// More levels of shards than a hash has bytes: a cycle, or a forgery.
    #[error("its shards are nested too deeply")]
    TooDeep,
    /// Two names with the same 64-bit hash, which no shard can hold apart.
    #[error("the names {0:?} and another have the same hash, so no shard can hold both")]
    Collision(String),
}

/// Why a directory cannot be read or patched.
#[derive(Debug, Error)]
pub enum TreeError<E> {
    /// A block cannot be had or stored.
    #[error("{0}")]
    Blocks(E),
    /// A block is not what it should be.
    #[error("{path}: {reason}")]
    Malformed {
        /// The block, as `/ipfs/CID`.
        path: String,
        /// What is wrong with it.
        reason: DirectoryError,
    },
}

/// A directory's first block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Top {
    /// All of it.
    Plain(Directory),
    /// The root shard.
    Sharded(Shard),
}

impl Top {
    /// Reads a directory's first block.
    pub fn decode(cid: &Cid, block: &[u8]) -> Result<Self, DirectoryError> {
        if cid.codec() != DAG_PB {
            return Err(DirectoryError::Codec);
        }
        let node = Node::decode(block)?;
        match kind(&node)?.kind {
            Kind::HamtShard => Shard::from_node(node).map(Self::Sharded),
            _ => Directory::from_node(node).map(Self::Plain),
        }
    }

    /// Reads the first block of the directory `cid`.
    pub fn read<B: Blocks>(blocks: &B, cid: &Cid) -> Result<Self, TreeError<B::Error>> {
        let block = blocks.get(cid).map_err(TreeError::Blocks)?;
        Self::decode(cid, &block).map_err(|reason| malformed(cid, reason))
    }

    /// What stands under `name` in the directory that begins so.
    pub fn lookup<B: Blocks>(
        &self,
        blocks: &B,
        name: &str,
    ) -> Result<Option<Entry>, TreeError<B::Error>> {
        match self {
            Self::Plain(plain) => Ok(plain.entries.get(name).copied()),
            Self::Sharded(shard) => hamt::lookup(blocks, shard, name),
        }
    }
}

/// What stands under `name`, found by one path through the shards.
pub fn lookup<B: Blocks>(
    blocks: &B,
    directory: &Cid,
    name: &str,
) -> Result<Option<Entry>, TreeError<B::Error>> {
    Top::read(blocks, directory)?.lookup(blocks, name)
}

/// Calls `visit` with every entry until it breaks. In the order of the names
/// where the directory is plain, of their hashes where it is sharded.
pub fn for_each<B: Blocks, T>(
    blocks: &B,
    directory: &Cid,
    visit: &mut impl FnMut(&str, &Entry) -> ControlFlow<T>,
) -> Result<ControlFlow<T>, TreeError<B::Error>> {
    match Top::read(blocks, directory)? {
        Top::Plain(plain) => {
            for (name, entry) in &plain.entries {
                if let stop @ ControlFlow::Break(_) = visit(name, entry) {
                    return Ok(stop);
                }
            }
            Ok(ControlFlow::Continue(()))
        }
        Top::Sharded(shard) => hamt::for_each(blocks, directory, &shard, visit),
    }
}

/// The directory with `changes` made to it; `None` is the empty directory. New
/// blocks go to `put`, children before parents.
pub fn patch<B: Blocks>(
    blocks: &B,
    directory: Option<&Cid>,
    changes: Changes,
    version: CidVersion,
    put: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), B::Error>,
) -> Result<Entry, TreeError<B::Error>> {
    let top = match directory {
        Some(cid) => Top::read(blocks, cid)?,
        None => Top::Plain(Directory::default()),
    };
    let plain = match top {
        Top::Plain(mut plain) => {
            plain.apply(changes);
            plain
        }
        // Only less can become plain again.
        Top::Sharded(shard) if changes.values().any(Option::is_none) => {
            match shrink(blocks, version, shard, &changes, put)? {
                Shrunk::Plain(plain) => plain,
                Shrunk::Sharded(entry) => return Ok(entry),
            }
        }
        Top::Sharded(shard) => {
            let shard = hamt::patch(blocks, version, shard, &changes, put)?;
            return hamt::finish(version, &shard, put).map_err(TreeError::Blocks);
        }
    };
    if plain.must_be_sharded() {
        let changes = plain
            .entries
            .into_iter()
            .map(|(name, entry)| (name, Some(entry)))
            .collect();
        let shard = hamt::patch(blocks, version, Shard::default(), &changes, put)?;
        return hamt::finish(version, &shard, put).map_err(TreeError::Blocks);
    }
    let (block, entry) = plain.encode(version);
    put(entry.cid, block).map_err(TreeError::Blocks)?;
    Ok(entry)
}

enum Shrunk {
    Plain(Directory),
    Sharded(Entry),
}

/// Patches a sharded directory that may become plain. Its new shards are held
/// back until that is known, because finding out reads them.
fn shrink<B: Blocks>(
    blocks: &B,
    version: CidVersion,
    shard: Shard,
    changes: &Changes,
    put: &mut impl FnMut(Cid, Vec<u8>) -> Result<(), B::Error>,
) -> Result<Shrunk, TreeError<B::Error>> {
    let mut new = Vec::new();
    let patched = hamt::patch(blocks, version, shard, changes, &mut |cid, block| {
        new.push((cid, block));
        Ok(())
    })?;
    let overlay = Overlay {
        new: new
            .iter()
            .map(|(cid, block)| (*cid, block.as_slice()))
            .collect(),
        blocks,
    };
    if let Some(plain) = hamt::small(&overlay, &patched)? {
        return Ok(Shrunk::Plain(plain));
    }
    for (cid, block) in new {
        put(cid, block).map_err(TreeError::Blocks)?;
    }
    let entry = hamt::finish(version, &patched, put).map_err(TreeError::Blocks)?;
    Ok(Shrunk::Sharded(entry))
}

/// Blocks that were just made, before those that were there.
struct Overlay<'a, B> {
    new: HashMap<Cid, &'a [u8]>,
    blocks: &'a B,
}

impl<B: Blocks> Blocks for Overlay<'_, B> {
    type Error = B::Error;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, B::Error> {
        match self.new.get(cid) {
            Some(block) => Ok(block.to_vec()),
            None => self.blocks.get(cid),
        }
    }
}

fn kind(node: &Node) -> Result<UnixFs, DirectoryError> {
    match &node.data {
        Some(data) => Ok(UnixFs::decode(data)?),
        None => Err(DirectoryError::NotADirectory("node without data")),
    }
}

fn malformed<E>(cid: &Cid, reason: DirectoryError) -> TreeError<E> {
    TreeError::Malformed {
        path: format!("/ipfs/{cid}"),
        reason,
    }
}
