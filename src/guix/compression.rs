//! The compression of a nar, by its name in a narinfo.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

/// The compression of a nar. Any name parses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// `gzip`, RFC 1952.
    Gzip,
    /// `lzip`, `draft-diaz-lzip`.
    Lzip,
    /// `zstd`, RFC 8878.
    Zstd,
    /// `none`: the nar itself.
    None,
    /// Any other name, as written (`xz`, `bzip2`): a nar that cannot be checked here.
    Other(String),
}

impl Compression {
    /// The name in narinfos.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Gzip => "gzip",
            Self::Lzip => "lzip",
            Self::Zstd => "zstd",
            Self::None => "none",
            Self::Other(name) => name,
        }
    }
}

impl FromStr for Compression {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(match name {
            "gzip" => Self::Gzip,
            "lzip" => Self::Lzip,
            "zstd" => Self::Zstd,
            "none" => Self::None,
            other => Self::Other(other.to_owned()),
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_kept_as_it_was_written() {
        for name in ["gzip", "lzip", "zstd", "none", "xz", "GZIP", ""] {
            let Ok(compression) = name.parse::<Compression>();
            assert_eq!(compression.to_string(), name);
        }
        assert_eq!("xz".parse(), Ok(Compression::Other("xz".to_owned())));
    }
}
