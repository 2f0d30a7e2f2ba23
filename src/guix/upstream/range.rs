//! The rest of a file that broke off: the request for it, and the answers that give
//! it (RFC 9110, sections 13.1.5 and 14).

use super::response::coding;
use std::time::Duration;
use ureq::Body;
use ureq::http::{HeaderMap, HeaderValue, Response, header};

/// The least age of a `Last-Modified` that distinguishes two versions of a file:
/// within a minute it could have changed twice, or the clocks differ (section
/// 8.8.2.2).
const LEAST_AGE: Duration = Duration::from_secs(60);

/// A file of which the rest can be asked for, as the first answer describes it.
#[derive(Debug)]
pub(super) struct RangedFile {
    /// Its size, in bytes.
    pub total: u64,
    /// The header that holds the validator, `ETag` or `Last-Modified`.
    name: &'static str,
    /// A strong validator: equal for equal bytes only.
    validator: HeaderValue,
}

impl RangedFile {
    /// The file of a complete answer; `None` where the server gives no length, no strong
    /// validator, or does not offer ranges.
    pub(super) fn of(response: &Response<Body>) -> Option<Self> {
        let headers = response.headers();
        let offers = headers.get_all(header::ACCEPT_RANGES).iter();
        let mut offers = offers.filter_map(|value| value.to_str().ok());
        if coding(response).is_some()
            || offers.any(|value| value.trim().eq_ignore_ascii_case("none"))
        {
            return None;
        }
        let total = response.body().content_length()?;
        let (name, validator) = match headers.get("etag") {
            Some(tag) => ("etag", is_strong(tag).then_some(tag)?),
            None => ("last-modified", date_of_old(headers)?),
        };
        Some(Self {
            total,
            name,
            validator: validator.clone(),
        })
    }

    /// The headers of a request for the bytes from `from` on.
    pub(super) fn request(&self, from: u64) -> [(&'static str, String); 2] {
        // A validator is visible ASCII, or it would not have been taken.
        let validator = self.validator.to_str().unwrap_or_default().to_owned();
        [("range", format!("bytes={from}-")), ("if-range", validator)]
    }

    /// The reason why an answer to that request does not give what was asked for.
    pub(super) fn fault_of(&self, from: u64, answer: &Response<Body>) -> Option<&'static str> {
        match answer.status().as_u16() {
            206 => {}
            200 => return Some("the server sends all of it, which may have changed"),
            _ => return Some("the server does not send the rest"),
        }
        let headers = answer.headers();
        let range = headers.get(header::CONTENT_RANGE);
        let range = range.and_then(|range| content_range(range.to_str().ok()?));
        let Some((first, last, total)) = range else {
            return Some("the server does not say which part it sends");
        };
        if (first, total) != (from, self.total) || !(first..total).contains(&last) {
            return Some("the server sends another part than asked for");
        }
        if answer.body().content_length() != Some(last - first + 1) {
            return Some("the server sends a part without its length");
        }
        if coding(answer).is_some() {
            return Some("the server sends the rest compressed once more");
        }
        let validator = headers.get(self.name);
        match validator.is_none_or(|validator| *validator == self.validator) {
            true => None,
            false => Some("it has changed on the server"),
        }
    }
}

fn is_strong(tag: &HeaderValue) -> bool {
    let tag = tag.to_str().unwrap_or_default();
    tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"')
}

/// `Last-Modified`, where that is long enough ago.
fn date_of_old(headers: &HeaderMap) -> Option<&HeaderValue> {
    let date = |name| httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok();
    let age = date(header::DATE)?.duration_since(date(header::LAST_MODIFIED)?);
    let is_old = age.is_ok_and(|age| age >= LEAST_AGE);
    headers.get(header::LAST_MODIFIED).filter(|_| is_old)
}

/// First byte, last byte and size of the file in `bytes 0-9/20`.
fn content_range(value: &str) -> Option<(u64, u64, u64)> {
    let (unit, range) = value.trim().split_once(' ')?;
    let (range, total) = range.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let range = (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    unit.eq_ignore_ascii_case("bytes").then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_is_read_only_where_it_says_all() {
        assert_eq!(content_range("bytes 3-9/20"), Some((3, 9, 20)));
        assert_eq!(content_range("Bytes 0-0/1"), Some((0, 0, 1)));
        for odd in [
            "",
            "bytes",
            "bytes */20",
            "bytes 3-9/*",
            "bytes 3-9",
            "items 3-9/20",
            "bytes -9/20",
            "bytes 3-/20",
            "bytes 3-9/99999999999999999999",
        ] {
            assert_eq!(content_range(odd), None, "{odd}");
        }
    }
}
