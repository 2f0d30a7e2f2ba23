//! The nar in a compressed file, checked while it is read.

use super::super::compression::Compression;
use super::error::NarError;
use super::expected::ExpectedNar;
use super::unpacking::Unpacking;
use super::verify::WITHOUT_A_THREAD;
use std::io::{self, BufReader, Read};

/// Bytes of the file that are read at a time.
const CHUNK_BYTES: usize = 32 << 10;

/// Bytes of a file that ends with its nar, of which none may be one of the nar. Streams
/// that any compressor writes have some after 256 KiB.
const MAX_IDLE_BYTES: usize = 4 << 20;

/// A reader of the decompressed nar, which fails instead of ending if the file is not the
/// one expected, as a [`NarVerifier`](super::NarVerifier) of the file does.
///
/// Such a failure is an `InvalidData` that wraps a [`NarError`]
/// ([`NarError::from_io`]); it is returned as soon as it is known, and every later read
/// repeats it. Errors of the reader underneath are passed on as they are.
pub struct NarReader<R: Read> {
    unpacking: Unpacking<BufReader<File<R>>>,
    expected: ExpectedNar,
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
        if let Compression::Other(name) = expected.compression {
            return Err(NarError::Compression(name));
        }
        let ends_with_nar = end == End::Nar;
        let file = File::new(reader, expected.clone(), end);
        let source = BufReader::with_capacity(CHUNK_BYTES, file);
        let unpacking = match ends_with_nar {
            true => Unpacking::until_its_end(&expected, source)?,
            false => Unpacking::new(&expected, source)?,
        };
        Ok(Self {
            unpacking,
            expected,
            result: None,
        })
    }

    fn file(&mut self) -> Option<&mut File<R>> {
        self.unpacking.source().map(BufReader::get_mut)
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
            let step = self.unpacking.step_into(&self.expected, buf);
            if let (Ok(count @ 1..), Some(file)) = (&step, self.file()) {
                file.idle = 0;
                return Ok(*count);
            }
            self.fault()?;
            let nar = step.map(|_| ());
            let verdict = self.file().map(|file| file.verdict(nar.clone()));
            self.result = Some(verdict.transpose()?.unwrap_or(nar));
        }
        match &self.result {
            Some(Err(error)) => Err(error.clone().into_io()),
            _ => Ok(0),
        }
    }
}

/// The end of a file.
#[derive(PartialEq, Eq)]
enum End {
    /// The reader's.
    Reader,
    /// So many bytes, and those that are read together with the last of them.
    Size(u64),
    /// The end of the nar in it.
    Nar,
}

/// The compressed file. It ends where it has more bytes than it may have.
struct File<R> {
    reader: R,
    expected: ExpectedNar,
    end: End,
    /// Compressed bytes so far.
    passed: u64,
    /// Those since the last byte of the nar.
    idle: usize,
    has_ended: bool,
    /// The reason why a file that continues was cut off.
    excess: Option<NarError>,
    /// The last error of the reader, which a decompressor may wrap or swallow.
    fault: Option<io::Error>,
}

impl<R: Read> File<R> {
    fn new(reader: R, expected: ExpectedNar, end: End) -> Self {
        Self {
            reader,
            expected,
            end,
            passed: 0,
            idle: 0,
            has_ended: false,
            excess: None,
            fault: None,
        }
    }

    /// The verdict about the file, with that about the nar in it.
    fn verdict(&mut self, nar: Result<(), NarError>) -> io::Result<Result<(), NarError>> {
        // The end of a small file says more about it than a fault in its middle.
        while nar.is_err()
            && self.end != End::Nar
            && self.passed < WITHOUT_A_THREAD as u64
            && self.read(&mut [0; 1 << 10])? > 0
        {}
        if let Some(error) = self.excess.clone() {
            return Ok(Err(error.of_long_file(nar)));
        }
        let size = self.expected.file_size;
        let size = size.filter(|size| self.has_ended && self.passed < *size);
        Ok(match size {
            Some(size) => Err(NarError::of_short_file(size, self.passed, nar)),
            None => nar,
        })
    }
}

impl<R: Read> Read for File<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.has_ended |= self.end == End::Size(self.passed);
        if self.has_ended || self.excess.is_some() {
            return Ok(0);
        }
        let count = loop {
            match self.reader.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    self.fault = Some(error);
                    return Err(kind.into());
                }
                Ok(count) => break count,
            }
        };
        self.has_ended = count == 0;
        let before = self.passed;
        self.passed = before.saturating_add(count as u64);
        self.idle = self.idle.saturating_add(count);
        if let Some((end, error)) = self.expected.excess(self.passed) {
            self.excess = Some(error);
            let rest = usize::try_from(end.saturating_sub(before));
            return Ok(rest.unwrap_or(count).min(count));
        }
        if self.end == End::Nar && self.idle > MAX_IDLE_BYTES {
            self.excess = Some(NarError::FileEndless(self.expected.file_limit()));
            return Ok(0);
        }
        Ok(count)
    }
}
