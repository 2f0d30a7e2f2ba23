//! Nix's base 32, the spelling of store hashes and NarHashes.
//!
//! Its digits leave out `e`, `o`, `t` and `u`, and the least significant five bits
//! stand last (`guix/base32.scm`, `nix/libutil/hash.cc`).

const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// Writes `bytes` as nix-base32: `encoded_len(bytes.len())` digits.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    (0..encoded_len(bytes.len()))
        .rev()
        .map(|position| {
            let (byte, shift) = (position * 5 / 8, position * 5 % 8);
            let low = u16::from(bytes.get(byte).copied().unwrap_or(0));
            let high = u16::from(bytes.get(byte + 1).copied().unwrap_or(0));
            let digit = ((high << 8 | low) >> shift) & 0x1f;
            char::from(ALPHABET[usize::from(digit)])
        })
        .collect()
}

/// Reads exactly `N` bytes from their nix-base32 digits.
///
/// # Errors
/// The length is not that of `N` bytes, a character is not a digit, or bits beyond the
/// last byte are set: each value has one spelling only.
pub fn decode<const N: usize>(text: &str) -> Result<[u8; N], Base32Error> {
    if text.len() != encoded_len(N) {
        return Err(Base32Error::Length {
            expected: encoded_len(N),
            got: text.len(),
        });
    }
    let mut bytes = [0; N];
    for (position, character) in text.chars().rev().enumerate() {
        let digit = digit(character).ok_or(Base32Error::Character(character))?;
        let (byte, shift) = (position * 5 / 8, position * 5 % 8);
        let [low, high] = (u16::from(digit) << shift).to_le_bytes();
        if let Some(target) = bytes.get_mut(byte) {
            *target |= low;
        }
        match bytes.get_mut(byte + 1) {
            Some(target) => *target |= high,
            None if high != 0 => return Err(Base32Error::Padding),
            None => {}
        }
    }
    Ok(bytes)
}

/// The number of digits for `bytes` bytes: 32 for a store hash (20 bytes), 52 for a
/// SHA-256 (32 bytes).
#[must_use]
pub const fn encoded_len(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// Returns true for the 32 digits.
pub(super) fn is_digit(character: char) -> bool {
    digit(character).is_some()
}

/// The error of a text that is not nix-base32 of the bytes expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Base32Error {
    /// The text is too long or too short.
    #[error("expected {expected} characters of nix-base32, got {got}")]
    Length {
        /// Digits of the bytes expected.
        expected: usize,
        /// Bytes of the text.
        got: usize,
    },
    /// A character outside the alphabet.
    #[error("{0:?} is not a nix-base32 character (the digits, and a-z without e, o, t, u)")]
    Character(char),
    /// The first digit has bits for which there is no byte.
    #[error("the first nix-base32 character sets bits beyond the last byte")]
    Padding,
}

/// The value of each ASCII character that is a digit: lists hold millions of hashes.
const VALUES: [Option<u8>; 128] = {
    let mut values = [None; 128];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = Some(value as u8);
        value += 1;
    }
    values
};

fn digit(character: char) -> Option<u8> {
    *VALUES.get(character as usize)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn the_sha256_of_nothing_is_spelt_as_nix_spells_it() {
        let hash: [u8; 32] = Sha256::digest(b"").into();
        let text = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
        assert_eq!(encode(&hash), text);
        assert_eq!(decode(text), Ok(hash));
    }

    #[test]
    fn a_wrong_length_a_wrong_character_and_stray_bits_are_refused() {
        let (expected, got) = (32, 3);
        let length = Base32Error::Length { expected, got };
        assert_eq!(decode::<20>("abc"), Err(length));
        assert_eq!(decode::<1>("0e"), Err(Base32Error::Character('e')));
        assert_eq!(decode::<1>("zz"), Err(Base32Error::Padding));
        assert_eq!(decode::<1>("7z"), Ok([0xff]));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_again(bytes: [u8; 32], short: [u8; 20]) {
            prop_assert_eq!(decode::<32>(&encode(&bytes)), Ok(bytes));
            prop_assert_eq!(decode::<20>(&encode(&short)), Ok(short));
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = decode::<3>(&text);
        }
    }
}
