//! A download that continues where its connection broke.

use super::body::{BodyLimits, PacedBody};
use super::error::HttpError;
use super::range::RangedFile;
use super::response::{coding, unexpected_status};
use crate::util::diagnosis::{Diagnosis, Retry};
use crate::util::retry::Tries;
use crate::util::stop::Stop;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use ureq::Body;
use ureq::http::Response;

/// Bytes after which the tries are counted from zero: a server that sends less with
/// each connection counts as one that sends nothing.
const PROGRESS_BYTES: u64 = 256 << 10;

/// The same under a limit of the rate, in seconds: a server may have too little
/// patience for so slow a reader.
const PROGRESS_SECONDS: u64 = 10;

/// A body on its way.
pub struct Download {
    /// The bytes as the server sends them. A read fails with an error that wraps an
    /// [`HttpError`] if the connection breaks, the body is shorter than `length`
    /// (`UnexpectedEof`), or it is received too slowly (`TimedOut`).
    pub reader: Box<dyn Read + Send>,
    /// Content-Length in bytes, if the server gives it.
    pub length: Option<u64>,
    /// The `Content-Encoding` that the server calls it by, though it was not asked for
    /// one. Some so label a file that is stored compressed.
    pub coding: Option<String>,
    /// Set once the connection broke and the server was asked for the rest, so that
    /// the bytes may be of two versions of the file.
    pub is_resumed: Arc<AtomicBool>,
}

/// A request for the same file with these headers. Returns the answer and its URL.
pub(super) type Again =
    Box<dyn FnMut(&[(&'static str, String)]) -> Result<(String, Response<Body>), HttpError> + Send>;

impl Download {
    /// The body of an answer, in one piece.
    pub(super) fn of(url: String, response: Response<Body>, limits: BodyLimits) -> Self {
        Self {
            length: response.body().content_length(),
            coding: coding(&response),
            reader: Box::new(PacedBody::of(url, response, limits)),
            is_resumed: Arc::default(),
        }
    }

    /// The same, whose rest is asked for with `again` where the server allows that.
    pub(super) fn resumable(
        url: String,
        response: Response<Body>,
        limits: BodyLimits,
        again: Again,
        stop: Stop,
    ) -> Self {
        let Some(file) = RangedFile::of(&response) else {
            return Self::of(url, response, limits);
        };
        let under_limit = limits.rate.bytes_in(PROGRESS_SECONDS);
        let is_resumed = Arc::<AtomicBool>::default();
        let body = ResumedBody {
            progress: under_limit.unwrap_or(u64::MAX).min(PROGRESS_BYTES),
            body: PacedBody::of(url, response, limits),
            again,
            at: 0,
            tries: Tries::default(),
            counted_from: 0,
            stop,
            is_resumed: Arc::clone(&is_resumed),
            file,
        };
        Self {
            length: Some(body.file.total),
            coding: None,
            reader: Box::new(body),
            is_resumed,
        }
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// A body in parts, each from where the one before broke off.
struct ResumedBody {
    body: PacedBody,
    file: RangedFile,
    again: Again,
    /// Bytes so far.
    at: u64,
    tries: Tries,
    /// The byte from which on the tries are counted.
    counted_from: u64,
    /// Bytes after which they are counted from zero.
    progress: u64,
    stop: Stop,
    is_resumed: Arc<AtomicBool>,
}

impl Read for ResumedBody {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            let failed = match self.body.read(buf) {
                Ok(0) if self.at < self.file.total => HttpError::Cut {
                    url: self.body.url().to_owned(),
                    source: io::ErrorKind::UnexpectedEof.into(),
                },
                Ok(count) => {
                    self.pass(count);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                Err(error) => HttpError::from_io(error),
            };
            if failed.retry() == Retry::Never {
                return Err(failed.into_io());
            }
            self.resume(failed).map_err(HttpError::into_io)?;
        }
    }
}

impl ResumedBody {
    fn pass(&mut self, count: usize) {
        self.at = self.at.saturating_add(count as u64);
        if self.at - self.counted_from >= self.progress {
            self.counted_from = self.at;
            self.tries = Tries::default();
        }
    }

    /// Asks for the rest until it is answered, by the policy towards the network.
    fn resume(&mut self, mut failed: HttpError) -> Result<(), HttpError> {
        self.body.hang_up();
        self.is_resumed.store(true, Ordering::Relaxed);
        loop {
            let next = self.tries.pause_after(failed, &self.stop);
            next.map_err(|source| HttpError::GivenUp {
                source: Box::new(source),
                at: self.at,
                total: self.file.total,
            })?;
            failed = match (self.again)(&self.file.request(self.at)) {
                Ok((url, answer)) => {
                    let Some(reason) = self.file.fault_of(self.at, &answer) else {
                        self.body.continue_with(url, answer);
                        return Ok(());
                    };
                    let status = unexpected_status(url.clone(), &answer);
                    match status.retry() {
                        Retry::Never => return Err(HttpError::NotResumed { url, reason }),
                        _ => status,
                    }
                }
                Err(error) => error,
            };
        }
    }
}
