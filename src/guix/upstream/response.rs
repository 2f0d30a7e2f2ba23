//! The answers of a substitute server.

use super::error::{HttpError, refusal};
use super::pace::Pace;
use super::proxy::NamedProxy;
use std::fmt;
use std::io::{self, Read};
use std::time::{Duration, Instant, SystemTime};
use ureq::http::{Response, header};
use ureq::{Body, BodyReader};

/// Bytes of an unwanted body that are read so that its connection can be used again
/// instead of being closed.
const MAX_DRAINED_BYTES: u64 = 16 << 10;

/// A body on its way.
pub struct Download {
    /// The bytes as the server sends them. A read fails with an error that wraps an
    /// [`HttpError`] if the connection breaks, the body is shorter than `length`
    /// (`UnexpectedEof`), or it comes too slowly (`TimedOut`).
    pub reader: Box<dyn Read + Send>,
    /// Content-Length in bytes, if the server gives it.
    pub length: Option<u64>,
    /// The `Content-Encoding` that the server calls it by, though it was not asked for
    /// one. Some so label a file that is stored compressed.
    pub coding: Option<String>,
}

impl Download {
    pub(super) fn of(url: String, response: Response<Body>, window: Duration) -> Self {
        Self {
            coding: coding(&response),
            length: response.body().content_length(),
            reader: Box::new(PacedBody::of(url, response, window)),
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

/// A body whose errors name the URL, and that fails where it comes too slowly.
struct PacedBody {
    reader: BodyReader<'static>,
    url: String,
    pace: Pace,
}

impl PacedBody {
    fn of(url: String, response: Response<Body>, window: Duration) -> Self {
        Self {
            reader: response.into_body().into_reader(),
            url,
            pace: Pace::new(window),
        }
    }
}

impl Read for PacedBody {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let begun = Instant::now();
        let count = match self.reader.read(buf) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return Err(HttpError::of_body(&self.url, error).into_io()),
        };
        match self.pace.count(count, begun.elapsed()) {
            // An end that comes late is an end all the same.
            Err(reason) if count > 0 => {
                let url = self.url.clone();
                Err(HttpError::Slow { url, reason }.into_io())
            }
            _ => Ok(count),
        }
    }
}

/// Returns true where the server marks the end of the body, so that a body that was
/// cut is known for one.
pub(super) fn is_end_marked(response: &Response<Body>) -> bool {
    let encoding = response.headers().get(header::TRANSFER_ENCODING);
    let encoding = encoding.and_then(|encoding| encoding.to_str().ok());
    let is_chunked = encoding.is_some_and(|it| it.to_ascii_lowercase().contains("chunked"));
    is_chunked || response.body().content_length().is_some()
}

/// The `Content-Encoding` of an answer, if it is any but `identity`.
fn coding(response: &Response<Body>) -> Option<String> {
    let values = response.headers().get_all(header::CONTENT_ENCODING).iter();
    let values = values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let names: Vec<_> = values.collect();
    let is_coded = |name: &str| !name.is_empty() && !name.eq_ignore_ascii_case("identity");
    let names = names.join(",");
    let coded: Vec<_> = names
        .split(',')
        .map(str::trim)
        .filter(|name| is_coded(name))
        .collect();
    (!coded.is_empty()).then(|| coded.join(", "))
}

/// Fails for a body that is compressed.
pub(super) fn refuse_coding(url: &str, response: &Response<Body>) -> Result<(), HttpError> {
    let url = url.to_owned();
    match coding(response) {
        Some(coding) => Err(HttpError::Coded { url, coding }),
        None => Ok(()),
    }
}

/// The refusal of a proxy, where it answers and not the server behind it.
pub(super) fn refusal_of(
    proxy: &NamedProxy,
    url: &str,
    response: &Response<Body>,
) -> Option<HttpError> {
    let status = response.status().as_u16();
    // Squid marks its own answers like this: `ERR_ACCESS_DENIED 0`.
    let said = response.headers().get("x-squid-error");
    if status != 407 && said.is_none() {
        return None;
    }
    let said = said.and_then(|said| said.to_str().ok()?.split(' ').next());
    let said = said.map(|said| format!(" ({said})"));
    Some(HttpError::Proxy {
        url: url.to_owned(),
        proxy: proxy.to_string(),
        status: Some(status),
        reason: refusal(status) + &said.unwrap_or_default(),
    })
}

/// Reads a whole body of at most `limit` bytes.
pub(super) fn read_all(
    url: &str,
    response: Response<Body>,
    limit: u64,
    window: Duration,
) -> Result<Vec<u8>, HttpError> {
    let too_large = || HttpError::TooLarge {
        url: url.to_owned(),
        limit,
    };
    let length = response.body().content_length();
    if length.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    let mut body = PacedBody::of(url.to_owned(), response, window).take(limit + 1);
    body.read_to_end(&mut bytes).map_err(HttpError::from_io)?;
    match bytes.len() as u64 > limit {
        true => Err(too_large()),
        false => Ok(bytes),
    }
}

/// Reads a small body to its end.
pub(super) fn drain(response: Response<Body>, window: Duration) {
    let mut body = PacedBody::of(String::new(), response, window).take(MAX_DRAINED_BYTES);
    // An error only closes the connection.
    let _ = io::copy(&mut body, &mut io::sink());
}

/// The error of an answer with a status that is not expected.
pub(super) fn unexpected_status(url: String, response: &Response<Body>) -> HttpError {
    let value = response.headers().get(header::RETRY_AFTER);
    let retry_after = value.and_then(|value| {
        let value = value.to_str().ok()?.trim();
        let seconds = value.parse().map(Duration::from_secs).ok();
        // A date in the past asks for no pause.
        let until = |date: SystemTime| date.duration_since(SystemTime::now()).unwrap_or_default();
        seconds.or_else(|| httpdate::parse_http_date(value).ok().map(until))
    });
    HttpError::Status {
        url,
        status: response.status().as_u16(),
        retry_after,
    }
}

/// The `Location` as written; empty if there is none.
pub(super) fn location(response: &Response<Body>) -> String {
    let value = response.headers().get(header::LOCATION);
    let bytes = value.map_or(&[][..], |value| value.as_bytes());
    String::from_utf8_lossy(bytes).into_owned()
}
