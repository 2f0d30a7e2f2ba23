//! Bytes on their way from one thread to another, in a few buffers that are used again.
//!
//! A pipe would do the same with two copies more and a call of the system for each
//! 64 KiB, half as much time as hashing them takes.

use std::io::{self, BufRead, Cursor, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Bytes in a buffer.
const BUFFER_BYTES: usize = 64 << 10;

/// Full buffers that may wait. Together with those that are filled and read it is all
/// the memory that a relay takes.
const WAITING: usize = 4;

/// The end that takes bytes. What it still holds is handed over when it is dropped.
#[derive(Debug)]
pub(super) struct RelayWriter {
    filling: Vec<u8>,
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
}

/// The end that gives them. It ends when the writer is dropped.
#[derive(Debug)]
pub(super) struct RelayReader {
    reading: Cursor<Vec<u8>>,
    full: Receiver<Vec<u8>>,
    empty: SyncSender<Vec<u8>>,
}

/// Both ends of a relay.
pub(super) fn relay() -> (RelayWriter, RelayReader) {
    let (to_read, full) = sync_channel(WAITING);
    // Room for every buffer there is, so that none is waited for.
    let (empty, to_fill) = sync_channel(WAITING + 2);
    let writer = RelayWriter {
        filling: Vec::new(),
        full: to_read,
        empty: to_fill,
    };
    let reader = RelayReader {
        reading: Cursor::default(),
        full,
        empty,
    };
    (writer, reader)
}

impl RelayWriter {
    /// Hands bytes over, and waits while the reader has enough of them. Returns false
    /// where nobody reads any more.
    pub(super) fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let room = BUFFER_BYTES - self.filling.len();
            let (taken, rest) = bytes.split_at(room.min(bytes.len()));
            self.filling.extend_from_slice(taken);
            bytes = rest;
            if self.filling.len() == BUFFER_BYTES && !self.hand_over() {
                return false;
            }
        }
        true
    }

    fn hand_over(&mut self) -> bool {
        let next = self.empty.try_recv();
        let mut next = next.unwrap_or_else(|_| Vec::with_capacity(BUFFER_BYTES));
        next.clear();
        let full = std::mem::replace(&mut self.filling, next);
        self.full.send(full).is_ok()
    }
}

impl Drop for RelayWriter {
    fn drop(&mut self) {
        if !self.filling.is_empty() {
            self.hand_over();
        }
    }
}

impl BufRead for RelayReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.reading.fill_buf()?.is_empty() {
            let next = self.full.recv().unwrap_or_default();
            let read = std::mem::replace(&mut self.reading, Cursor::new(next));
            // The writer may be gone, and needs no buffer then.
            let _ = self.empty.try_send(read.into_inner());
        }
        self.reading.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.reading.consume(count);
    }
}

impl Read for RelayReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn what_is_written_in_any_pieces_is_read() {
        let sent = (0..BUFFER_BYTES * 9 + 7).map(|i| ((i * 31) >> 3) as u8);
        let sent: Vec<_> = sent.collect();
        for piece in [1000, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES * 3 + 1] {
            let (mut writer, mut reader) = relay();
            let read = thread::spawn(move || {
                let mut read = Vec::new();
                reader.read_to_end(&mut read).map(|_| read)
            });
            assert!(sent.chunks(piece).all(|bytes| writer.write(bytes)));
            drop(writer);
            let read = read.join().unwrap().unwrap();
            assert!(read == sent, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_writer_learns_that_nobody_reads() {
        let (mut writer, reader) = relay();
        drop(reader);
        assert!(!writer.write(&[0; BUFFER_BYTES]));
    }

    #[test]
    fn nothing_written_is_an_end_at_once() {
        let (writer, mut reader) = relay();
        drop(writer);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
        assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
    }
}
