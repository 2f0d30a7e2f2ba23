//! UnixFS, the message in a dag-pb node's data that makes it a file or a directory.
//! Source: <https://specs.ipfs.tech/unixfs/>.

use super::protobuf::{Fields, ProtobufError, Value, read_varint, write_bytes, write_number};
use thiserror::Error;

/// The kinds of nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A leaf of a file, as older versions wrote it.
    #[default]
    Raw,
    /// A plain directory: one block with all entries.
    Directory,
    /// A file, or a part of one.
    File,
    /// Never written by anything known.
    Metadata,
    /// A symbolic link.
    Symlink,
    /// A shard of a large directory.
    HamtShard,
}

/// A UnixFS message. Fields that do not belong to the kind are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnixFs {
    /// The kind of the node.
    pub kind: Kind,
    /// A leaf's content, a symlink's target, or a shard's bitfield.
    pub data: Option<Vec<u8>>,
    /// A file's size in bytes: this node's data and all below.
    pub filesize: Option<u64>,
    /// The file bytes below each link, in the links' order.
    pub blocksizes: Vec<u64>,
    /// The multicodec of a shard's hash function.
    pub hash_type: Option<u64>,
    /// The number of slots of a shard.
    pub fanout: Option<u64>,
}

/// The reason why data is not a UnixFS message.
#[derive(Clone, Debug, Error)]
pub enum UnixFsError {
    /// The data is not a protobuf message.
    #[error("not a UnixFS node: {0}")]
    Protobuf(#[from] ProtobufError),
    /// The kind is missing or unknown.
    #[error("not a UnixFS node: its type is missing or unknown")]
    Kind,
}

impl UnixFs {
    /// An empty message of this kind.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            ..Self::default()
        }
    }

    /// Reads a message. Modes, times and fields to come are skipped.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnixFsError> {
        let mut kind = None;
        let mut message = Self::default();
        for field in Fields(bytes) {
            match field? {
                (1, Value::Varint(number)) => kind = Some(Kind::from_number(number)?),
                (2, Value::Bytes(data)) => message.data = Some(data.to_vec()),
                (3, Value::Varint(size)) => message.filesize = Some(size),
                (4, Value::Varint(size)) => message.blocksizes.push(size),
                // Some writers pack repeated numbers into one field.
                (4, Value::Bytes(mut packed)) => {
                    while !packed.is_empty() {
                        message.blocksizes.push(read_varint(&mut packed)?);
                    }
                }
                (5, Value::Varint(code)) => message.hash_type = Some(code),
                (6, Value::Varint(fanout)) => message.fanout = Some(fanout),
                _ => {}
            }
        }
        message.kind = kind.ok_or(UnixFsError::Kind)?;
        Ok(message)
    }

    /// The message, with its fields in the order of their numbers.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_number(&mut out, 1, self.kind as u64);
        if let Some(data) = &self.data {
            write_bytes(&mut out, 2, data);
        }
        if let Some(size) = self.filesize {
            write_number(&mut out, 3, size);
        }
        for size in &self.blocksizes {
            write_number(&mut out, 4, *size);
        }
        if let Some(code) = self.hash_type {
            write_number(&mut out, 5, code);
        }
        if let Some(fanout) = self.fanout {
            write_number(&mut out, 6, fanout);
        }
        out
    }
}

impl Kind {
    fn from_number(number: u64) -> Result<Self, UnixFsError> {
        Ok(match number {
            0 => Self::Raw,
            1 => Self::Directory,
            2 => Self::File,
            3 => Self::Metadata,
            4 => Self::Symlink,
            5 => Self::HamtShard,
            _ => return Err(UnixFsError::Kind),
        })
    }
}
