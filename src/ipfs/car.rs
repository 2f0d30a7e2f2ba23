//! CARv1, a file of blocks: many blocks are sent to a node in one call.
//! Source: <https://ipld.io/specs/transport/car/carv1/>.

use super::cid::Cid;
use super::protobuf::write_varint;

/// The header of a CAR with these roots (dag-cbor: `{roots: [CID…], version: 1}`).
pub fn header(roots: &[Cid]) -> Vec<u8> {
    let mut cbor = vec![0xa2];
    cbor_head(&mut cbor, TEXT, 5);
    cbor.extend_from_slice(b"roots");
    cbor_head(&mut cbor, ARRAY, roots.len() as u64);
    for root in roots {
        // Tag 42 marks a CID, whose bytes follow a zero byte.
        cbor.extend_from_slice(&[0xd8, 0x2a]);
        let bytes = root.to_bytes();
        cbor_head(&mut cbor, BYTES, bytes.len() as u64 + 1);
        cbor.push(0);
        cbor.extend_from_slice(&bytes);
    }
    cbor_head(&mut cbor, TEXT, 7);
    cbor.extend_from_slice(b"version");
    cbor.push(1);

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

const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;

/// A CBOR item's head: its major type and length.
fn cbor_head(out: &mut Vec<u8>, major: u8, length: u64) {
    match length {
        0..24 => out.push(major << 5 | length as u8),
        24..0x100 => out.extend_from_slice(&[major << 5 | 24, length as u8]),
        _ => {
            out.push(major << 5 | 26);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}
