//! The thread that decompresses and hashes a nar while it is downloaded.

use super::error::NarError;
use super::expected::ExpectedNar;
use super::relay::{RelayWriter, relay};
use super::unpacking::check;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// A running check. Dropping it ends its thread.
#[derive(Debug)]
pub(super) struct Checker {
    relay: Option<RelayWriter>,
    thread: Option<JoinHandle<Result<(), NarError>>>,
    pub(super) expected: Arc<ExpectedNar>,
}

impl Checker {
    /// Starts the thread.
    pub(super) fn start(expected: &ExpectedNar) -> Result<Self, NarError> {
        let (relay, file) = relay();
        let expected = Arc::new(expected.clone());
        let shared = Arc::clone(&expected);
        let thread = thread::Builder::new()
            .name("nar-check".to_owned())
            .spawn(move || check(&shared, file))
            .map_err(|error| NarError::Thread(error.to_string()))?;
        Ok(Self {
            relay: Some(relay),
            thread: Some(thread),
            expected,
        })
    }

    /// Hands bytes over, and waits while the thread has enough of them. The error is
    /// the thread's, if it found one before the end.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), NarError> {
        if self.relay.as_mut().is_some_and(|relay| relay.write(bytes)) {
            return Ok(());
        }
        self.finish()?;
        Err(NarError::Followed(self.expected.compression.clone()))
    }

    /// Ends the input and waits for the result, which is given only once.
    pub(super) fn finish(&mut self) -> Result<(), NarError> {
        self.relay = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(NarError::Corrupt {
                compression: self.expected.compression.clone(),
                reason: "the decompressor failed".to_owned(),
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
