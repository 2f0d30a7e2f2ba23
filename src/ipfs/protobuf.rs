//! As much of protobuf as dag-pb and UnixFS use: varints and byte fields.
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

use thiserror::Error;

/// The reason why bytes are not a protobuf message.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProtobufError {
    /// The message ends inside a field.
    #[error("the message ends inside a field")]
    Truncated,
    /// A number takes more than 64 bits.
    #[error("a number takes more than 64 bits")]
    Overflow,
    /// A field has a wire type that neither format uses.
    #[error("field {field} has the unexpected wire type {wire_type}")]
    WireType {
        /// The field's number.
        field: u64,
        /// Its wire type, 0 to 7.
        wire_type: u8,
    },
}

/// A field's value.
#[derive(Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
}

/// The fields of a message, in the order they stand.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), ProtobufError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>), ProtobufError> {
        let key = read_varint(&mut self.0)?;
        let field = key >> 3;
        match (key & 7) as u8 {
            0 => Ok((field, Value::Varint(read_varint(&mut self.0)?))),
            2 => {
                let length = read_varint(&mut self.0)?;
                let (bytes, rest) = usize::try_from(length)
                    .ok()
                    .and_then(|length| self.0.split_at_checked(length))
                    .ok_or(ProtobufError::Truncated)?;
                self.0 = rest;
                Ok((field, Value::Bytes(bytes)))
            }
            wire_type => Err(ProtobufError::WireType { field, wire_type }),
        }
    }
}

/// Takes a varint off the front of `bytes`.
pub fn read_varint(bytes: &mut &[u8]) -> Result<u64, ProtobufError> {
    let mut value = 0u64;
    for shift in (0..).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(ProtobufError::Truncated)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift > 63 || (bits << shift) >> shift != bits {
            return Err(ProtobufError::Overflow);
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(value)
}

/// Appends a varint.
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a field of wire type 0.
pub fn write_number(out: &mut Vec<u8>, field: u64, value: u64) {
    write_varint(out, field << 3);
    write_varint(out, value);
}

/// Appends a field of wire type 2.
pub fn write_bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    write_length(out, field, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends the part of a field of wire type 2 that stands before its bytes.
pub fn write_length(out: &mut Vec<u8>, field: u64, length: u64) {
    write_varint(out, field << 3 | 2);
    write_varint(out, length);
}
