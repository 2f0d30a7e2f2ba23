//! The nar that a narinfo promises, and the check of a whole file against it.

use super::super::base32;
use super::super::compression::Compression;
use super::super::narinfo::parsed::{Narinfo, Variant};
use super::decompress::decompress;
use super::error::NarError;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Read};

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

    /// Decompresses a file and checks the nar in it. `file` is read to its end,
    /// except after an error.
    pub(super) fn check(&self, file: impl BufRead) -> Result<(), NarError> {
        let mut nar = decompress(&self.compression, file)
            .ok_or_else(|| NarError::Compression(self.compression.to_string()))?;
        // On the stack: many large buffers that come and go between the small things
        // that a run keeps would leave holes in the heap.
        let mut buf = [0; 16 << 10];
        let mut hasher = Sha256::new();
        let mut got: u64 = 0;
        loop {
            let count = match nar.read(&mut buf) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                    return Err(NarError::Window(self.compression.clone()));
                }
                Err(error) => return Err(self.corrupt(error)),
            };
            got = got.saturating_add(count as u64);
            if got > self.nar_size {
                return Err(NarError::TooLong(self.nar_size));
            }
            hasher.update(&buf[..count]);
        }
        if got < self.nar_size {
            return Err(NarError::TooShort {
                expected: self.nar_size,
                got,
            });
        }
        let hash: [u8; 32] = hasher.finalize().into();
        if hash != self.nar_hash {
            return Err(NarError::Hash {
                expected: base32::encode(&self.nar_hash),
                got: base32::encode(&hash),
            });
        }
        Ok(())
    }

    /// The error of a file that is not a stream of its compression.
    pub(super) fn corrupt(&self, reason: impl ToString) -> NarError {
        NarError::Corrupt {
            compression: self.compression.clone(),
            reason: reason.to_string(),
        }
    }
}
