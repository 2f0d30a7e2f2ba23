//! The narinfo: what a substitute server says about one store item.
//!
//! `Field: value` lines in any order (three orders are in use); unknown fields
//! are ignored. The bytes are kept verbatim, since the signature is over them:
//! what is published is [`Narinfo::bytes`], never a rewriting.

use super::base32::{self, Base32Error};
use super::compression::Compression;
use super::nar_path::{NarPath, NarPathError};
use super::store_path::{HashPart, StorePath, StorePathError};

/// Bytes of the largest narinfo accepted; real ones have a few KiB.
pub const MAX_NARINFO_BYTES: usize = 1 << 20;

/// Variants of one item; there are six compressions.
const MAX_VARIANTS: usize = 16;

/// A parsed narinfo.
///
/// Trust, by the place of a line: the signature covers every byte before the
/// first `Signature:` and nothing after it. In today's order that is the store
/// path, the hash, the size, the references and the deriver, but not the
/// variants. Nothing here checks the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narinfo {
    /// The item. Covered by the signature; compare it with what was asked
    /// for ([`Narinfo::matches`]) before using anything else.
    pub store_path: StorePath,
    /// SHA-256 of the decompressed nar. Covered by the signature.
    pub nar_hash: [u8; 32],
    /// Bytes of the decompressed nar. Covered by the signature.
    pub nar_size: u64,
    /// Items that this one needs at run time, itself perhaps among them.
    /// Covered by the signature.
    pub references: Vec<StorePath>,
    /// Basename of the `.drv` that built the item, where the server knows it.
    /// For display only.
    pub deriver: Option<String>,
    /// The system built for, such as `x86_64-linux`, where the server says it.
    /// For display only.
    pub system: Option<String>,
    /// The first signature, `1;HOST;BASE64`, unchecked.
    pub signature: Option<String>,
    /// Where the nar can be had, at least one. Unsigned in today's order: a
    /// hint until the stream has been checked against `nar_hash` and `nar_size`.
    pub variants: Vec<Variant>,
    bytes: Vec<u8>,
}

/// One compressed form of the nar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Percent-encoded, relative to the cache's base; as written.
    pub url: String,
    /// How the file is compressed.
    pub compression: Compression,
    /// Bytes of the compressed file, where the server knows them.
    pub file_size: Option<u64>,
}

impl Narinfo {
    /// Reads a narinfo.
    ///
    /// `Compression` and `FileSize` belong to the `URL` that they follow, so
    /// that one left out does not shift the others.
    ///
    /// # Errors
    ///
    /// When the bytes are more than [`MAX_NARINFO_BYTES`], no UTF-8 or have
    /// carriage returns, a field is missing, repeated or malformed, or there
    /// is no `URL`.
    pub fn parse(bytes: &[u8]) -> Result<Self, NarinfoError> {
        if bytes.len() > MAX_NARINFO_BYTES {
            return Err(NarinfoError::TooLarge(bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|_| NarinfoError::NotUtf8)?;
        if text.contains('\r') {
            return Err(NarinfoError::CarriageReturn);
        }
        let mut fields = Fields::default();
        for (index, line) in text.lines().enumerate() {
            let (field, value) = line.split_once(':').ok_or(NarinfoError::Line(index + 1))?;
            fields.take(field, value.strip_prefix(' ').unwrap_or(value))?;
        }
        fields.finish(bytes)
    }

    /// The bytes that were parsed, to be published as they are.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the signature is over: the bytes before the first `Signature:`,
    /// as clients cut them (`guix/narinfo.scm`). `None` where that is not at the
    /// beginning of a line, or nowhere.
    #[must_use]
    pub fn signed(&self) -> Option<&[u8]> {
        let field = b"Signature:";
        let at = self.bytes.windows(field.len()).position(|w| w == field)?;
        let signed = &self.bytes[..at];
        matches!(signed.last(), None | Some(b'\n')).then_some(signed)
    }

    /// Whether this narinfo is about the item asked for. A server can answer
    /// with another one, which is validly signed all the same.
    #[must_use]
    pub fn matches(&self, asked: &HashPart) -> bool {
        self.store_path.hash() == *asked
    }
}

impl Variant {
    /// Where the file goes in a mirror.
    ///
    /// # Errors
    ///
    /// When the URL is not a plain relative path below `nar/`; see [`NarPath`].
    pub fn path(&self) -> Result<NarPath, NarinfoError> {
        Ok(NarPath::parse(&self.url)?)
    }
}

/// Why bytes are no usable narinfo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarinfoError {
    /// More bytes than [`MAX_NARINFO_BYTES`].
    #[error("the narinfo has {0} bytes, more than {MAX_NARINFO_BYTES}")]
    TooLarge(usize),
    /// The bytes are no text.
    #[error("the narinfo is not UTF-8")]
    NotUtf8,
    /// Clients hash the lines as they are, so carriage returns break the
    /// signature.
    #[error("the narinfo has carriage returns (CRLF line ends), which break its signature")]
    CarriageReturn,
    /// A line, counted from 1, without a colon.
    #[error("line {0} of the narinfo is not \"Field: value\"")]
    Line(usize),
    /// A mandatory field that is not there.
    #[error("the narinfo has no {0}")]
    Missing(&'static str),
    /// A field that must stand once.
    #[error("the narinfo repeats {0}")]
    Repeated(&'static str),
    /// A field that describes a URL, before any URL.
    #[error("the narinfo has a {0} that follows no URL")]
    FollowsNoUrl(&'static str),
    /// More URLs than there are compressions by far; each would be fetched.
    #[error("the narinfo lists more than {MAX_VARIANTS} URLs")]
    TooManyVariants,
    /// A URL without a compression.
    #[error("the narinfo does not say how {0:?} is compressed")]
    NoCompression(String),
    /// A value that is no store path.
    #[error("the narinfo's {field} is malformed: {source}")]
    StorePath {
        /// `StorePath` or `References`.
        field: &'static str,
        /// What is wrong with it.
        source: StorePathError,
    },
    /// A hash by another function than SHA-256.
    #[error("the narinfo's NarHash {0:?} is not a sha256: only that can be checked")]
    HashFunction(String),
    /// A hash of another length or with other characters.
    #[error("the narinfo's NarHash is malformed: {0}")]
    Hash(#[source] Base32Error),
    /// A size that is no decimal number of bytes below 2^64.
    #[error("the narinfo's {field} {value:?} is not a number of bytes")]
    Size {
        /// `NarSize` or `FileSize`.
        field: &'static str,
        /// The value as written.
        value: String,
    },
    /// A nar's URL that cannot be mirrored.
    #[error(transparent)]
    Path(#[from] NarPathError),
}

/// What has been read so far.
#[derive(Default)]
struct Fields {
    store_path: Option<StorePath>,
    nar_hash: Option<[u8; 32]>,
    nar_size: Option<u64>,
    references: Option<Vec<StorePath>>,
    deriver: Option<String>,
    system: Option<String>,
    signature: Option<String>,
    variants: Vec<OpenVariant>,
}

/// A variant whose compression may still follow.
struct OpenVariant {
    url: String,
    compression: Option<Compression>,
    file_size: Option<u64>,
}

impl Fields {
    fn take(&mut self, field: &str, value: &str) -> Result<(), NarinfoError> {
        let text = || Some(value.to_owned()).filter(|text| !text.is_empty());
        match field {
            "StorePath" => {
                let path = value.parse().map_err(|source| NarinfoError::StorePath {
                    field: "StorePath",
                    source,
                })?;
                once(&mut self.store_path, "StorePath", path)?;
            }
            "NarHash" => once(&mut self.nar_hash, "NarHash", nar_hash(value)?)?,
            "NarSize" => once(&mut self.nar_size, "NarSize", size("NarSize", value)?)?,
            "References" => once(&mut self.references, "References", references(value)?)?,
            "Deriver" => self.deriver = self.deriver.take().or_else(text),
            "System" => self.system = self.system.take().or_else(text),
            "Signature" => self.signature = self.signature.take().or_else(text),
            "URL" if self.variants.len() == MAX_VARIANTS => {
                return Err(NarinfoError::TooManyVariants);
            }
            "URL" => self.variants.push(OpenVariant {
                url: value.to_owned(),
                compression: None,
                file_size: None,
            }),
            "Compression" => {
                let Ok(compression) = value.parse();
                let variant = self.last_variant("Compression")?;
                once(&mut variant.compression, "Compression", compression)?;
            }
            "FileSize" => {
                let size = size("FileSize", value)?;
                let variant = self.last_variant("FileSize")?;
                once(&mut variant.file_size, "FileSize", size)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn last_variant(&mut self, field: &'static str) -> Result<&mut OpenVariant, NarinfoError> {
        self.variants
            .last_mut()
            .ok_or(NarinfoError::FollowsNoUrl(field))
    }

    fn finish(self, bytes: &[u8]) -> Result<Narinfo, NarinfoError> {
        if self.variants.is_empty() {
            return Err(NarinfoError::Missing("URL"));
        }
        let variants = self
            .variants
            .into_iter()
            .map(|open| match open.compression {
                Some(compression) => Ok(Variant {
                    url: open.url,
                    compression,
                    file_size: open.file_size,
                }),
                None => Err(NarinfoError::NoCompression(open.url)),
            });
        Ok(Narinfo {
            store_path: self.store_path.ok_or(NarinfoError::Missing("StorePath"))?,
            nar_hash: self.nar_hash.ok_or(NarinfoError::Missing("NarHash"))?,
            nar_size: self.nar_size.ok_or(NarinfoError::Missing("NarSize"))?,
            references: self.references.ok_or(NarinfoError::Missing("References"))?,
            deriver: self.deriver,
            system: self.system,
            signature: self.signature,
            variants: variants.collect::<Result<_, _>>()?,
            bytes: bytes.to_vec(),
        })
    }
}

fn once<T>(slot: &mut Option<T>, field: &'static str, value: T) -> Result<(), NarinfoError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(NarinfoError::Repeated(field)),
    }
}

fn nar_hash(value: &str) -> Result<[u8; 32], NarinfoError> {
    let digits = value
        .strip_prefix("sha256:")
        .ok_or_else(|| NarinfoError::HashFunction(value.to_owned()))?;
    match hex(digits) {
        Some(hash) => Ok(hash),
        None => base32::decode(digits).map_err(NarinfoError::Hash),
    }
}

/// Reads 64 hexadecimal digits, the other spelling that clients accept.
fn hex(digits: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if digits.len() != 2 * hash.len() || !digits.bytes().all(|d| d.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

fn size(field: &'static str, value: &str) -> Result<u64, NarinfoError> {
    let digits_only = value.bytes().all(|digit| digit.is_ascii_digit());
    value
        .parse()
        .ok()
        .filter(|_| digits_only)
        .ok_or_else(|| NarinfoError::Size {
            field,
            value: value.to_owned(),
        })
}

fn references(value: &str) -> Result<Vec<StorePath>, NarinfoError> {
    value
        .split_ascii_whitespace()
        .map(StorePath::from_basename)
        .collect::<Result<_, _>>()
        .map_err(|source| NarinfoError::StorePath {
            field: "References",
            source,
        })
}

#[cfg(test)]
#[path = "narinfo_tests.rs"]
mod tests;
