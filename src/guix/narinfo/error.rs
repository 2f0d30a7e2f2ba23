//! The ways in which bytes are not a usable narinfo.

use super::super::base32::Base32Error;
use super::super::nar::path::NarPathError;
use super::super::store_path::StorePathError;

/// Bytes of the largest narinfo accepted; real ones have a few KiB.
pub const MAX_NARINFO_BYTES: usize = 1 << 20;

/// Variants of one item; there are six compressions.
pub(super) const MAX_VARIANTS: usize = 16;

/// The error of [`Narinfo::parse`](super::Narinfo::parse).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarinfoError {
    /// More bytes than [`MAX_NARINFO_BYTES`].
    #[error("the narinfo has {0} bytes, more than {MAX_NARINFO_BYTES}")]
    TooLarge(usize),
    /// The bytes are not text.
    #[error("the narinfo is not UTF-8")]
    NotUtf8,
    /// Clients hash the lines as they are, so carriage returns break the signature.
    #[error("the narinfo has carriage returns (CRLF line ends), which break its signature")]
    CarriageReturn,
    /// A line, counted from 1, without a colon.
    #[error("line {0} of the narinfo is not \"Field: value\"")]
    Line(usize),
    /// A mandatory field that is absent.
    #[error("the narinfo has no {0}")]
    Missing(&'static str),
    /// A second line of a field that stands once.
    #[error("the narinfo repeats {0}")]
    Repeated(&'static str),
    /// A field that describes a URL, before any URL.
    #[error("the narinfo has a {0} that does not follow a URL")]
    FollowsNoUrl(&'static str),
    /// Many more URLs than there are compressions; each would be fetched.
    #[error("the narinfo lists more than {MAX_VARIANTS} URLs")]
    TooManyVariants,
    /// A URL without a compression.
    #[error("the narinfo does not say how {0:?} is compressed")]
    NoCompression(String),
    /// A `StorePath` or `References` that is malformed.
    #[error("the narinfo's {0} is malformed: {1}")]
    StorePath(&'static str, #[source] StorePathError),
    /// A hash by another function than SHA-256.
    #[error("the narinfo's NarHash {0:?} is not a sha256, and only that can be checked")]
    HashFunction(String),
    /// A hash of another length or with other characters.
    #[error("the narinfo's NarHash is malformed: {0}")]
    Hash(#[source] Base32Error),
    /// A `NarSize` or `FileSize` that is not a decimal number of bytes below 2^64.
    #[error("the narinfo's {0} {1:?} is not a number of bytes")]
    Size(&'static str, String),
    /// A nar's URL that cannot be mirrored.
    #[error(transparent)]
    Path(#[from] NarPathError),
}
