//! The answers of a substitute server.

use super::body::{BodyLimits, PacedBody};
use super::error::HttpError;
use super::failed_call::refusal;
use super::proxy::NamedProxy;
use std::io::{self, Read};
use std::time::{Duration, SystemTime};
use ureq::Body;
use ureq::http::{Response, header};

/// Bytes of an unwanted body that are read so that its connection can be used again
/// instead of being closed.
const MAX_DRAINED_BYTES: u64 = 16 << 10;

/// Returns true where the server marks the end of the body, so that a body that was
/// cut is known for one.
pub(super) fn is_end_marked(response: &Response<Body>) -> bool {
    let encoding = response.headers().get(header::TRANSFER_ENCODING);
    let encoding = encoding.and_then(|encoding| encoding.to_str().ok());
    let is_chunked = encoding.is_some_and(|it| it.to_ascii_lowercase().contains("chunked"));
    is_chunked || response.body().content_length().is_some()
}

/// The `Content-Encoding` of an answer, if it is any but `identity`.
pub(super) fn coding(response: &Response<Body>) -> Option<String> {
    let values = response.headers().get_all(header::CONTENT_ENCODING).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let names = names.map(|name| String::from_utf8_lossy(name).trim().to_owned());
    let is_coded = |name: &String| !name.is_empty() && !name.eq_ignore_ascii_case("identity");
    let coded: Vec<_> = names.filter(is_coded).collect();
    (!coded.is_empty()).then(|| coded.join(", "))
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

/// Reads a body of at most `limit` bytes, which is not compressed.
pub(super) fn read_all(
    url: &str,
    response: Response<Body>,
    limit: u64,
    limits: BodyLimits,
) -> Result<Vec<u8>, HttpError> {
    let url = url.to_owned();
    if let Some(coding) = coding(&response) {
        return Err(HttpError::Coded { url, coding });
    }
    let length = response.body().content_length();
    if length.is_some_and(|length| length > limit) {
        return Err(HttpError::TooLarge { url, limit });
    }
    let mut bytes = Vec::new();
    let mut body = PacedBody::of(url.clone(), response, limits).take(limit + 1);
    body.read_to_end(&mut bytes).map_err(HttpError::from_io)?;
    match bytes.len() as u64 > limit {
        true => Err(HttpError::TooLarge { url, limit }),
        false => Ok(bytes),
    }
}

/// Reads a small body to its end.
pub(super) fn drain(response: Response<Body>, limits: BodyLimits) {
    let mut body = PacedBody::of(String::new(), response, limits).take(MAX_DRAINED_BYTES);
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
