//! The reasons why a root is not held.

use thiserror::Error;

/// Bytes of files that a root may hold besides narinfos and nars.
pub(super) const MOST_OTHERS: u64 = 16 << 20;

/// A reason why a root is not held.
#[derive(Clone, Debug, Error)]
pub enum Objection {
    /// Something else than a directory of substitutes.
    #[error("it is not a mirror: it has no nix-cache-info and no narinfo")]
    NoMirror,
    /// A directory or `nix-cache-info` is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// A new narinfo cannot be taken, and perhaps others.
    #[error("{name}: {reason}{}", more(*.others))]
    Narinfo {
        /// Its name.
        name: String,
        /// The reason.
        reason: String,
        /// The number of others that cannot be taken either.
        others: u64,
        /// A key that is not trusted, or none at all, is the reason.
        is_unsigned: bool,
    },
    /// A file has other blocks than its directory says.
    #[error("{path}: {reason}")]
    File {
        /// Its path in the root.
        path: String,
        /// The reason.
        reason: String,
    },
    /// The whole is larger than allowed.
    #[error("it has {bytes} bytes, more than --max-size allows ({most})")]
    TooLarge {
        /// Bytes of the whole.
        bytes: u64,
        /// The limit.
        most: u64,
    },
    /// Files that are no part of a mirror.
    #[error(
        "it has {bytes} bytes of files that are neither narinfos nor their nars, such as \
         {example}; at most {MOST_OTHERS} are allowed"
    )]
    Others {
        /// One of them.
        example: String,
        /// Bytes of all.
        bytes: u64,
    },
    /// More than half of the items are gone.
    #[error("{gone} of {items} items are gone from it")]
    Loss {
        /// Items that are not there any more.
        gone: u64,
        /// Items of the root that is held.
        items: u64,
    },
}

impl Objection {
    /// The next step for the person.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Narinfo {
                is_unsigned: true, ..
            } => {
                "give the publisher's signing key with --trusted-keys FILE, or accept unsigned \
                 narinfos with --unsigned"
            }
            Self::TooLarge { .. } => "raise --max-size",
            Self::Loss { .. } => "if that is intended, run `guix-ipfs follow --accept-loss` once",
            Self::NoMirror => "check that the name is the one that its publisher gave",
            _ => "only its publisher can repair it: report it to them",
        }
    }
}

/// The number of others, if there are any.
fn more(count: u64) -> String {
    match count {
        0 => String::new(),
        count => format!(" (and {count} other new narinfos)"),
    }
}
