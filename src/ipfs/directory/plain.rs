//! Plain UnixFS directories: one block that holds every entry.

use super::super::cid::{Cid, CidVersion, DAG_PB};
use super::super::dag_pb::{Link, PbNode};
use super::super::unixfs::{Kind, UnixFs};
use super::entry::{Changes, Entry};
use super::error::DirectoryError;
use std::collections::BTreeMap;

/// A directory is sharded exactly when the sum over its entries of name length
/// and CID length, in bytes, exceeds this (boxo `ipld/unixfs/io`, `HAMTShardingSize`).
pub const SHARDING_BYTES: usize = 262_144;

/// A plain directory. Names are ordered by their bytes, as in the block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlainDirectory {
    /// The entries by name.
    pub entries: BTreeMap<String, Entry>,
}

impl PlainDirectory {
    /// Reads a directory's block.
    pub fn decode(block: &[u8]) -> Result<Self, DirectoryError> {
        Self::from_node(PbNode::decode(block)?)
    }

    /// Reads a decoded node as a directory.
    pub fn from_node(node: PbNode) -> Result<Self, DirectoryError> {
        match kind(&node)?.kind {
            Kind::Directory => {}
            Kind::HamtShard => return Err(DirectoryError::Sharded),
            Kind::Symlink => return Err(DirectoryError::NotADirectory("symlink")),
            _ => return Err(DirectoryError::NotADirectory("file")),
        }
        let mut entries = BTreeMap::new();
        for Link { cid, name, size } in node.links {
            if entries.insert(name.clone(), Entry { cid, size }).is_some() {
                return Err(DirectoryError::Duplicate(name));
            }
        }
        Ok(Self { entries })
    }

    /// The directory's block and its entry in a parent.
    pub fn encode(&self, version: CidVersion) -> (Vec<u8>, Entry) {
        let links = self.entries.iter().map(|(name, entry)| Link {
            cid: entry.cid,
            name: name.clone(),
            size: entry.size,
        });
        PbNode::of_unixfs(&UnixFs::new(Kind::Directory), links).seal(version)
    }

    /// Makes `changes`.
    pub fn apply(&mut self, changes: Changes) {
        for (name, entry) in changes {
            match entry {
                Some(entry) => self.entries.insert(name, entry),
                None => self.entries.remove(&name),
            };
        }
    }

    /// Returns true when `ipfs add -r` would write these entries as a sharded directory.
    pub fn must_be_sharded(&self) -> bool {
        self.entries
            .iter()
            .map(|(name, entry)| entry_bytes(name, &entry.cid))
            .sum::<usize>()
            > SHARDING_BYTES
    }
}

/// The part of an entry in the sum that decides about sharding, in bytes.
pub fn entry_bytes(name: &str, cid: &Cid) -> usize {
    name.len() + cid.encoded_len()
}

/// The empty directory, where every tree begins.
pub fn empty(version: CidVersion) -> (Vec<u8>, Entry) {
    PlainDirectory::default().encode(version)
}

/// The node of a block that may be a directory or a part of one.
pub(super) fn dag_pb(cid: &Cid, block: &[u8]) -> Result<PbNode, DirectoryError> {
    match cid.codec() {
        DAG_PB => Ok(PbNode::decode(block)?),
        _ => Err(DirectoryError::Codec),
    }
}

/// The UnixFS message of a node that may be a directory.
pub(super) fn kind(node: &PbNode) -> Result<UnixFs, DirectoryError> {
    match &node.data {
        Some(data) => Ok(UnixFs::decode(data)?),
        None => Err(DirectoryError::NotADirectory("node without data")),
    }
}
