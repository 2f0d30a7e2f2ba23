//! Names in the store: `/gnu/store/HASH-NAME`.

use std::fmt;
use std::str::FromStr;

use super::base32;

/// The store that every substitute belongs to.
pub const STORE_DIR: &str = "/gnu/store";

/// Bytes of the longest name after the hash (`nix/libstore/store-api.cc`).
const MAX_NAME_BYTES: usize = 211;

/// The 32 nix-base32 characters by which a store item is asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashPart([u8; HashPart::LEN]);

impl HashPart {
    /// Characters, all ASCII: 20 bytes in nix-base32.
    pub const LEN: usize = base32::encoded_len(20);

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
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

/// An item of the store, directly below [`STORE_DIR`].
///
/// Parses from and displays as the full path; ordered by hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorePath {
    hash: HashPart,
    name: String,
}

impl StorePath {
    /// Parses `HASH-NAME`, as `References:` of a narinfo holds it.
    ///
    /// # Errors
    ///
    /// When the hash is not 32 nix-base32 characters or the name is none that
    /// the store accepts.
    pub fn from_basename(basename: &str) -> Result<Self, StorePathError> {
        let (hash, name) = basename
            .split_once('-')
            .ok_or_else(|| StorePathError::NoName(basename.to_owned()))?;
        let hash = hash.parse()?;
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(StorePathError::NameLength {
                path: basename.to_owned(),
                got: name.len(),
            });
        }
        if name.starts_with('.') {
            return Err(StorePathError::LeadingDot(basename.to_owned()));
        }
        if let Some(character) = name.chars().find(|&c| !is_name_character(c)) {
            return Err(StorePathError::NameCharacter {
                path: basename.to_owned(),
                character,
            });
        }
        Ok(Self {
            hash,
            name: name.to_owned(),
        })
    }

    /// The hash, by which its narinfo is found.
    #[must_use]
    pub fn hash(&self) -> HashPart {
        self.hash
    }

    /// What follows the hash and its dash, such as `hello-2.12.1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `HASH-NAME`, without the store's directory.
    #[must_use]
    pub fn basename(&self) -> String {
        format!("{}-{}", self.hash, self.name)
    }

    /// Whether this is a build recipe (`.drv`) and not what one built.
    #[must_use]
    pub fn is_derivation(&self) -> bool {
        self.name.ends_with(".drv")
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

/// Why a text is no store path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StorePathError {
    /// The path does not begin with the store's directory.
    #[error("{0:?} is not in {STORE_DIR}")]
    NotInStore(String),
    /// There is no dash between a hash and a name.
    #[error("{0:?} has no name: expected HASH-NAME")]
    NoName(String),
    /// The hash has another length or other characters.
    #[error("{0:?} is no store hash: expected 32 characters out of 0-9 and a-z without e, o, t, u")]
    Hash(String),
    /// The name is empty or too long.
    #[error("the name in {path:?} has {got} bytes: expected 1 to {MAX_NAME_BYTES}")]
    NameLength {
        /// The text as given.
        path: String,
        /// Bytes of its name.
        got: usize,
    },
    /// A name that begins with a dot.
    #[error("the name in {0:?} begins with a dot")]
    LeadingDot(String),
    /// A character that the store does not accept.
    #[error(
        "the name in {path:?} contains {character:?}: only A-Z a-z 0-9 + - . _ ? = are allowed"
    )]
    NameCharacter {
        /// The text as given.
        path: String,
        /// The first such character.
        character: char,
    },
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
        assert!(!path.is_derivation());
        assert!(StorePath::from_basename(&format!("{HASH}-a.drv"))?.is_derivation());
        Ok(())
    }

    #[test]
    fn what_is_no_store_path_is_refused_for_its_reason() {
        let parse = |text: &str| text.parse::<StorePath>();
        let name = |name: &str| StorePath::from_basename(&format!("{HASH}-{name}"));
        assert!(matches!(
            parse("/nix/store/x"),
            Err(StorePathError::NotInStore(_))
        ));
        assert!(matches!(
            parse(&format!("/gnu/storeroom/{HASH}-a")),
            Err(StorePathError::NotInStore(_))
        ));
        assert!(matches!(
            parse(&format!("/gnu/store/{HASH}")),
            Err(StorePathError::NoName(_))
        ));
        assert!(matches!(
            StorePath::from_basename("eeee-a"),
            Err(StorePathError::Hash(_))
        ));
        assert!(matches!(
            name(""),
            Err(StorePathError::NameLength { got: 0, .. })
        ));
        assert!(matches!(
            name(&"x".repeat(212)),
            Err(StorePathError::NameLength { got: 212, .. })
        ));
        assert!(name(&"x".repeat(211)).is_ok());
        assert!(matches!(name(".x"), Err(StorePathError::LeadingDot(_))));
        assert!(matches!(
            name("a/b"),
            Err(StorePathError::NameCharacter { character: '/', .. })
        ));
    }

    #[test]
    fn a_hash_part_is_32_characters_of_nix_base32() {
        assert_eq!(
            HASH.parse::<HashPart>().map(|h| h.to_string()),
            Ok(HASH.to_owned())
        );
        for bad in [
            "",
            "vd8dhrxfry0ccfs98jyrfq9mxfpbc8w",
            "vd8dhrxfry0ccfs98jyrfq9mxfpbc8wu",
        ] {
            assert!(bad.parse::<HashPart>().is_err());
        }
    }
}
