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
use super::unpacking::check;
use super::until_end::{Step, UntilEnd};
use std::io::{self, Read};

/// Bytes of a file from which on a thread checks it.
pub(super) const WITHOUT_A_THREAD: usize = 64 << 10;

/// A reader that passes the compressed bytes of a nar through unchanged, and fails
/// instead of ending if they are not the nar expected.
///
/// Such a failure is an `InvalidData` that wraps a [`NarError`]
/// ([`NarError::from_io`]); it is returned as soon as it is known, and every later read
/// repeats it. Errors of the reader underneath are passed on as they are.
pub struct NarVerifier<R: Read> {
    pub(super) file: File<R>,
    result: Option<Result<(), NarError>>,
}

/// The ways of finding the end of the file.
pub(super) enum File<R: Read> {
    /// By its size, or by the end of the reader.
    Sized(SizedFile<R>),
    /// By the end of the nar in it.
    UntilEnd(Box<UntilEnd<R>>),
}

impl<R: Read> NarVerifier<R> {
    /// Begins to check `reader`, which ends where the file does.
    ///
    /// # Errors
    /// [`NarError::Compression`]: the compression cannot be checked.
    pub fn new(reader: R, expected: ExpectedNar) -> Result<Self, NarError> {
        Self::of_file(expected, |expected| {
            Ok(File::Sized(SizedFile::new(reader, expected, true)))
        })
    }

    /// The same for a reader that may wait for ever where the file ends, as the body
    /// of an answer without a length does on a connection that stays open. The file
    /// ends as soon as it is whole; what came together with its last bytes still
    /// counts, and what may come later does not.
    ///
    /// # Errors
    /// As [`NarVerifier::new`].
    pub fn without_length(reader: R, expected: ExpectedNar) -> Result<Self, NarError> {
        Self::of_file(expected, |expected| match expected.file_end() {
            Some(_) => Ok(File::Sized(SizedFile::new(reader, expected, false))),
            None => Ok(File::UntilEnd(Box::new(UntilEnd::new(reader, expected)?))),
        })
    }

    fn of_file(
        expected: ExpectedNar,
        file: impl FnOnce(ExpectedNar) -> Result<File<R>, NarError>,
    ) -> Result<Self, NarError> {
        if let Compression::Other(name) = expected.compression {
            return Err(NarError::Compression(name));
        }
        let file = file(expected)?;
        let result = None;
        Ok(Self { file, result })
    }
}

impl<R: Read> Read for NarVerifier<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.result.is_none() {
            let step = match &mut self.file {
                File::Sized(file) => file.step(buf),
                File::UntilEnd(file) => file.step(buf),
            };
            match step? {
                Step::Passed(count) => return Ok(count),
                Step::Ended(result) => self.result = Some(result),
            }
        }
        match &self.result {
            Some(Err(error)) => Err(error.clone().into_io()),
            _ => Ok(0),
        }
    }
}

/// A file that is decompressed beside its transfer.
pub(super) struct SizedFile<R> {
    reader: R,
    expected: ExpectedNar,
    /// The reader ends where the file does.
    ends_with_reader: bool,
    /// Compressed bytes so far.
    passed: u64,
    /// The beginning of the file, until there is a checker.
    pending: Vec<u8>,
    /// Started for larger files only: most are smaller.
    pub(super) checker: Option<Checker>,
}

impl<R: Read> SizedFile<R> {
    fn new(reader: R, expected: ExpectedNar, ends_with_reader: bool) -> Self {
        Self {
            reader,
            expected,
            ends_with_reader,
            passed: 0,
            pending: Vec::new(),
            checker: None,
        }
    }

    fn step(&mut self, buf: &mut [u8]) -> io::Result<Step> {
        let is_whole = self.expected.file_end() == Some(self.passed);
        let count = match is_whole && !self.ends_with_reader {
            true => 0,
            false => self.reader.read(buf)?,
        };
        let result = match count {
            0 => self.end(),
            _ => self.pass(&buf[..count]),
        };
        if count > 0 && result.is_ok() {
            return Ok(Step::Passed(count));
        }
        self.checker = None;
        Ok(Step::Ended(result))
    }

    /// Counts and checks bytes on their way; after an error they are not passed on.
    fn pass(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        let before = self.passed;
        self.passed = before.saturating_add(bytes.len() as u64);
        let Some((size, error)) = self.expected.excess(self.passed) else {
            return self.check(bytes);
        };
        let rest = size.saturating_sub(before).try_into();
        let of_file = bytes.get(..rest.unwrap_or(bytes.len()));
        let checked = self.check(of_file.unwrap_or(bytes));
        Err(error.of_long_file(checked.and_then(|()| self.verdict())))
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), NarError> {
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
        let (got, verdict) = (self.passed, self.verdict());
        match self.expected.file_size.filter(|size| got < *size) {
            Some(expected) => Err(NarError::of_short_file(expected, got, verdict)),
            None => verdict,
        }
    }

    /// The verdict about the bytes that were read.
    fn verdict(&mut self) -> Result<(), NarError> {
        match &mut self.checker {
            Some(checker) => checker.finish(),
            None => check(&self.expected, self.pending.as_slice()),
        }
    }
}
