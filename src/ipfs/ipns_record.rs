//! Signed IPNS records, as gateways and the network hand them on: who has a name's public
//! key, which the name itself holds, need not trust the sender. Source:
//! <https://specs.ipfs.tech/ipns/ipns-record/>.

use super::cid::IDENTITY;
use super::ipns::key_hash;
use super::protobuf::{Fields, ProtobufError, Value};
use ed25519_dalek::{Signature, VerifyingKey};
use std::time::SystemTime;
use thiserror::Error;

/// The longest record, in bytes.
pub const MAX_RECORD_BYTES: u64 = 10 << 10;

/// The text before the data that is signed.
const SIGNED_PREFIX: &[u8] = b"ipns-signature:";

/// The head of an Ed25519 public key's message: its type, and the length 32.
const PUBLIC_HEAD: [u8; 4] = [0x08, 0x01, 0x12, 0x20];

/// Levels of lists and maps in the data that are read.
const MOST_LEVELS: usize = 8;

/// A record whose signature was checked by the key in its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRecord {
    /// `/ipfs/CID`, or another path.
    pub value: String,
    /// The record with the highest number is the one that counts.
    pub sequence: u64,
    /// The end of its validity.
    pub end: SystemTime,
}

/// The reason why a record is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RecordError {
    /// The bytes are not a protobuf message.
    #[error("it is not an IPNS record: {0}")]
    Protobuf(#[from] ProtobufError),
    /// It lacks the data that is signed, or the signature of it.
    #[error("it has no signature of the second version")]
    Unsigned,
    /// Its data cannot be read.
    #[error("its signed data cannot be read")]
    Data,
    /// The name does not hold its key, or one of another kind than Ed25519.
    #[error("the name does not hold an Ed25519 key to check its signature with")]
    NoKey,
    /// The signature is not one of the name's key.
    #[error("its signature was not made with the name's key")]
    Forged,
}

impl SignedRecord {
    /// Reads the record of a name, and checks its signature. Its end may have passed.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, RecordError> {
        let (mut signature, mut data) = (None, None);
        for field in Fields(bytes) {
            match field? {
                (8, Value::Bytes(bytes)) => signature = Some(bytes),
                (9, Value::Bytes(bytes)) => data = Some(bytes),
                _ => {}
            }
        }
        let (Some(signature), Some(data)) = (signature, data) else {
            return Err(RecordError::Unsigned);
        };
        let key = public_key(name).ok_or(RecordError::NoKey)?;
        let signature = Signature::from_slice(signature).map_err(|_| RecordError::Forged)?;
        let signed = [SIGNED_PREFIX, data].concat();
        key.verify_strict(&signed, &signature)
            .map_err(|_| RecordError::Forged)?;
        Self::of_data(data).ok_or(RecordError::Data)
    }

    fn of_data(mut data: &[u8]) -> Option<Self> {
        let Cbor::Map(entries) = Cbor::read(&mut data, 0)? else {
            return None;
        };
        let find = |name: &str| {
            let mut entries = entries.iter();
            entries.find(|(key, _)| *key == name).map(|(_, it)| it)
        };
        let text = |name: &str| match find(name)? {
            Cbor::Bytes(bytes) => str::from_utf8(bytes).ok(),
            _ => None,
        };
        let number = |name: &str| match find(name)? {
            Cbor::Number(number) => Some(*number),
            _ => None,
        };
        // 0 is the only type of validity: until a time.
        (number("ValidityType")? == 0).then_some(())?;
        Some(Self {
            value: text("Value")?.to_owned(),
            sequence: number("Sequence")?,
            end: humantime::parse_rfc3339(text("Validity")?).ok()?,
        })
    }
}

/// The Ed25519 key that a name holds.
fn public_key(name: &str) -> Option<VerifyingKey> {
    let hash = key_hash(name)?;
    (hash.code() == IDENTITY).then_some(())?;
    let key = hash.digest().strip_prefix(&PUBLIC_HEAD)?;
    VerifyingKey::from_bytes(key.try_into().ok()?).ok()
}

/// A value of CBOR (RFC 8949), as much of it as a record may hold.
enum Cbor<'b> {
    Number(u64),
    Bytes(&'b [u8]),
    Map(Vec<(&'b str, Cbor<'b>)>),
    /// Anything else, which is skipped.
    Other,
}

impl<'b> Cbor<'b> {
    /// Takes a value off the front of `bytes`. Lengths are definite, as DAG-CBOR writes
    /// them.
    fn read(bytes: &mut &'b [u8], level: usize) -> Option<Self> {
        (level < MOST_LEVELS).then_some(())?;
        let (kind, number) = head(bytes)?;
        Some(match kind {
            0 => Self::Number(number),
            2 => Self::Bytes(take(bytes, number)?),
            3 => take(bytes, number).map(|_| Self::Other)?,
            4 => {
                for _ in 0..number {
                    Self::read(bytes, level + 1)?;
                }
                Self::Other
            }
            5 => {
                let mut entries = Vec::new();
                for _ in 0..number {
                    let (3, length) = head(bytes)? else {
                        return None;
                    };
                    let key = str::from_utf8(take(bytes, length)?).ok()?;
                    entries.push((key, Self::read(bytes, level + 1)?));
                }
                Self::Map(entries)
            }
            6 => Self::read(bytes, level + 1).map(|_| Self::Other)?,
            _ => Self::Other,
        })
    }
}

/// The kind of the next value, 0 to 7, and its number or length.
fn head(bytes: &mut &[u8]) -> Option<(u8, u64)> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    let number = match first & 0x1f {
        small @ 0..=23 => u64::from(small),
        size @ 24..=27 => {
            let number = take(bytes, 1 << (size - 24))?.iter();
            number.fold(0, |number, byte| number << 8 | u64::from(*byte))
        }
        _ => return None,
    };
    Some((first >> 5, number))
}

fn take<'b>(bytes: &mut &'b [u8], length: u64) -> Option<&'b [u8]> {
    let (taken, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::timestamp::Timestamp;
    use data_encoding::HEXLOWER;

    /// A record of Kubo 0.42, as its gateway hands it out, and its name.
    const NAME: &str = "k51qzi5uqu5dhy7ucxj5nunpzibjokxvbl1ukxqrow2ehtomuyhvxzby918feq";
    const RECORD: &str = "0a342f697066732f516d554e4c4c73504143437a31764c7851566b5871714c5835523158333435717166486273663637687641334e6e1240db3032700945392e3d0b2ab954686ae5898897072bbdae8ee34c3a4fae147435b660e77a9d55dfd6dbf6ef06379b7792d89c5a01181e5af6f877f07a4e2b2d061800221e323032362d31312d32395431393a34373a35372e3633303531383338365a28003080f092cbdd0842409efe6133b3bf6968076a50daab0a4fb7b40f64a332b73c365810f0ec17d931331fb1493835adec28bed24569e7738e1fa9900f5b1943804c15a8a2a67393270c4a8b01a56354544c1b00000045d964b8006556616c756558342f697066732f516d554e4c4c73504143437a31764c7851566b5871714c5835523158333435717166486273663637687641334e6e6853657175656e6365006856616c6964697479581e323032362d31312d32395431393a34373a35372e3633303531383338365a6c56616c69646974795479706500";

    #[test]
    fn a_record_of_kubo_is_read_and_believed() {
        let record =
            SignedRecord::read(NAME, &HEXLOWER.decode(RECORD.as_bytes()).unwrap()).unwrap();
        let empty = "/ipfs/QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
        assert_eq!((record.value.as_str(), record.sequence), (empty, 0));
        let end = Timestamp::from(record.end).to_string();
        assert_eq!(end, "2026-11-29T19:47:57Z");
    }

    #[test]
    fn nothing_else_is() {
        let record = HEXLOWER.decode(RECORD.as_bytes()).unwrap();
        // What the older signature covers does not count.
        let signed = record.len() - 200;
        let mut believed = 0;
        for at in 0..record.len() {
            let mut other = record.clone();
            other[at] ^= 1;
            let read = SignedRecord::read(NAME, &other);
            assert!(at < signed || read.is_err(), "byte {at}: {read:?}");
            believed += usize::from(read.is_ok());
            let _ = SignedRecord::read(NAME, &record[..at]);
        }
        assert!(believed < signed);
        let other = "k51qzi5uqu5djauh987ss8f7yx36e1d335wx3qc5h3j1zxmafdw9v8749r18st";
        assert_eq!(SignedRecord::read(other, &record), Err(RecordError::Forged));
        let domain = SignedRecord::read("guix.example", &record);
        assert_eq!(domain, Err(RecordError::NoKey));
        assert_eq!(SignedRecord::read(NAME, b""), Err(RecordError::Unsigned));
    }

    #[test]
    fn data_that_is_nested_or_cut_ends() {
        for data in [&[0x81; 100][..], &[0xbb; 20], &[0x5b, 0xff], &[0xa1, 0x61]] {
            assert_eq!(SignedRecord::of_data(data), None);
        }
    }
}
