//! A narinfo with other variants.

use super::super::compression::Compression;
use super::parsed::{Narinfo, Variant, is_line_of};

/// The fields that belong to the `URL` before them.
const OF_A_VARIANT: [&str; 4] = ["URL", "Compression", "FileSize", "FileHash"];

impl Narinfo {
    /// The same narinfo with only those variants whose compression is `wanted`, if it
    /// has any of them and the lines of the others can go; else unchanged.
    ///
    /// A client rejects a narinfo in which a signed byte has changed, so that only
    /// lines after the signature are dropped: `guix publish` writes the variants there
    /// today, and wrote them before it until 2022. Without a signature no line is
    /// known to be free of one, so nothing is dropped either.
    #[must_use]
    pub fn preferring(self, wanted: &[Compression]) -> Self {
        let is_wanted = |variant: &Variant| wanted.contains(&variant.compression);
        let mut variants = self.variants.iter();
        if variants.clone().all(is_wanted) || !variants.clone().any(is_wanted) {
            return self;
        }
        let Some(signed) = self.signed() else {
            return self;
        };
        let mut kept = Vec::with_capacity(self.bytes.len());
        let mut is_dropped = false;
        for line in self.bytes.split_inclusive(|&byte| byte == b'\n') {
            if is_line_of(line, "URL") {
                is_dropped = variants.next().is_some_and(|variant| !is_wanted(variant));
            }
            if !is_dropped || !OF_A_VARIANT.iter().any(|field| is_line_of(line, field)) {
                kept.extend_from_slice(line);
            }
        }
        match kept.starts_with(signed) {
            true => Self::parse(&kept).unwrap_or(self),
            false => self,
        }
    }

    /// The same narinfo with one variant in the place of all that it lists; `None` where
    /// one of their lines is signed.
    ///
    /// A narinfo without a signature has no signed line, so its variants are replaced
    /// too: a client that takes it at all trusts no signature of it.
    #[must_use]
    pub fn with_only_variant(
        &self,
        url: &str,
        compression: Compression,
        file_size: u64,
    ) -> Option<Self> {
        let field = b"Signature:";
        let signed = match self.signed() {
            Some(signed) => signed.len(),
            // A mark of the signature that is not at the beginning of its line.
            None if self.bytes.windows(field.len()).any(|it| it == field) => return None,
            None => 0,
        };
        let variant = format!("URL: {url}\nCompression: {compression}\nFileSize: {file_size}\n");
        let mut kept = Vec::with_capacity(self.bytes.len());
        let (mut read, mut is_listed) = (0, false);
        for line in self.bytes.split_inclusive(|&byte| byte == b'\n') {
            let is_signed = read < signed;
            read += line.len();
            if !OF_A_VARIANT.iter().any(|field| is_line_of(line, field)) {
                kept.extend_from_slice(line);
            } else if is_signed {
                return None;
            } else if !is_listed {
                kept.extend_from_slice(variant.as_bytes());
                is_listed = true;
            }
        }
        Self::parse(&kept).ok()
    }
}
