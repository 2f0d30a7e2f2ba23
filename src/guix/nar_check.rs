//! The check of a nar while it passes through: the file's size, and the size
//! and hash of what it decompresses to.
//!
//! Whoever reads through a [`CheckedNar`] sees a clean end only after the whole
//! nar was found to be what the narinfo promises. Nothing is kept: a thread
//! decompresses and hashes copies of the chunks as they pass, so the memory
//! taken is a few MiB and the decompressor's window, whatever the nar's size.

use std::io::{self, Read};

use super::compression::Compression;
use super::decompress::MAX_WINDOW_BYTES;
use super::nar_judge::{CHUNK_BYTES, Judge, Promise};
use super::narinfo::{Narinfo, Variant};

/// What a nar must turn out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect<'a> {
    /// How the file is compressed.
    pub compression: &'a Compression,
    /// Bytes of the compressed file, where the narinfo lists them.
    pub file_size: Option<u64>,
    /// SHA-256 of the decompressed nar.
    pub nar_hash: [u8; 32],
    /// Bytes of the decompressed nar.
    pub nar_size: u64,
}

impl<'a> Expect<'a> {
    /// What `narinfo` promises of its `variant`.
    #[must_use]
    pub fn of(narinfo: &Narinfo, variant: &'a Variant) -> Self {
        Self {
            compression: &variant.compression,
            file_size: variant.file_size,
            nar_hash: narinfo.nar_hash,
            nar_size: narinfo.nar_size,
        }
    }
}

/// A reader that passes the compressed bytes of a nar through unchanged, and
/// fails instead of ending where they are not the nar expected.
///
/// Such a failure is an `InvalidData` that wraps a [`NarError`]
/// ([`NarError::from_io`]); it comes as soon as it is known and stays. Errors
/// of the reader underneath are passed on as they are.
#[derive(Debug)]
pub struct CheckedNar<R> {
    reader: R,
    file_size: Option<u64>,
    /// Bytes that no file of this nar has, so that an endless one ends here.
    limit: u64,
    passed: u64,
    pending: Vec<u8>,
    promise: Promise,
    /// Started with the first whole chunk: most nars end before that.
    judge: Option<Judge>,
    verdict: Option<Result<(), NarError>>,
}

impl<R: Read> CheckedNar<R> {
    /// Begins to check `reader` against `expect`.
    ///
    /// # Errors
    ///
    /// When the compression cannot be checked.
    pub fn new(reader: R, expect: Expect<'_>) -> Result<Self, NarError> {
        Ok(Self {
            reader,
            file_size: expect.file_size,
            limit: limit(expect.nar_size),
            passed: 0,
            pending: Vec::new(),
            promise: Promise::of(&expect)?,
            judge: None,
            verdict: None,
        })
    }

    /// Compressed bytes that have passed so far.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Takes note of bytes on their way; an error means that they must not go on.
    fn pass(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        self.passed += bytes.len() as u64;
        if let Some(expected) = self.file_size.filter(|&size| self.passed > size) {
            return Err(NarError::FileTooLong { expected });
        }
        if self.passed > self.limit {
            return Err(NarError::FileEndless { limit: self.limit });
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < CHUNK_BYTES {
            return Ok(());
        }
        self.hand_over()
    }

    fn hand_over(&mut self) -> Result<(), NarError> {
        let chunk = std::mem::replace(&mut self.pending, Vec::with_capacity(CHUNK_BYTES));
        let judge = match self.judge.take() {
            Some(judge) => judge,
            None => Judge::start(&self.promise)?,
        };
        self.judge.insert(judge).take(chunk)
    }

    fn end(&mut self) -> Result<(), NarError> {
        if let Some(expected) = self.file_size.filter(|&size| self.passed < size) {
            return Err(NarError::FileTooShort {
                expected,
                got: self.passed,
            });
        }
        if self.judge.is_some() {
            self.hand_over()?;
        }
        match &mut self.judge {
            Some(judge) => judge.verdict(),
            None => self.promise.judge(&self.pending),
        }
    }
}

/// Bytes of the largest file accepted for a nar of `nar_size` bytes. What
/// cannot be compressed grows by less than two percent in any of the formats.
fn limit(nar_size: u64) -> u64 {
    nar_size.saturating_add(nar_size / 16 + (64 << 10))
}

impl<R: Read> Read for CheckedNar<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if let Some(verdict) = &self.verdict {
            return verdict.clone().map(|()| 0).map_err(NarError::into_io);
        }
        let room = buf.len().min(CHUNK_BYTES - self.pending.len());
        let count = self.reader.read(&mut buf[..room])?;
        let outcome = match count {
            0 => self.end(),
            _ => self.pass(&buf[..count]),
        };
        if count == 0 || outcome.is_err() {
            self.judge = None;
            self.verdict = Some(outcome.clone());
        }
        outcome.map(|()| count).map_err(NarError::into_io)
    }
}

/// Why a nar is not the one that its narinfo promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarError {
    /// No decompressor for it here, so the nar's hash cannot be checked.
    #[error("a nar compressed with {0:?} cannot be checked: only gzip, lzip, zstd and none can")]
    Compression(String),
    /// The system refused another thread.
    #[error("cannot start a thread to check the nar: {0}")]
    Thread(String),
    /// The file goes on beyond its FileSize.
    #[error("the file is longer than its FileSize of {expected} bytes")]
    FileTooLong {
        /// FileSize, in bytes.
        expected: u64,
    },
    /// The file goes on beyond what a nar of its NarSize can take: padded, or
    /// without an end.
    #[error("the file is longer than {limit} bytes, more than a nar of its NarSize can take")]
    FileEndless {
        /// The most that is accepted, in bytes.
        limit: u64,
    },
    /// The file ended before its FileSize.
    #[error("the file has {got} bytes, but its FileSize is {expected}")]
    FileTooShort {
        /// FileSize, in bytes.
        expected: u64,
        /// Bytes that came.
        got: u64,
    },
    /// The file is no whole stream of its compression.
    #[error("the file is not a valid {compression} stream: {reason}")]
    Corrupt {
        /// The compression that the narinfo names.
        compression: Compression,
        /// What the decompressor said.
        reason: String,
    },
    /// The file asks for more memory than is given to one nar.
    #[error("the {0} stream asks for a window of more than {max} MiB to decompress it", max = MAX_WINDOW_BYTES >> 20)]
    Window(Compression),
    /// The file decompresses to more than NarSize: damage, or a bomb.
    #[error("the nar is longer than its NarSize of {expected} bytes")]
    TooLong {
        /// NarSize, in bytes.
        expected: u64,
    },
    /// The file decompresses to less than NarSize.
    #[error("the nar has {got} bytes, but its NarSize is {expected}")]
    TooShort {
        /// NarSize, in bytes.
        expected: u64,
        /// Bytes of the decompressed nar.
        got: u64,
    },
    /// The nar has the right size and other contents.
    #[error("the nar's hash is sha256:{got}, but its NarHash is sha256:{expected}")]
    Hash {
        /// NarHash, in nix-base32.
        expected: String,
        /// The decompressed nar's, in nix-base32.
        got: String,
    },
}

impl NarError {
    /// The error that a [`CheckedNar`] gave, if `error` is one of its own,
    /// however many `io::Error`s it has been wrapped in since.
    #[must_use]
    pub fn from_io(error: &io::Error) -> Option<&Self> {
        let inner = error.get_ref()?;
        inner
            .downcast_ref()
            .or_else(|| Self::from_io(inner.downcast_ref()?))
    }

    fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, self)
    }
}

#[cfg(test)]
#[path = "nar_check_tests.rs"]
mod tests;
