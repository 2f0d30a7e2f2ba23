//! Single requests for any file of a server, each in one try: for a person who wants to
//! know how the server answers.

use super::body::PacedBody;
use super::client::UpstreamClient;
use super::error::HttpError;
use std::io::Read;
use std::time::{Duration, Instant};
use ureq::http::{HeaderMap, HeaderValue};

/// The answer to a request, whatever its status.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The URL that answered, after redirects, as it may be shown.
    pub url: String,
    /// The HTTP status.
    pub status: u16,
    /// The time until the head of the answer was there.
    pub first_byte: Duration,
    /// The beginning of the body, or all of it.
    pub body: Vec<u8>,
    headers: HeaderMap<HeaderValue>,
}

impl HttpAnswer {
    /// The value of a header, named in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl UpstreamClient {
    /// Asks for the file at `path` below the base, in one try, and reads at most `most`
    /// bytes of its body. Redirects are followed.
    ///
    /// # Errors
    /// A redirect that is not followed, and the errors of the connection. A status is
    /// not an error.
    pub fn ask(
        &self,
        path: &str,
        headers: &[(&'static str, String)],
        most: u64,
    ) -> Result<HttpAnswer, HttpError> {
        let begun = Instant::now();
        let (url, response) = self.get_following(format!("{}/{path}", self.base()), headers)?;
        let first_byte = begun.elapsed();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = PacedBody::of(url.clone(), response, self.body_limits()).take(most);
        let mut bytes = Vec::new();
        body.read_to_end(&mut bytes).map_err(HttpError::from_io)?;
        Ok(HttpAnswer {
            url,
            status,
            first_byte,
            body: bytes,
            headers,
        })
    }
}
