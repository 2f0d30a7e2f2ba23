//! The ways in which a directory can be other than it should be.

use super::super::cid::Cid;
use super::super::dag_pb::DagPbError;
use super::super::unixfs::UnixFsError;
use thiserror::Error;

/// The reasons why a block is not a directory, or not a part of one.
#[derive(Clone, Debug, Error)]
pub enum DirectoryError {
    /// The CID's codec is not dag-pb, so it is a leaf of a file or a foreign thing.
    #[error("its codec is not dag-pb, so it is not a directory")]
    Codec,
    /// The block is not a dag-pb node.
    #[error(transparent)]
    DagPb(#[from] DagPbError),
    /// The node's data is not a UnixFS message.
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
    #[error("the entry {0:?} is in another shard than its name's hash leads to")]
    Misplaced(String),
    /// More levels of shards than a hash has bytes: a cycle, or a forgery.
    #[error("its shards are nested too deeply")]
    TooDeep,
    /// Two names with the same 64-bit hash, which no shard can hold apart.
    #[error("the names {0:?} and another have the same hash, so no shard can hold both")]
    Collision(String),
}

/// The reasons why a directory cannot be read or patched.
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
        /// The fault.
        reason: DirectoryError,
    },
}

/// The error of a block that is not what it should be.
pub(super) fn malformed<E>(cid: &Cid, reason: DirectoryError) -> TreeError<E> {
    TreeError::Malformed {
        path: format!("/ipfs/{cid}"),
        reason,
    }
}
