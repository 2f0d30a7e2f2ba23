//! A compressed file whose length is known only at its end: a server that compresses
//! while it sends has no size to send, and may leave the connection open.

use super::error::NarError;
use super::expected::ExpectedNar;
use super::reader::NarReader;
use super::unpacking::STEP_BYTES;
use std::collections::VecDeque;
use std::io::{self, Read};

/// A file that is read and decompressed up to the end of the nar in it. No byte is beyond
/// the end of the nar's last stream.
pub(super) struct UntilEnd<R: Read> {
    nar: NarReader<Copied<R>>,
}

impl<R: Read> UntilEnd<R> {
    pub(super) fn new(reader: R, expected: ExpectedNar) -> Result<Self, NarError> {
        let bytes = VecDeque::new();
        let nar = NarReader::without_length(Copied { reader, bytes }, expected)?;
        Ok(Self { nar })
    }
}

impl<R: Read> Read for UntilEnd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.nar.repeat()?;
        let mut has_ended = false;
        loop {
            let copied = self.nar.file().map(|file| &mut file.reader.bytes);
            let count = copied.map_or(Ok(0), |bytes| bytes.read(buf))?;
            if count > 0 || has_ended {
                return Ok(count);
            }
            has_ended = self.nar.read(&mut [0; STEP_BYTES])? == 0;
        }
    }
}

/// A reader that keeps a copy of what it reads, to be passed on.
struct Copied<R> {
    reader: R,
    bytes: VecDeque<u8>,
}

impl<R: Read> Read for Copied<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buf)?;
        self.bytes.extend(&buf[..count]);
        Ok(count)
    }
}
