//! A narinfo with fewer variants.

use super::super::compression::Compression;
use super::error::NarinfoError;
use super::parsed::{Narinfo, is_line_of};

/// The fields that belong to the `URL` before them.
const OF_A_VARIANT: [&str; 4] = ["URL", "Compression", "FileSize", "FileHash"];

impl Narinfo {
    /// The same narinfo with only those variants whose compression is `wanted`;
    /// unchanged if that is all of them.
    ///
    /// A client rejects a narinfo in which a signed byte has changed, so that only
    /// unsigned lines can be dropped: `guix publish` writes the variants after the
    /// signature today, and wrote them before it until 2022.
    ///
    /// # Errors
    /// It has none of the wanted variants, or the lines to drop are signed.
    pub fn keep_only(self, wanted: &[Compression]) -> Result<Self, VariantsError> {
        let is_wanted = |compression| wanted.contains(compression);
        let compressions = || self.variants.iter().map(|variant| &variant.compression);
        if compressions().all(is_wanted) {
            return Ok(self);
        }
        if !compressions().any(is_wanted) {
            let listed: Vec<_> = compressions().map(Compression::name).collect();
            return Err(VariantsError::NoneWanted(listed.join(", ")));
        }
        let signed = self.signed().ok_or(VariantsError::Unsigned)?;
        let mut kept = Vec::with_capacity(self.bytes.len());
        let mut variants = compressions();
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
            true => Ok(Self::parse(&kept)?),
            false => Err(VariantsError::Signed),
        }
    }
}

/// The reasons why variants cannot be left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariantsError {
    /// None of the wanted compressions is listed.
    #[error("it has none of the wanted compressions, only {0}")]
    NoneWanted(String),
    /// The lines of an unwanted variant stand before `Signature:`.
    #[error(
        "the unwanted compressions cannot be left out of its narinfo: \
         their lines are part of what is signed"
    )]
    Signed,
    /// There is no signature after which the lines could stand.
    #[error("the unwanted compressions cannot be left out of its narinfo: it is not signed")]
    Unsigned,
    /// The remaining lines are not a narinfo.
    #[error("without the unwanted compressions, {0}")]
    Narinfo(#[from] NarinfoError),
}
