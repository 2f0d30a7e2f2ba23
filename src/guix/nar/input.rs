//! The compressed bytes on their way into a decompressor.

use std::io::{self, BufRead, Read};

/// The bytes of a file, with what the check needs to know of them. A decompressor
/// calls [`Input::next_stream`] between two streams.
#[derive(Debug)]
pub(super) struct Input<S> {
    pub(super) source: S,
    /// Bytes that the source has at hand.
    at_hand: usize,
    /// The source has ended.
    pub(super) has_ended: bool,
    /// Streams that have ended well.
    pub(super) streams: u64,
    /// Nothing more is waited for where a stream has ended.
    pub(super) is_enough: bool,
}

impl<S: BufRead> Input<S> {
    pub(super) fn new(source: S) -> Self {
        Self {
            source,
            at_hand: 0,
            has_ended: false,
            streams: 0,
            is_enough: false,
        }
    }

    /// Records the end of a stream. Returns true if another follows. Where it is
    /// enough, only bytes that were received already are looked at.
    pub(super) fn next_stream(&mut self) -> io::Result<bool> {
        self.streams += 1;
        match self.is_enough && self.at_hand == 0 {
            true => Ok(false),
            false => Ok(!self.fill_buf()?.is_empty()),
        }
    }
}

impl<S: BufRead> Read for Input<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buf)?;
        self.consume(count);
        Ok(count)
    }
}

impl<S: BufRead> BufRead for Input<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let bytes = self.source.fill_buf()?;
        self.at_hand = bytes.len();
        self.has_ended = bytes.is_empty();
        Ok(bytes)
    }

    fn consume(&mut self, count: usize) {
        self.at_hand = self.at_hand.saturating_sub(count);
        self.source.consume(count);
    }
}
