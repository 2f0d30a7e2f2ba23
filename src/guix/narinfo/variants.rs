//! A narinfo with fewer variants.

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
}
