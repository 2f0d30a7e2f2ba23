//! The thread that decompresses and hashes a nar while it is downloaded.

use super::error::NarError;
use super::expected::ExpectedNar;
use super::unpacking::check;
use std::io::{self, BufReader, BufWriter, PipeWriter, Write};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// Bytes that are written and read at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// A running check. Dropping it ends its thread.
#[derive(Debug)]
pub(super) struct Checker {
    /// Flushed when it is dropped.
    pipe: Option<BufWriter<PipeWriter>>,
    thread: Option<JoinHandle<Result<(), NarError>>>,
    pub(super) expected: Arc<ExpectedNar>,
}

impl Checker {
    /// Starts the thread.
    pub(super) fn start(expected: &ExpectedNar) -> Result<Self, NarError> {
        let cannot_start = |error: io::Error| NarError::Thread(error.to_string());
        let (reader, writer) = io::pipe().map_err(cannot_start)?;
        let expected = Arc::new(expected.clone());
        let shared = Arc::clone(&expected);
        let file = BufReader::with_capacity(BUFFER_BYTES, reader);
        let thread = thread::Builder::new()
            .name("nar-check".to_owned())
            .spawn(move || check(&shared, file))
            .map_err(cannot_start)?;
        Ok(Self {
            pipe: Some(BufWriter::with_capacity(BUFFER_BYTES, writer)),
            thread: Some(thread),
            expected,
        })
    }

    /// Hands bytes over, and waits while the thread has enough of them. The error is
    /// the thread's, if it has come to one before the end.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        match self.pipe.as_mut().map(|pipe| pipe.write_all(bytes)) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => {
                self.finish()?;
                Err(NarError::Followed(self.expected.compression.clone()))
            }
        }
    }

    /// Ends the input and waits for the result, which is given only once.
    pub(super) fn finish(&mut self) -> Result<(), NarError> {
        self.pipe = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(NarError::Corrupt {
                compression: self.expected.compression.clone(),
                reason: "the decompressor broke down".to_owned(),
                is_whole: true,
            }),
        }
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        // The result is not needed any more.
        let _ = self.finish();
    }
}
