//! The nar that a narinfo promises.

use super::super::compression::Compression;
use super::super::narinfo::parsed::{Narinfo, Variant};
use super::error::NarError;

/// The properties that a file must have to be the nar of its narinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedNar {
    /// The compression of the file.
    pub(super) compression: Compression,
    /// Bytes of the compressed file, if the narinfo lists them.
    pub(super) file_size: Option<u64>,
    /// SHA-256 of the decompressed nar.
    pub(super) nar_hash: [u8; 32],
    /// Bytes of the decompressed nar.
    pub(super) nar_size: u64,
}

impl ExpectedNar {
    /// The nar that `narinfo` promises of its `variant`.
    #[must_use]
    pub fn of(narinfo: &Narinfo, variant: &Variant) -> Self {
        Self {
            compression: variant.compression.clone(),
            file_size: variant.file_size,
            nar_hash: narinfo.nar_hash,
            nar_size: narinfo.nar_size,
        }
    }

    /// Bytes of the largest file accepted. Incompressible data grows by less than
    /// two percent in any of the formats.
    pub(super) fn file_limit(&self) -> u64 {
        self.nar_size
            .saturating_add(self.nar_size / 16 + (64 << 10))
    }

    /// Bytes of the whole file, where they are known beforehand.
    pub(super) fn file_end(&self) -> Option<u64> {
        match self.compression {
            Compression::None => Some(self.nar_size),
            _ => self.file_size,
        }
    }

    /// The bytes at which a file must have ended that has more, with its error.
    pub(super) fn excess(&self, passed: u64) -> Option<(u64, NarError)> {
        let limit = self.file_limit();
        match self.file_size {
            Some(size) if passed > size => Some((size, NarError::FileTooLong(size))),
            _ if passed > limit => Some((limit, NarError::FileEndless(limit))),
            _ => None,
        }
    }
}
