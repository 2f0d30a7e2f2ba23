//! CARv1, a file of blocks: how many blocks go to a node in one call.
//! Source: <https://ipld.io/specs/transport/car/carv1/>.

use super::cid::Cid;
use super::protobuf::write_varint;
use std::io::{self, Read};
use thiserror::Error;

/// The longest section that is read, in bytes: a block and its CID. Kubo's own
/// limit for a block on the wire is 2 MiB; directories made by add-link are larger.
pub const MAX_SECTION_BYTES: u64 = 32 << 20;

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

/// Appends a block to a CAR.
pub fn write_block(car: &mut Vec<u8>, cid: &Cid, block: &[u8]) {
    write_varint(car, (cid.encoded_len() + block.len()) as u64);
    car.extend_from_slice(&cid.to_bytes());
    car.extend_from_slice(block);
}

/// Why bytes are no CAR.
#[derive(Debug, Error)]
pub enum CarError {
    /// The stream failed, or ended inside a section (`UnexpectedEof`).
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The header is not that of a CARv1.
    #[error("invalid header: {0}")]
    Header(&'static str),
    /// A section is empty or longer than [`MAX_SECTION_BYTES`].
    #[error("section of {0} bytes")]
    Length(u64),
    /// A section does not begin with a CID.
    #[error("a section has no valid CID")]
    Cid,
}

/// Reads a CAR block by block. Blocks are not hashed here.
pub struct CarReader<R> {
    reader: R,
    /// The roots that the header names.
    pub roots: Vec<Cid>,
}

impl<R: Read> CarReader<R> {
    /// Reads the header.
    pub fn new(mut reader: R) -> Result<Self, CarError> {
        let bytes = read_section(&mut reader)?.ok_or(CarError::Header("empty stream"))?;
        let roots = read_roots(&bytes)?;
        Ok(Self { reader, roots })
    }

    /// The next block, or `None` at the end.
    pub fn next_block(&mut self) -> Result<Option<(Cid, Vec<u8>)>, CarError> {
        let Some(section) = read_section(&mut self.reader)? else {
            return Ok(None);
        };
        let mut rest = section.as_slice();
        let cid = Cid::read_bytes(&mut rest).map_err(|_| CarError::Cid)?;
        let block = rest.to_vec();
        Ok(Some((cid, block)))
    }
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

fn read_section(reader: &mut impl Read) -> Result<Option<Vec<u8>>, CarError> {
    let Some(length) = read_length(reader)? else {
        return Ok(None);
    };
    if length == 0 || length > MAX_SECTION_BYTES {
        return Err(CarError::Length(length));
    }
    let mut section = Vec::new();
    reader.by_ref().take(length).read_to_end(&mut section)?;
    if (section.len() as u64) < length {
        return Err(CarError::Io(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Some(section))
}

/// A varint, or `None` where the stream ends before it.
fn read_length(reader: &mut impl Read) -> Result<Option<u64>, CarError> {
    let mut length = 0u64;
    for shift in (0..35).step_by(7) {
        let mut byte = [0];
        match reader.read_exact(&mut byte) {
            Ok(()) => {}
            Err(error) if shift == 0 && error.kind() == io::ErrorKind::UnexpectedEof => {
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        length |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return Ok(Some(length));
        }
    }
    Err(CarError::Length(length))
}

/// The roots of a header. Only the form that CAR writers give is read: a map of
/// `roots` and `version`, in either order, with definite lengths.
fn read_roots(mut header: &[u8]) -> Result<Vec<Cid>, CarError> {
    let cbor = &mut header;
    if take_head(cbor)? != (5, 2) {
        return Err(CarError::Header("not a map of roots and version"));
    }
    let (mut roots, mut version) = (None, None);
    for _ in 0..2 {
        let key = take_bytes(cbor, TEXT)?;
        match key {
            b"roots" => roots = Some(take_cids(cbor)?),
            b"version" => version = Some(take_head(cbor)?),
            _ => {
                return Err(CarError::Header(
                    "a field that is neither roots nor version",
                ));
            }
        }
    }
    match (roots, version) {
        (Some(roots), Some((0, 1))) => Ok(roots),
        _ => Err(CarError::Header("not version 1")),
    }
}

fn take_cids(cbor: &mut &[u8]) -> Result<Vec<Cid>, CarError> {
    let (major, count) = take_head(cbor)?;
    if major != ARRAY {
        return Err(CarError::Header("roots are no list"));
    }
    let mut cids = Vec::new();
    for _ in 0..count {
        if take_head(cbor)? != (6, 42) {
            return Err(CarError::Header("a root is no CID"));
        }
        let bytes = take_bytes(cbor, BYTES)?;
        let cid = bytes
            .strip_prefix(&[0])
            .and_then(|cid| Cid::try_from(cid).ok());
        cids.push(cid.ok_or(CarError::Header("a root is no CID"))?);
    }
    Ok(cids)
}

fn take_bytes<'a>(cbor: &mut &'a [u8], expected: u8) -> Result<&'a [u8], CarError> {
    let (major, length) = take_head(cbor)?;
    let taken = usize::try_from(length)
        .ok()
        .filter(|_| major == expected)
        .and_then(|length| cbor.split_at_checked(length));
    let (bytes, rest) = taken.ok_or(CarError::Header("malformed"))?;
    *cbor = rest;
    Ok(bytes)
}

fn take_head(cbor: &mut &[u8]) -> Result<(u8, u64), CarError> {
    let malformed = CarError::Header("malformed");
    let (&first, mut rest) = cbor.split_first().ok_or(malformed)?;
    let width = match first & 0x1f {
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        small => {
            *cbor = rest;
            return match small {
                0..24 => Ok((first >> 5, u64::from(small))),
                _ => Err(CarError::Header("indefinite length")),
            };
        }
    };
    let mut value = 0u64;
    for _ in 0..width {
        let (&byte, tail) = rest.split_first().ok_or(CarError::Header("malformed"))?;
        value = value << 8 | u64::from(byte);
        rest = tail;
    }
    *cbor = rest;
    Ok((first >> 5, value))
}
