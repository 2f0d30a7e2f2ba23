//! dag-pb, the codec of IPFS's file trees: a node with links and data.
//! Source: <https://ipld.io/specs/codecs/dag-pb/spec/>.

use super::cid::{Cid, CidVersion, DAG_PB, cid_of};
use super::protobuf::{Fields, ProtobufError, Value, read_varint, write_bytes, write_number};
use super::unixfs::UnixFs;
use thiserror::Error;

/// The most bytes before the data in a block without links: the field's key and the
/// length of the data.
pub const MAX_HEAD_BYTES: usize = 11;

/// The root of a file or directory, as a link to it states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The root of the file or directory.
    pub cid: Cid,
    /// Cumulative size in bytes.
    pub size: u64,
}

/// A link to another block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The target.
    pub cid: Cid,
    /// The entry's name in a directory; empty between a file's blocks.
    pub name: String,
    /// Cumulative size in bytes: the target's block and all blocks below it,
    /// counted once for each link. As stated by the node that made the link.
    pub size: u64,
}

/// A dag-pb node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PbNode {
    /// In the order they stand in the block.
    pub links: Vec<Link>,
    /// A UnixFS message, for all that this program reads.
    pub data: Option<Vec<u8>>,
}

/// The reason why a block is not a dag-pb node.
#[derive(Clone, Debug, Error)]
pub enum DagPbError {
    /// The block is not a protobuf message.
    #[error("not a dag-pb node: {0}")]
    Protobuf(#[from] ProtobufError),
    /// A field occurs twice, or does not belong to a node or a link.
    #[error("not a dag-pb node: unexpected field {0}")]
    Field(u64),
    /// A link has no valid CID.
    #[error("not a dag-pb node: link {0} has no valid CID")]
    Cid(usize),
    /// A link's name is not UTF-8.
    #[error("not a dag-pb node: the name of link {0} is not UTF-8")]
    Name(usize),
}

impl PbNode {
    /// A node with this message and these links.
    pub fn of_unixfs(message: &UnixFs, links: impl IntoIterator<Item = Link>) -> Self {
        Self {
            links: links.into_iter().collect(),
            data: Some(message.encode()),
        }
    }

    /// The block, and its entry in a parent.
    pub fn seal(&self, version: CidVersion) -> (Vec<u8>, Entry) {
        let block = self.encode();
        let entry = Entry {
            cid: cid_of(version, DAG_PB, &block),
            size: self.cumulative_size(block.len()),
        };
        (block, entry)
    }

    /// Reads a block. Links may stand before or after the data, as the spec allows.
    pub fn decode(block: &[u8]) -> Result<Self, DagPbError> {
        let mut node = Self::default();
        for field in Fields(block) {
            match field? {
                (1, Value::Bytes(data)) if node.data.is_none() => node.data = Some(data.to_vec()),
                (2, Value::Bytes(link)) => {
                    let link = Link::decode(link, node.links.len())?;
                    node.links.push(link);
                }
                (field, _) => return Err(DagPbError::Field(field)),
            }
        }
        Ok(node)
    }

    /// The block, in the one form the spec calls canonical: links, then data.
    /// The links are written in the order they have; a directory sorts its own.
    pub fn encode(&self) -> Vec<u8> {
        let mut block = Vec::new();
        let mut encoded = Vec::new();
        for link in &self.links {
            encoded.clear();
            link.encode(&mut encoded);
            write_bytes(&mut block, 2, &encoded);
        }
        if let Some(data) = &self.data {
            write_bytes(&mut block, 1, data);
        }
        block
    }

    /// The length of the node that `bytes` begin with, where that is in the canonical
    /// form and has data: the data ends it.
    pub fn canonical_length(bytes: &[u8]) -> Option<usize> {
        let mut fields = Fields(bytes);
        loop {
            match fields.next()? {
                Ok((2, Value::Bytes(_))) => {}
                Ok((1, Value::Bytes(_))) => return Some(bytes.len() - fields.0.len()),
                _ => return None,
            }
        }
    }

    /// Returns true for the beginning of a block of `size` bytes that is all data, such as
    /// a leaf under CIDv0: it has no links. The beginning is
    /// [`MAX_HEAD_BYTES`] long.
    pub fn is_all_data(beginning: &[u8], size: u64) -> bool {
        const KEY_OF_DATA: u64 = 1 << 3 | 2;
        let mut rest = beginning;
        match (read_varint(&mut rest), read_varint(&mut rest)) {
            (Ok(KEY_OF_DATA), Ok(length)) => {
                let head = (beginning.len() - rest.len()) as u64;
                length.checked_add(head) == Some(size)
            }
            _ => false,
        }
    }

    /// The cumulative size in bytes of a node whose block is `block_bytes` long.
    pub fn cumulative_size(&self, block_bytes: usize) -> u64 {
        self.links.iter().fold(block_bytes as u64, |sum, link| {
            sum.saturating_add(link.size)
        })
    }
}

impl Link {
    fn decode(bytes: &[u8], index: usize) -> Result<Self, DagPbError> {
        let (mut cid, mut name, mut size) = (None, None, None);
        for field in Fields(bytes) {
            match field? {
                (1, Value::Bytes(bytes)) if cid.is_none() => {
                    cid = Some(Cid::try_from(bytes).map_err(|_| DagPbError::Cid(index))?);
                }
                (2, Value::Bytes(bytes)) if name.is_none() => {
                    let text = str::from_utf8(bytes).map_err(|_| DagPbError::Name(index))?;
                    name = Some(text.to_owned());
                }
                (3, Value::Varint(bytes)) if size.is_none() => size = Some(bytes),
                (field, _) => return Err(DagPbError::Field(field)),
            }
        }
        Ok(Self {
            cid: cid.ok_or(DagPbError::Cid(index))?,
            name: name.unwrap_or_default(),
            size: size.unwrap_or_default(),
        })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        write_bytes(out, 1, &self.cid.to_bytes());
        write_bytes(out, 2, self.name.as_bytes());
        write_number(out, 3, self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canonical_block_shows_where_it_ends() {
        let link = Link {
            cid: cid_of(CidVersion::V0, DAG_PB, b""),
            name: "a name".to_owned(),
            size: 300,
        };
        for (links, data) in [(0, ""), (0, "data"), (1, "data"), (40, "")] {
            let node = PbNode {
                links: vec![link.clone(); links],
                data: Some(data.as_bytes().to_vec()),
            };
            let block = node.encode();
            for after in [b"".as_slice(), b"\x12\x00", b"\x0a\x01x", b"\xff"] {
                let bytes = [&block, after].concat();
                assert_eq!(PbNode::canonical_length(&bytes), Some(block.len()));
            }
            assert_eq!(PbNode::canonical_length(&block[..block.len() - 1]), None);
        }
        let without_data = PbNode {
            links: vec![link],
            data: None,
        };
        assert_eq!(PbNode::canonical_length(&without_data.encode()), None);
        assert_eq!(PbNode::canonical_length(b"text"), None);
    }

    #[test]
    fn a_block_is_all_data_where_its_data_fills_it() {
        let leaf = |length: usize| PbNode {
            links: Vec::new(),
            data: Some(vec![b'x'; length]),
        };
        for length in [0, 1, 127, 128, 300_000] {
            let block = leaf(length).encode();
            let (begin, size) = (
                &block[..block.len().min(MAX_HEAD_BYTES)],
                block.len() as u64,
            );
            assert!(PbNode::is_all_data(begin, size), "{length}");
            // Links may stand after the data, and a file may be cut.
            assert!(!PbNode::is_all_data(begin, size + 1), "{length}");
            assert!(!PbNode::is_all_data(begin, size - 1), "{length}");
        }
        for other in [
            &b""[..],
            b"\x12\x00",
            b"\x0a",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert!(!PbNode::is_all_data(other, other.len() as u64), "{other:?}");
        }
    }
}
