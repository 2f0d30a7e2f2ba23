//! The check of a nar while it passes through: the size of the file, and the size
//! and hash of the nar in it.
//!
//! Nothing is kept: a thread decompresses and hashes a copy of the bytes as they pass, so
//! that the check takes a few MiB of memory and the decompressor's window,
//! whatever the size of the nar.

use super::checker::Checker;
use super::error::NarError;
use super::expected::ExpectedNar;
use super::file::{End, File, WITHOUT_A_THREAD};
use super::unpacking::check;
use super::until_end::UntilEnd;
use std::io::{self, Read};

/// A reader that passes the compressed bytes of a nar through unchanged, and fails
/// instead of ending if they are not the nar expected.
///
/// Such a failure is an `InvalidData` that wraps a [`NarError`]
/// ([`NarError::from_io`]); it is returned as soon as it is known, and every later read
/// repeats it. Errors of the reader underneath are passed on as they are.
pub struct NarVerifier<R: Read> {
    pub(super) way: Way<R>,
}

/// The ways of finding the end of the file.
pub(super) enum Way<R: Read> {
    /// By its size, or by the end of the reader.
    Sized(Box<SizedFile<R>>),
    /// By the end of the nar in it.
    UntilEnd(Box<UntilEnd<R>>),
}

impl<R: Read> NarVerifier<R> {
    /// Begins to check `reader`, which ends where the file does.
    ///
    /// # Errors
    /// [`NarError::Compression`]: the compression cannot be checked.
    pub fn new(reader: R, expected: ExpectedNar) -> Result<Self, NarError> {
        Self::sized(reader, expected, End::Reader)
    }

    /// The same for a reader that may wait for ever where the file ends, as the body
    /// of an answer without a length does on a connection that stays open. The file
    /// ends as soon as it is whole; what came together with its last bytes still
    /// counts, and what may come later does not.
    ///
    /// # Errors
    /// As [`NarVerifier::new`].
    pub fn without_length(reader: R, expected: ExpectedNar) -> Result<Self, NarError> {
        match expected.file_end() {
            Some(size) => Self::sized(reader, expected, End::Size(size)),
            None => {
                let file = UntilEnd::new(reader, expected)?;
                let way = Way::UntilEnd(Box::new(file));
                Ok(Self { way })
            }
        }
    }

    fn sized(reader: R, expected: ExpectedNar, end: End) -> Result<Self, NarError> {
        let file = SizedFile {
            file: File::new(reader, expected, end)?,
            pending: Vec::new(),
            checker: None,
            result: None,
        };
        let way = Way::Sized(Box::new(file));
        Ok(Self { way })
    }
}

impl<R: Read> Read for NarVerifier<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.way {
            _ if buf.is_empty() => Ok(0),
            Way::Sized(file) => file.read(buf),
            Way::UntilEnd(file) => file.read(buf),
        }
    }
}

/// A file that is decompressed beside its transfer.
pub(super) struct SizedFile<R> {
    file: File<R>,
    /// The beginning of the file, until there is a checker.
    pending: Vec<u8>,
    /// Started for larger files only: most are smaller.
    pub(super) checker: Option<Checker>,
    result: Option<Result<(), NarError>>,
}

impl<R: Read> SizedFile<R> {
    /// Checks bytes on their way; after an error they are not passed on.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.result.is_none() {
            let count = self.file.next(buf)?;
            let checked = self.check(&buf[..count]);
            if count > 0 && checked.is_ok() && self.file.excess.is_none() {
                return Ok(count);
            }
            let nar = checked.and_then(|()| self.verdict());
            self.checker = None;
            self.result = Some(self.file.verdict(nar)?);
        }
        NarError::repeat(self.result.as_ref()).map(|()| 0)
    }

    fn check(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        if let Some(checker) = &mut self.checker {
            return checker.send(bytes);
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() < WITHOUT_A_THREAD {
            return Ok(());
        }
        let checker = self.checker.insert(Checker::start(&self.file.expected)?);
        checker.send(&std::mem::take(&mut self.pending))
    }

    /// The verdict about the bytes that were read.
    fn verdict(&mut self) -> Result<(), NarError> {
        match &mut self.checker {
            Some(checker) => checker.finish(),
            None => check(&self.file.expected, self.pending.as_slice()),
        }
    }
}
