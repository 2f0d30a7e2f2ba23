//! The parser of narinfos.

use super::super::base32;
use super::super::compression::Compression;
use super::super::store_path::{StorePath, StorePathError};
use super::error::{MAX_NARINFO_BYTES, MAX_VARIANTS, NarinfoError};
use super::parsed::{Narinfo, Variant};
use data_encoding::HEXLOWER_PERMISSIVE;

impl Narinfo {
    /// Reads a narinfo.
    ///
    /// `Compression` and `FileSize` belong to the `URL` that they follow, so that an
    /// absent one does not shift the others.
    ///
    /// # Errors
    /// The bytes are more than [`MAX_NARINFO_BYTES`], are not UTF-8 or have carriage
    /// returns, a field is missing, repeated or malformed, or there is no `URL`.
    pub fn parse(bytes: &[u8]) -> Result<Self, NarinfoError> {
        if bytes.len() > MAX_NARINFO_BYTES {
            return Err(NarinfoError::TooLarge(bytes.len()));
        }
        let text = str::from_utf8(bytes).map_err(|_| NarinfoError::NotUtf8)?;
        if text.contains('\r') {
            return Err(NarinfoError::CarriageReturn);
        }
        if let Some(at) = text.lines().position(|line| !line.contains(':')) {
            return Err(NarinfoError::Line(at + 1));
        }
        let store_path = one(text, "StorePath")?.parse();
        Ok(Self {
            store_path: store_path.map_err(|error| NarinfoError::StorePath("StorePath", error))?,
            nar_hash: nar_hash(one(text, "NarHash")?)?,
            nar_size: size("NarSize", one(text, "NarSize")?)?,
            references: references(one(text, "References")?)
                .map_err(|error| NarinfoError::StorePath("References", error))?,
            signature: signature(text),
            variants: variants(text)?,
            bytes: bytes.to_vec(),
        })
    }
}

/// The names and values of the lines.
fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(field, value)| (field, value.strip_prefix(' ').unwrap_or(value)))
}

/// The values of the lines of one field.
fn values<'a>(text: &'a str, field: &'static str) -> impl Iterator<Item = &'a str> {
    let fields = fields(text).filter(move |(name, _)| *name == field);
    fields.map(|(_, value)| value)
}

/// The value of a field that stands once.
fn one<'a>(text: &'a str, field: &'static str) -> Result<&'a str, NarinfoError> {
    let mut values = values(text, field);
    let value = values.next().ok_or(NarinfoError::Missing(field))?;
    match values.next() {
        None => Ok(value),
        Some(_) => Err(NarinfoError::Repeated(field)),
    }
}

fn signature(text: &str) -> Option<String> {
    let mut values = values(text, "Signature").filter(|value| !value.is_empty());
    values.next().map(str::to_owned)
}

fn variants(text: &str) -> Result<Vec<Variant>, NarinfoError> {
    let mut open: Vec<(String, Option<Compression>, Option<u64>)> = Vec::new();
    for (field, value) in fields(text) {
        match field {
            "URL" if open.len() == MAX_VARIANTS => return Err(NarinfoError::TooManyVariants),
            "URL" => open.push((value.to_owned(), None, None)),
            "Compression" => {
                let last = open.last_mut();
                let (_, slot, _) = last.ok_or(NarinfoError::FollowsNoUrl("Compression"))?;
                let Ok(compression) = value.parse();
                once(slot, "Compression", compression)?;
            }
            "FileSize" => {
                let last = open.last_mut();
                let (_, _, slot) = last.ok_or(NarinfoError::FollowsNoUrl("FileSize"))?;
                once(slot, "FileSize", size("FileSize", value)?)?;
            }
            _ => {}
        }
    }
    if open.is_empty() {
        return Err(NarinfoError::Missing("URL"));
    }
    let variants = open.into_iter().map(|open| match open {
        (url, Some(compression), file_size) => Ok(Variant {
            url,
            compression,
            file_size,
        }),
        (url, None, _) => Err(NarinfoError::NoCompression(url)),
    });
    variants.collect()
}

fn once<T>(slot: &mut Option<T>, field: &'static str, value: T) -> Result<(), NarinfoError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(NarinfoError::Repeated(field)),
    }
}

/// Reads `sha256:` and a hash in nix-base32 or, as clients also accept, hexadecimal.
pub(super) fn nar_hash(value: &str) -> Result<[u8; 32], NarinfoError> {
    let digits = value.strip_prefix("sha256:");
    let digits = digits.ok_or_else(|| NarinfoError::HashFunction(value.to_owned()))?;
    let hexadecimal = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
    match hexadecimal.map(<[u8; 32]>::try_from) {
        Ok(Ok(hash)) => Ok(hash),
        _ => base32::decode(digits).map_err(NarinfoError::Hash),
    }
}

fn size(field: &'static str, value: &str) -> Result<u64, NarinfoError> {
    let is_decimal = value.bytes().all(|digit| digit.is_ascii_digit());
    let size = value.parse().ok().filter(|_| is_decimal);
    size.ok_or_else(|| NarinfoError::Size(field, value.to_owned()))
}

fn references(value: &str) -> Result<Vec<StorePath>, StorePathError> {
    let basenames = value.split_ascii_whitespace();
    basenames.map(StorePath::from_basename).collect()
}
