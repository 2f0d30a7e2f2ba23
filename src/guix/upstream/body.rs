//! The body of an answer, with the limits of its rate.

use super::error::HttpError;
use super::pace::Pace;
use super::rate::RateLimit;
use std::io::{self, Read};
use std::time::{Duration, Instant};
use ureq::Body;
use ureq::http::Response;

/// The limits of the rate at which a body is received.
#[derive(Clone, Debug)]
pub(super) struct BodyLimits {
    /// The time over which the least rate is measured.
    pub window: Duration,
    /// The highest rate of all bodies together.
    pub rate: RateLimit,
}

/// A body whose errors name the URL, and that fails where it is received too slowly.
pub(super) struct PacedBody {
    reader: Box<dyn Read + Send>,
    url: String,
    pace: Pace,
    rate: RateLimit,
}

impl PacedBody {
    pub(super) fn of(url: String, response: Response<Body>, limits: BodyLimits) -> Self {
        Self {
            reader: Box::new(response.into_body().into_reader()),
            url,
            pace: Pace::new(limits.window),
            rate: limits.rate,
        }
    }

    /// Closes the connection, if it is still open.
    pub(super) fn hang_up(&mut self) {
        self.reader = Box::new(io::empty());
    }

    /// Continues with another answer's body, at the pace of the body so far.
    pub(super) fn continue_with(&mut self, url: String, response: Response<Body>) {
        self.reader = Box::new(response.into_body().into_reader());
        self.url = url;
    }

    /// The URL that it is read from.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

impl Read for PacedBody {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = self.rate.portion(buf.len());
        let begun = Instant::now();
        let count = match self.reader.read(&mut buf[..most]) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(HttpError::of_body(&self.url, error).into_io()),
        };
        // The wait for the limit is not the server's.
        let paced = self.pace.count(count, begun.elapsed());
        self.rate.pay(count);
        match paced {
            // A late end is an end all the same.
            Err(reason) if count > 0 => {
                let url = self.url.clone();
                Err(HttpError::Slow { url, reason }.into_io())
            }
            _ => Ok(count),
        }
    }
}
