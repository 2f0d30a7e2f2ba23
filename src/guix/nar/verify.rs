//! The check of a nar while it passes through: the size of the file, and the size
//! and hash of the nar in it.
//!
//! Nothing is kept: a thread decompresses and hashes a copy of the bytes as they pass, so
//! that the check takes a few MiB of memory and the decompressor's window,
//! whatever the size of the nar.

use super::super::compression::Compression;
use super::checker::Checker;
use super::error::NarError;
use super::expected::ExpectedNar;
use std::io::{self, Read};

/// Bytes of a file from which on a thread checks it.
pub(super) const WITHOUT_A_THREAD: usize = 64 << 10;

/// A reader that passes the compressed bytes of a nar through unchanged, and fails
/// instead of ending if they are not the nar expected.
///
/// Such a failure is an `InvalidData` that wraps a [`NarError`]
/// ([`NarError::from_io`]); it comes as soon as it is known, and every later read
/// repeats it. Errors of the reader underneath are passed on as they are.
#[derive(Debug)]
pub struct NarVerifier<R> {
    reader: R,
    expected: ExpectedNar,
    /// Compressed bytes so far.
    passed: u64,
    /// The beginning of the file, until there is a checker.
    pending: Vec<u8>,
    /// Started for larger files only: most are smaller.
    pub(super) checker: Option<Checker>,
    result: Option<Result<(), NarError>>,
}

impl<R: Read> NarVerifier<R> {
    /// Begins to check `reader`.
    ///
    /// # Errors
    /// [`NarError::Compression`]: the compression cannot be checked.
    pub fn new(reader: R, expected: ExpectedNar) -> Result<Self, NarError> {
        if let Compression::Other(name) = expected.compression {
            return Err(NarError::Compression(name));
        }
        Ok(Self {
            reader,
            expected,
            passed: 0,
            pending: Vec::new(),
            checker: None,
            result: None,
        })
    }

    /// Counts and checks bytes on their way; after an error they must not go on.
    fn pass(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        self.passed = self.passed.saturating_add(bytes.len() as u64);
        let limit = self.expected.file_limit();
        match self.expected.file_size {
            Some(size) if self.passed > size => return Err(NarError::FileTooLong(size)),
            _ if self.passed > limit => return Err(NarError::FileEndless(limit)),
            _ => {}
        }
        if let Some(checker) = &mut self.checker {
            return checker.send(bytes);
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < WITHOUT_A_THREAD {
            return Ok(());
        }
        let checker = self.checker.insert(Checker::start(&self.expected)?);
        checker.send(&std::mem::take(&mut self.pending))
    }

    fn end(&mut self) -> Result<(), NarError> {
        let got = self.passed;
        match (self.expected.file_size, &mut self.checker) {
            (Some(expected), _) if got < expected => Err(NarError::FileTooShort { expected, got }),
            (_, Some(checker)) => checker.finish(),
            (_, None) => self.expected.check(self.pending.as_slice()),
        }
    }
}

impl<R: Read> Read for NarVerifier<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if let Some(result) = &self.result {
            return result.clone().map(|()| 0).map_err(NarError::into_io);
        }
        let count = self.reader.read(buf)?;
        let outcome = match count {
            0 => self.end(),
            _ => self.pass(&buf[..count]),
        };
        if count == 0 || outcome.is_err() {
            self.checker = None;
            self.result = Some(outcome.clone());
        }
        outcome.map(|()| count).map_err(NarError::into_io)
    }
}
