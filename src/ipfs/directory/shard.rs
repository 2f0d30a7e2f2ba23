//! One block of a sharded directory: a HAMT node with 256 slots.
//! Source: <https://specs.ipfs.tech/unixfs/#dag-pb-hamtdirectory>, boxo `ipld/unixfs/hamt`.

use super::super::cid::{Cid, CidVersion};
use super::super::dag_pb::{Link, PbNode};
use super::super::unixfs::{Kind, UnixFs};
use super::entry::Entry;
use super::error::{DirectoryError, TreeError, malformed};
use super::plain::{dag_pb, kind};
use std::collections::BTreeMap;

/// Slots of a shard; a byte of the name's hash leads to one.
const FANOUT: u64 = 256;
/// Bytes of the bitfield that says which slots are taken.
const BITFIELD_BYTES: usize = 32;
/// The multicodec of murmur3-x64-64.
const MURMUR3: u64 = 0x22;

/// A shard. Equal shards have equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shard {
    /// The contents of the slots that are taken.
    pub children: BTreeMap<u8, Child>,
}

/// The content of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Child {
    /// The one entry whose hash leads here.
    Entry(String, Entry),
    /// A shard for the next byte of the hash.
    Shard(Entry),
}

impl Shard {
    /// Reads the block of a shard that a tree refers to.
    pub(super) fn decode<E>(cid: &Cid, block: &[u8]) -> Result<Self, TreeError<E>> {
        let read = dag_pb(cid, block).and_then(Self::from_node);
        read.map_err(|reason| malformed(cid, reason))
    }

    /// Reads a decoded node as a shard.
    pub fn from_node(node: PbNode) -> Result<Self, DirectoryError> {
        let message = kind(&node)?;
        let other = match message.kind {
            Kind::HamtShard => None,
            Kind::Directory => Some("plain directory in a shard's place"),
            _ => Some("shard's child of another kind"),
        };
        if let Some(other) = other {
            return Err(DirectoryError::NotADirectory(other));
        }
        match message.hash_type.unwrap_or_default() {
            MURMUR3 => {}
            other => return Err(DirectoryError::HashFunction(other)),
        }
        match message.fanout.unwrap_or_default() {
            FANOUT => {}
            other => return Err(DirectoryError::Fanout(other)),
        }
        let mut children = BTreeMap::new();
        for Link { cid, name, size } in node.links {
            let Some((slot, rest)) = split(&name) else {
                return Err(DirectoryError::Link(name));
            };
            let entry = Entry { cid, size };
            let child = match rest {
                "" => Child::Shard(entry),
                rest => Child::Entry(rest.to_owned(), entry),
            };
            let last: Option<&u8> = children.keys().next_back();
            if last.is_some_and(|last| *last >= slot) {
                return Err(DirectoryError::Link(name));
            }
            children.insert(slot, child);
        }
        let shard = Self { children };
        let field = message.data.unwrap_or_default();
        match strip_zeros(&field) == strip_zeros(&shard.bitfield()) && field.len() <= BITFIELD_BYTES
        {
            true => Ok(shard),
            false => Err(DirectoryError::Bitfield),
        }
    }

    /// The shard's block and its link in a parent.
    pub fn encode(&self, version: CidVersion) -> (Vec<u8>, Entry) {
        let mut message = UnixFs::new(Kind::HamtShard);
        message.data = Some(strip_zeros(&self.bitfield()).to_vec());
        message.hash_type = Some(MURMUR3);
        message.fanout = Some(FANOUT);
        let links = self.children.iter().map(|(slot, child)| {
            let (name, entry) = match child {
                Child::Entry(name, entry) => (name.as_str(), entry),
                Child::Shard(entry) => ("", entry),
            };
            Link {
                cid: entry.cid,
                name: format!("{slot:02X}{name}"),
                size: entry.size,
            }
        });
        PbNode::of_unixfs(&message, links).seal(version)
    }

    /// A bit for each slot, the lowest slot last.
    fn bitfield(&self) -> [u8; BITFIELD_BYTES] {
        let mut field = [0; BITFIELD_BYTES];
        for slot in self.children.keys() {
            let slot = usize::from(*slot);
            field[BITFIELD_BYTES - 1 - slot / 8] |= 1 << (slot % 8);
        }
        field
    }
}

/// The hash that decides the place of a name: one byte a level.
pub fn name_hash(name: &str) -> [u8; 8] {
    // Reading from memory does not fail.
    let hash = murmur3::murmur3_x64_128(&mut name.as_bytes(), 0).unwrap_or_default();
    (hash as u64).to_be_bytes()
}

/// A link's slot, two upper-case hexadecimal digits, and the rest of its name.
fn split(link: &str) -> Option<(u8, &str)> {
    let (digits, rest) = link.split_at_checked(2)?;
    let is_canonical = digits
        .bytes()
        .all(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
    let slot = u8::from_str_radix(digits, 16).ok()?;
    is_canonical.then_some((slot, rest))
}

fn strip_zeros(field: &[u8]) -> &[u8] {
    let zeros = field.iter().take_while(|byte| **byte == 0).count();
    &field[zeros..]
}
