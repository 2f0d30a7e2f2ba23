//! Versions of Kubo.

use std::fmt;
use std::str::FromStr;

/// A version of Kubo, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 0 so far.
    pub major: u32,
    /// 44 in 0.44.
    pub minor: u32,
}

/// The oldest Kubo whose answers are known: it has `pin/ls?name=`.
pub const OLDEST: Version = Version {
    major: 0,
    minor: 29,
};

/// The first Kubo that reports a name's record, and so can publish above a higher
/// one.
pub const TELLS_RECORDS: Version = Version {
    major: 0,
    minor: 40,
};

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = ();

    /// Reads the first two numbers; the rest (`.0-dev`) does not matter.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.split('.');
        let mut next = || numbers.next()?.parse().ok();
        match (next(), next()) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_ignore_the_rest() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("0.9.1").unwrap() < version("0.44.0-dev").unwrap());
        assert_eq!(version("0.40.1").unwrap().to_string(), "0.40");
        assert_eq!(version("go-ipfs"), Err(()));
    }
}
