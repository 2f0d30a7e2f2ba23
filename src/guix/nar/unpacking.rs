//! The nar that a file holds, while it is decompressed.

use super::super::base32;
use super::super::compression::Compression;
use super::decompress::{Decompressor, begins_as};
use super::error::NarError;
use super::expected::ExpectedNar;
use super::input::Input;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Read};

/// Bytes that are decompressed at a time.
pub(super) const STEP_BYTES: usize = 16 << 10;

/// Decompresses a file and checks the nar in it. `file` is read to its end, except
/// after an error.
pub(super) fn check(expected: &ExpectedNar, file: impl BufRead) -> Result<(), NarError> {
    let mut unpacking = Unpacking::new(expected.clone(), file)?;
    // On the stack: many large buffers that come and go between the small things
    // that a run keeps would leave holes in the heap.
    while unpacking.step(&mut [0; STEP_BYTES])? > 0 {}
    Ok(())
}

/// A file that is decompressed and compared with the nar expected.
pub(super) struct Unpacking<S: BufRead> {
    expected: ExpectedNar,
    decompressor: Decompressor<S>,
    hasher: Sha256,
    /// Bytes of the nar so far.
    got: u64,
    /// The file begins as one of its compression.
    begins_well: bool,
    /// The file ends where the nar does, whatever the source may have beyond.
    pub(super) ends_with_nar: bool,
}

impl<S: BufRead> Unpacking<S> {
    /// Begins with a file that ends where the source does.
    pub(super) fn new(expected: ExpectedNar, source: S) -> Result<Self, NarError> {
        let mut input = Input::new(source);
        let compression = &expected.compression;
        // An error is repeated when the input is read next.
        let begins_well = begins_as(compression, &mut input).unwrap_or(true);
        let decompressor = Decompressor::new(compression, input);
        Ok(Self {
            decompressor: decompressor
                .ok_or_else(|| NarError::Compression(compression.to_string()))?,
            expected,
            hasher: Sha256::new(),
            got: 0,
            begins_well,
            ends_with_nar: false,
        })
    }

    /// The source.
    pub(super) fn source(&mut self) -> Option<&mut S> {
        self.decompressor.input().map(|input| &mut input.source)
    }

    /// Decompresses some more of the nar, into a buffer that is not empty. Returns the
    /// number of bytes; 0 where that was all, and the nar is the one expected.
    pub(super) fn step(&mut self, buf: &mut [u8]) -> Result<usize, NarError> {
        let count = loop {
            match self.decompressor.read(buf) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(&error)),
            }
        };
        if count == 0 {
            return self.end().map(|()| 0);
        }
        self.got = self.got.saturating_add(count as u64);
        if self.got > self.expected.nar_size {
            return Err(self.unless_no_nar(NarError::TooLong(self.expected.nar_size)));
        }
        self.hasher.update(&buf[..count]);
        if self.ends_with_nar
            && self.is_whole()
            && let Some(input) = self.decompressor.input()
        {
            input.is_enough = true;
        }
        Ok(count)
    }

    fn is_whole(&self) -> bool {
        self.got == self.expected.nar_size && self.hash() == self.expected.nar_hash
    }

    /// Streams that have ended well.
    fn streams(&mut self) -> u64 {
        self.decompressor.input().map_or(0, |input| input.streams)
    }

    fn hash(&self) -> [u8; 32] {
        self.hasher.clone().finalize().into()
    }

    /// The verdict about a file that ended well.
    fn end(&mut self) -> Result<(), NarError> {
        let hash = self.hash();
        let streams = self.streams();
        let compression = &self.expected.compression;
        let is_cut = *compression == Compression::None || streams == 0;
        let error = match self.got < self.expected.nar_size {
            true if is_cut => NarError::Cut(compression.clone()),
            true => NarError::TooShort {
                expected: self.expected.nar_size,
                got: self.got,
            },
            false if hash == self.expected.nar_hash => return Ok(()),
            false => NarError::Hash {
                expected: base32::encode(&self.expected.nar_hash),
                got: base32::encode(&hash),
            },
        };
        Err(self.unless_no_nar(error))
    }

    /// The error, unless the file is something else altogether.
    fn unless_no_nar(&self, error: NarError) -> NarError {
        match self.begins_well {
            true => error,
            false => NarError::Foreign(self.expected.compression.clone()),
        }
    }

    /// The reason for an error of the decompressor.
    fn failure(&mut self, error: &io::Error) -> NarError {
        let compression = self.expected.compression.clone();
        let is_whole = self.is_whole();
        let has_ended = self.decompressor.input().is_some_and(|it| it.has_ended);
        match error.kind() {
            io::ErrorKind::OutOfMemory => NarError::Window(compression),
            _ if !self.begins_well => NarError::Foreign(compression),
            _ if is_whole && self.streams() > 0 => NarError::Followed(compression),
            _ if has_ended => NarError::Cut(compression),
            _ => NarError::Corrupt {
                compression,
                reason: error.to_string(),
                is_whole: self.expected.file_size.is_some(),
            },
        }
    }
}
