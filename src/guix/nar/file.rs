//! The compressed file of a nar, and the limits of its size.

use super::super::compression::Compression;
use super::error::NarError;
use super::expected::ExpectedNar;
use std::io::{self, Read};

/// Bytes of a file from which on a thread checks it.
pub(super) const WITHOUT_A_THREAD: usize = 64 << 10;

/// Bytes of a file that ends with its nar, of which none may be one of the nar. Streams
/// that any compressor writes have some after 256 KiB.
const MAX_IDLE_BYTES: usize = 4 << 20;

/// The end of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The reader's.
    Reader,
    /// So many bytes, and those that are read together with the last of them.
    Size(u64),
    /// The end of the nar in it.
    Nar,
}

/// The compressed file. It ends where it has more bytes than it may have.
pub(super) struct File<R> {
    pub(super) reader: R,
    pub(super) expected: ExpectedNar,
    end: End,
    /// Compressed bytes so far.
    passed: u64,
    /// Those since the last byte of the nar.
    pub(super) idle: usize,
    has_ended: bool,
    /// The reason why a file that continues was cut off.
    pub(super) excess: Option<NarError>,
    /// The last error of the reader, which a decompressor may wrap or swallow.
    pub(super) fault: Option<io::Error>,
}

impl<R: Read> File<R> {
    /// A file whose nar can be checked.
    pub(super) fn new(reader: R, expected: ExpectedNar, end: End) -> Result<Self, NarError> {
        if let Compression::Other(name) = expected.compression {
            return Err(NarError::Compression(name));
        }
        Ok(Self {
            reader,
            expected,
            end,
            passed: 0,
            idle: 0,
            has_ended: false,
            excess: None,
            fault: None,
        })
    }

    /// Reads the next bytes. The error is the reader's.
    pub(super) fn next(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.has_ended |= self.end == End::Size(self.passed);
        if self.has_ended || self.excess.is_some() {
            return Ok(0);
        }
        let count = loop {
            match self.reader.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
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

    /// The verdict about the file, with that about the nar in it.
    pub(super) fn verdict(
        &mut self,
        nar: Result<(), NarError>,
    ) -> io::Result<Result<(), NarError>> {
        // The end of a small file says more about it than a fault in its middle.
        while nar.is_err()
            && self.end != End::Nar
            && self.passed < WITHOUT_A_THREAD as u64
            && self.next(&mut [0; 1 << 10])? > 0
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

/// For a decompressor.
impl<R: Read> Read for File<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.next(buf).map_err(|error| {
            let kind = error.kind();
            self.fault = Some(error);
            kind.into()
        })
    }
}
