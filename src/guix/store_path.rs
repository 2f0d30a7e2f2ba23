//! Names in the store: `/gnu/store/HASH-NAME`.

use super::base32;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The store that every substitute belongs to.
const STORE_DIR: &str = "/gnu/store";

/// Bytes of the longest name that follows a hash (`nix/libstore/store-api.cc`).
const MAX_NAME_BYTES: usize = 211;

/// The hash of a store item, by which it is asked for: 32 nix-base32 characters.
///
/// In JSON it is a string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct HashPart([u8; HashPart::LEN]);

impl HashPart {
    /// The number of its characters, all ASCII: 20 bytes in nix-base32.
    pub const LEN: usize = base32::encoded_len(20);

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The 20 bytes that the characters stand for.
    #[must_use]
    pub fn bytes(&self) -> [u8; 20] {
        // All are digits, and 32 of them leave no bit over.
        base32::decode(self.as_str()).unwrap_or_default()
    }
}

impl From<HashPart> for String {
    fn from(hash: HashPart) -> Self {
        hash.as_str().to_owned()
    }
}

impl TryFrom<String> for HashPart {
    type Error = StorePathError;

    fn try_from(text: String) -> Result<Self, StorePathError> {
        text.parse()
    }
}

impl FromStr for HashPart {
    type Err = StorePathError;

    fn from_str(text: &str) -> Result<Self, StorePathError> {
        let bad = || StorePathError::Hash(text.to_owned());
        if !text.chars().all(base32::is_digit) {
            return Err(bad());
        }
        text.as_bytes().try_into().map(Self).map_err(|_| bad())
    }
}

impl fmt::Display for HashPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HashPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashPart({self})")
    }
}

/// An item of the store, directly below `/gnu/store`.
///
/// Parses from and displays as the full path; ordered by hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath {
    hash: HashPart,
    name: String,
}

impl StorePath {
    /// Parses `HASH-NAME`, the form in the `References:` of a narinfo.
    ///
    /// # Errors
    /// The hash is not 32 nix-base32 characters, or the store does not accept the name.
    pub fn from_basename(basename: &str) -> Result<Self, StorePathError> {
        let (hash, name) = basename
            .split_once('-')
            .ok_or_else(|| StorePathError::NoName(basename.to_owned()))?;
        let hash = hash.parse()?;
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(StorePathError::NameLength(basename.to_owned(), name.len()));
        }
        if name.starts_with('.') {
            return Err(StorePathError::LeadingDot(basename.to_owned()));
        }
        if let Some(character) = name.chars().find(|&c| !is_name_character(c)) {
            return Err(StorePathError::NameCharacter(
                basename.to_owned(),
                character,
            ));
        }
        Ok(Self {
            hash,
            name: name.to_owned(),
        })
    }

    /// The hash, by which the item's narinfo is named.
    #[must_use]
    pub fn hash(&self) -> HashPart {
        self.hash
    }

    /// The name after the hash and its dash, such as `hello-2.12.1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `HASH-NAME`, without the store's directory.
    #[must_use]
    pub fn basename(&self) -> String {
        format!("{}-{}", self.hash, self.name)
    }
}

impl FromStr for StorePath {
    type Err = StorePathError;

    fn from_str(path: &str) -> Result<Self, StorePathError> {
        path.strip_prefix(STORE_DIR)
            .and_then(|rest| rest.strip_prefix('/'))
            .ok_or_else(|| StorePathError::NotInStore(path.to_owned()))
            .and_then(Self::from_basename)
    }
}

impl fmt::Display for StorePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{STORE_DIR}/{}-{}", self.hash, self.name)
    }
}

/// The error of a text that is not a store path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorePathError {
    /// The path does not begin with the store's directory.
    #[error("{0:?} is not in {STORE_DIR}")]
    NotInStore(String),
    /// A text without a dash between a hash and a name.
    #[error("{0:?} has no name: expected HASH-NAME")]
    NoName(String),
    /// The hash has another length or other characters.
    #[error(
        "{0:?} is not a store hash: expected 32 characters out of 0-9 and a-z without e, o, t, u"
    )]
    Hash(String),
    /// The name is empty or too long.
    #[error("the name in {0:?} has {1} bytes: expected 1 to {MAX_NAME_BYTES}")]
    NameLength(String, usize),
    /// A name that begins with a dot.
    #[error("the name in {0:?} begins with a dot")]
    LeadingDot(String),
    /// A character that the store does not accept.
    #[error("the name in {0:?} contains {1:?}: only A-Z a-z 0-9 + - . _ ? = are allowed")]
    NameCharacter(String, char),
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+-._?=".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "vd8dhrxfry0ccfs98jyrfq9mxfpbc8w5";

    #[test]
    fn a_full_path_and_its_basename_are_the_same_item() -> Result<(), StorePathError> {
        let full = format!("/gnu/store/{HASH}-gtk+-3.24.30");
        let path: StorePath = full.parse()?;
        assert_eq!(path.hash(), HASH.parse()?);
        assert_eq!(path.name(), "gtk+-3.24.30");
        assert_eq!(path.to_string(), full);
        assert_eq!(StorePath::from_basename(&path.basename())?, path);
        Ok(())
    }

    #[test]
    fn anything_but_a_store_path_is_refused_for_its_reason() {
        let long = "x".repeat(212);
        for (path, reason) in [
            ("/nix/store/x", "is not in /gnu/store"),
            ("/gnu/storeroom/HASH-a", "is not in /gnu/store"),
            ("/gnu/store/HASH", "has no name"),
            ("/gnu/store/eeee-a", "is not a store hash"),
            ("/gnu/store/HASH-", "has 0 bytes"),
            ("/gnu/store/HASH-LONG", "has 212 bytes"),
            ("/gnu/store/HASH-.x", "begins with a dot"),
            ("/gnu/store/HASH-a/b", "contains '/'"),
        ] {
            let path = path.replace("HASH", HASH).replace("LONG", &long);
            let error = path.parse::<StorePath>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(StorePath::from_basename(&format!("{HASH}-{}", &long[1..])).is_ok());
    }

    #[test]
    fn a_hash_part_is_32_characters_of_nix_base32() {
        let hash = HASH.parse::<HashPart>().map(|hash| hash.to_string());
        assert_eq!(hash, Ok(HASH.to_owned()));
        for bad in [
            "",
            "vd8dhrxfry0ccfs98jyrfq9mxfpbc8w",
            "vd8dhrxfry0ccfs98jyrfq9mxfpbc8wu",
        ] {
            assert!(bad.parse::<HashPart>().is_err());
        }
    }
}
