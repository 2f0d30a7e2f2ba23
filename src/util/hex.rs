//! Bytes in hexadecimal.

use std::fmt::Write;

/// Returns two lower-case digits for each byte.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Reads pairs of digits in either case; `None` for anything else.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn bytes_come_back_and_other_text_does_not() {
        assert_eq!(encode(&[0x00, 0xaf]), "00af");
        assert_eq!(decode("00AF").as_deref(), Some(&[0x00, 0xaf][..]));
        for bad in ["0", "0x", "+1", "é0"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
