//! The nar in a compressed file, checked while it is read.

use super::error::NarError;
use super::expected::ExpectedNar;
use super::file::{End, File};
use super::unpacking::Unpacking;
use std::io::{self, BufReader, Read};

/// Bytes of the file that are read at a time.
const CHUNK_BYTES: usize = 32 << 10;

/// A reader of the decompressed nar, which fails instead of ending if the file is not the
/// one expected, as a [`NarVerifier`](super::NarVerifier) of the file does.
///
/// Such a failure is an `InvalidData` that wraps a [`NarError`]
/// ([`NarError::from_io`]); it is returned as soon as it is known, and every later read
/// repeats it. Errors of the reader underneath are passed on as they are.
pub struct NarReader<R: Read> {
    unpacking: Unpacking<BufReader<File<R>>>,
    result: Option<Result<(), NarError>>,
}

impl<R: Read> NarReader<R> {
    /// Begins to read a file that ends where `reader` does.
    ///
    /// # Errors
    /// [`NarError::Compression`]: the compression cannot be read.
    pub fn new(reader: R, expected: ExpectedNar) -> Result<Self, NarError> {
        Self::of_file(reader, expected, End::Reader)
    }

    /// The same for a reader that may wait for ever where the file ends; see
    /// [`NarVerifier::without_length`](super::NarVerifier::without_length).
    ///
    /// # Errors
    /// As [`NarReader::new`].
    pub fn without_length(reader: R, expected: ExpectedNar) -> Result<Self, NarError> {
        let end = expected.file_end().map_or(End::Nar, End::Size);
        Self::of_file(reader, expected, end)
    }

    fn of_file(reader: R, expected: ExpectedNar, end: End) -> Result<Self, NarError> {
        let file = File::new(reader, expected.clone(), end)?;
        let source = BufReader::with_capacity(CHUNK_BYTES, file);
        let mut unpacking = Unpacking::new(expected, source)?;
        unpacking.ends_with_nar = end == End::Nar;
        Ok(Self {
            unpacking,
            result: None,
        })
    }

    /// The file.
    pub(super) fn file(&mut self) -> Option<&mut File<R>> {
        self.unpacking.source().map(BufReader::get_mut)
    }

    /// Repeats the error of the nar, if there was one.
    pub(super) fn repeat(&self) -> io::Result<()> {
        NarError::repeat(self.result.as_ref())
    }

    /// Passes on an error of the reader underneath.
    fn fault(&mut self) -> io::Result<()> {
        match self.file().and_then(|file| file.fault.take()) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl<R: Read> Read for NarReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.result.is_none() {
            // One after the last bytes.
            self.fault()?;
            let step = self.unpacking.step(buf);
            if let (Ok(count @ 1..), Some(file)) = (&step, self.file()) {
                file.idle = 0;
                return Ok(*count);
            }
            self.fault()?;
            let nar = step.map(|_| ());
            let verdict = self.file().map(|file| file.verdict(nar.clone()));
            self.result = Some(verdict.transpose()?.unwrap_or(nar));
        }
        self.repeat().map(|()| 0)
    }
}
