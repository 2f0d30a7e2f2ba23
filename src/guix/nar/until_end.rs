//! A compressed file whose length is known only at its end: a server that compresses
//! while it sends has no size to send, and may leave the connection open.

use super::error::NarError;
use super::expected::ExpectedNar;
use super::unpacking::Unpacking;
use std::collections::VecDeque;
use std::io::{self, BufReader, Read};

/// Bytes that are read at a time.
const CHUNK_BYTES: usize = 32 << 10;

/// Bytes of a file that may pass without one of the nar. Streams that any compressor
/// writes have some after 256 KiB.
const MAX_IDLE_BYTES: usize = 4 << 20;

/// A file that is read and decompressed up to the end of the nar in it.
pub(super) struct UntilEnd<R: Read> {
    expected: ExpectedNar,
    unpacking: Unpacking<BufReader<Copied<R>>>,
    is_ended: bool,
}

/// A step on the way through a file.
pub(super) enum Step {
    /// Bytes of the file.
    Passed(usize),
    /// The end, with the verdict.
    Ended(Result<(), NarError>),
}

impl<R: Read> UntilEnd<R> {
    pub(super) fn new(reader: R, expected: ExpectedNar) -> Result<Self, NarError> {
        let copied = Copied {
            reader,
            bytes: VecDeque::new(),
            left: expected.file_limit(),
            fault: None,
        };
        let source = BufReader::with_capacity(CHUNK_BYTES, copied);
        Ok(Self {
            unpacking: Unpacking::until_its_end(&expected, source)?,
            expected,
            is_ended: false,
        })
    }

    /// Reads the next bytes of the file. None is beyond the end of the nar's last
    /// stream.
    pub(super) fn step(&mut self, buf: &mut [u8]) -> io::Result<Step> {
        loop {
            if let Some(source) = self.unpacking.source() {
                let count = source.get_mut().bytes.read(buf)?;
                if count > 0 {
                    return Ok(Step::Passed(count));
                }
            }
            if self.is_ended {
                return Ok(Step::Ended(Ok(())));
            }
            let stepped = self.unpacking.step(&self.expected);
            let source = self.unpacking.source();
            match source.and_then(|source| source.get_mut().fault.take()) {
                Some(Fault::Reader(error)) => return Err(error),
                Some(Fault::Endless) => {
                    let limit = self.expected.file_limit();
                    return Ok(Step::Ended(Err(NarError::FileEndless(limit))));
                }
                None => {}
            }
            match stepped {
                Ok(has_more) => self.is_ended = !has_more,
                Err(error) => return Ok(Step::Ended(Err(error))),
            }
        }
    }
}

/// A reader that keeps a copy of what it reads, to be passed on.
struct Copied<R> {
    reader: R,
    bytes: VecDeque<u8>,
    /// Bytes that the file may still have.
    left: u64,
    /// The reason for the last error, which a decompressor may wrap or swallow.
    fault: Option<Fault>,
}

enum Fault {
    Reader(io::Error),
    Endless,
}

impl<R: Read> Read for Copied<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = loop {
            match self.reader.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    self.fault = Some(Fault::Reader(error));
                    return Err(kind.into());
                }
                Ok(count) => break count,
            }
        };
        self.left = self.left.saturating_sub(count as u64);
        if self.left == 0 || self.bytes.len() + count > MAX_IDLE_BYTES {
            self.fault = Some(Fault::Endless);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend(&buf[..count]);
        Ok(count)
    }
}
