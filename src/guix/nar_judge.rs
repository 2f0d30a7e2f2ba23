//! The judge of a nar: it decompresses and hashes the chunks that it is given,
//! in a thread, and comes to a verdict when they end.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use sha2::{Digest, Sha256};

use super::base32;
use super::compression::Compression;
use super::decompress::decompress;
use super::nar_check::{Expect, NarError};

/// Bytes handed to the thread at a time.
pub const CHUNK_BYTES: usize = 64 << 10;

/// Chunks that may wait for the thread.
const CHUNKS_IN_FLIGHT: usize = 16;

/// What a nar must decompress to.
#[derive(Clone, Debug)]
pub struct Promise {
    compression: Compression,
    nar_hash: [u8; 32],
    nar_size: u64,
}

impl Promise {
    /// What can be judged of `expect`.
    ///
    /// # Errors
    ///
    /// [`NarError::Compression`].
    pub fn of(expect: &Expect<'_>) -> Result<Self, NarError> {
        let compression = expect.compression.clone();
        if let Compression::Other(name) = compression {
            return Err(NarError::Compression(name));
        }
        Ok(Self {
            compression,
            nar_hash: expect.nar_hash,
            nar_size: expect.nar_size,
        })
    }

    /// Judges a whole file at once, without a thread.
    ///
    /// # Errors
    ///
    /// What is wrong with the nar.
    pub fn judge(&self, file: &[u8]) -> Result<(), NarError> {
        judge(file, self)
    }
}

/// A running check. Dropping it ends its thread.
#[derive(Debug)]
pub struct Judge {
    chunks: Option<SyncSender<Vec<u8>>>,
    pub(super) abandoned: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), NarError>>>,
    compression: Compression,
}

impl Judge {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// [`NarError::Thread`].
    pub fn start(promise: &Promise) -> Result<Self, NarError> {
        let (chunks, received) = sync_channel(CHUNKS_IN_FLIGHT);
        let abandoned = Arc::new(AtomicBool::new(false));
        let source = Chunks {
            received,
            abandoned: Arc::clone(&abandoned),
            chunk: Vec::new(),
            used: 0,
        };
        let kept = promise.clone();
        let thread = thread::Builder::new()
            .name("nar-check".to_owned())
            .spawn(move || judge(source, &kept))
            .map_err(|error| NarError::Thread(error.to_string()))?;
        Ok(Self {
            chunks: Some(chunks),
            abandoned,
            thread: Some(thread),
            compression: promise.compression.clone(),
        })
    }

    /// Hands a chunk over, waiting while too many are under way.
    ///
    /// # Errors
    ///
    /// The verdict, where the thread has come to it before the end.
    pub fn take(&mut self, chunk: Vec<u8>) -> Result<(), NarError> {
        let sent = self.chunks.as_ref().map(|chunks| chunks.send(chunk));
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => {
                self.verdict()?;
                Err(self.corrupt("something follows its end"))
            }
        }
    }

    /// Ends the input and waits for the verdict, which is given only once.
    ///
    /// # Errors
    ///
    /// What is wrong with the nar.
    pub fn verdict(&mut self) -> Result<(), NarError> {
        self.chunks = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(verdict)) => verdict,
            Some(Err(_)) | None => Err(self.corrupt("the decompressor broke down")),
        }
    }

    /// Ends the thread, whatever it has yet to read.
    pub fn abandon(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        // Nobody asks for its verdict any more.
        let _ = self.verdict();
    }

    fn corrupt(&self, reason: &str) -> NarError {
        NarError::Corrupt {
            compression: self.compression.clone(),
            reason: reason.to_owned(),
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// Reads a nar to its end; `source` is only left unread after an error.
fn judge(source: impl BufRead, promise: &Promise) -> Result<(), NarError> {
    let Promise {
        compression,
        nar_hash,
        nar_size,
    } = promise;
    let nar_size = *nar_size;
    let mut nar = decompress(compression, source)
        .ok_or_else(|| NarError::Compression(compression.to_string()))?;
    // On the stack: between the small things that a run keeps, many large ones
    // that come and go would leave holes in the heap.
    let mut buf = [0; 16 << 10];
    let mut hasher = Sha256::new();
    let mut got: u64 = 0;
    loop {
        let count = match nar.read(&mut buf) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
                return Err(NarError::Window(compression.clone()));
            }
            Err(error) => {
                return Err(NarError::Corrupt {
                    compression: compression.clone(),
                    reason: error.to_string(),
                });
            }
        };
        got += count as u64;
        if got > nar_size {
            return Err(NarError::TooLong { expected: nar_size });
        }
        hasher.update(&buf[..count]);
    }
    if got < nar_size {
        return Err(NarError::TooShort {
            expected: nar_size,
            got,
        });
    }
    let hash: [u8; 32] = hasher.finalize().into();
    if hash != *nar_hash {
        return Err(NarError::Hash {
            expected: base32::encode(nar_hash),
            got: base32::encode(&hash),
        });
    }
    Ok(())
}

/// The chunks as a reader; ends when the sender is dropped.
struct Chunks {
    received: Receiver<Vec<u8>>,
    abandoned: Arc<AtomicBool>,
    chunk: Vec<u8>,
    used: usize,
}

impl BufRead for Chunks {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.used == self.chunk.len() {
            if self.abandoned.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.used = 0;
            match self.received.recv() {
                Ok(chunk) => self.chunk = chunk,
                Err(_) => {
                    self.chunk = Vec::new();
                    break;
                }
            }
        }
        Ok(self.chunk.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        self.used = self.chunk.len().min(self.used + count);
    }
}

impl Read for Chunks {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut available = self.fill_buf()?;
        let count = available.read(buf)?;
        self.consume(count);
        Ok(count)
    }
}
