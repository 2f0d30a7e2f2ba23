//! CARv1, a file of blocks: many blocks are sent to a node in one call.
//! Source: <https://ipld.io/specs/transport/car/carv1/>.

use super::cid::Cid;
use super::protobuf::write_varint;

/// The header of a CAR with this root (dag-cbor: `{roots: [CID], version: 1}`), whose CID
/// has 23 to 254 bytes, as one with a sha2-256 has.
pub fn header(root: &Cid) -> Vec<u8> {
    // Tag 42 marks a CID, whose bytes follow a zero byte.
    let mut cbor = b"\xa2\x65roots\x81\xd8\x2a".to_vec();
    cbor.extend_from_slice(&[0x58, root.encoded_len() as u8 + 1, 0]);
    cbor.extend_from_slice(&root.to_bytes());
    cbor.extend_from_slice(b"\x67version\x01");

    let mut out = Vec::with_capacity(cbor.len() + 2);
    write_varint(&mut out, cbor.len() as u64);
    out.extend_from_slice(&cbor);
    out
}

/// The bytes that stand before a block of so many bytes.
pub fn section_head(cid: &Cid, block_bytes: usize) -> Vec<u8> {
    let mut head = Vec::new();
    write_varint(&mut head, (cid.encoded_len() + block_bytes) as u64);
    head.extend_from_slice(&cid.to_bytes());
    head
}
