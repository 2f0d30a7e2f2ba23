//! A narinfo in its parsed form, with its bytes.

use super::super::compression::Compression;
use super::super::nar::path::NarPath;
use super::super::store_path::{HashPart, StorePath};
use super::error::NarinfoError;

/// A parsed narinfo.
///
/// Trust depends on the place of a line: the signature covers every byte before the
/// first `Signature:` and nothing after it. In today's order that is the store
/// path, the hash, the size, the references and the deriver, but not the variants.
/// Parsing does not check the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narinfo {
    /// The item. Covered by the signature; to be compared with the hash that was
    /// asked for ([`Narinfo::matches`]) before anything else is used.
    pub store_path: StorePath,
    /// SHA-256 of the decompressed nar. Covered by the signature.
    pub nar_hash: [u8; 32],
    /// Bytes of the decompressed nar. Covered by the signature.
    pub nar_size: u64,
    /// Items that this one needs at run time, itself perhaps among them. Covered by
    /// the signature.
    pub references: Vec<StorePath>,
    /// The first signature, `1;HOST;BASE64`, unchecked.
    pub signature: Option<String>,
    /// The compressed forms of the nar, at least one. Unsigned in today's order: a
    /// hint until the stream has been checked against `nar_hash` and `nar_size`.
    pub variants: Vec<Variant>,
    pub(super) bytes: Vec<u8>,
}

/// One compressed form of the nar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Percent-encoded, relative to the cache's base; as written.
    pub url: String,
    /// The compression of the file.
    pub compression: Compression,
    /// Bytes of the compressed file, if the server states them.
    pub file_size: Option<u64>,
}

impl Narinfo {
    /// The bytes that were parsed, to be published as they are.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signed bytes: those before the first `Signature:`, as clients cut them
    /// (`guix/narinfo.scm`). `None` if that is absent or not at the beginning of a
    /// line.
    #[must_use]
    pub fn signed(&self) -> Option<&[u8]> {
        let field = b"Signature:";
        let at = self.bytes.windows(field.len()).position(|w| w == field)?;
        let signed = &self.bytes[..at];
        matches!(signed.last(), None | Some(b'\n')).then_some(signed)
    }

    /// Returns true if this narinfo is about the item asked for. A server can answer
    /// with another one, which is validly signed all the same.
    #[must_use]
    pub fn matches(&self, asked: &HashPart) -> bool {
        self.store_path.hash() == *asked
    }
}

impl Variant {
    /// The path of the file in a mirror.
    ///
    /// # Errors
    /// The URL is not the relative path of a nar; see [`NarPath`].
    pub fn path(&self) -> Result<NarPath, NarinfoError> {
        Ok(NarPath::parse(&self.url)?)
    }
}

/// Returns true for the line of a narinfo that begins with `field` and a colon.
pub(in super::super) fn is_line_of(line: &[u8], field: &str) -> bool {
    let rest = line.strip_prefix(field.as_bytes());
    rest.is_some_and(|rest| rest.starts_with(b":"))
}
