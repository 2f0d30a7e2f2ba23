//! The head of a request.

use super::response::Response;
use std::io::{self, BufRead, Read};

/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// The most headers.
const MAX_HEADERS: usize = 64;

/// A request without its body.
#[derive(Debug)]
pub struct Request {
    /// `GET`, `POST` …
    pub method: String,
    /// The path as it was sent, percent-encoded, without the query.
    pub path: String,
    /// The part after `?`, percent-encoded; empty where there is none.
    pub query: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The connection can serve another request after this one.
    pub(super) keep_alive: bool,
}

impl Request {
    /// The value of a header, named in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        let header = headers.find(|(header, _)| header == name);
        header.map(|(_, value)| value.as_str())
    }

    /// Reads a head. `None` when the peer has nothing more to ask.
    ///
    /// # Errors
    /// When the connection breaks. The inner error is the answer to a head that is
    /// malformed or too long.
    pub(super) fn read(reader: &mut impl BufRead) -> io::Result<Result<Option<Self>, Response>> {
        let mut head = Vec::new();
        let mut reader = reader.take(MAX_HEAD_BYTES as u64);
        while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
            if reader.read_until(b'\n', &mut head)? == 0 {
                return match (head.len(), reader.limit()) {
                    (0, _) => Ok(Ok(None)),
                    (_, 0) => Ok(Err(Response::text(
                        431,
                        "the head of the request is too long",
                    ))),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
        Ok(Self::parse(&head).map(Some))
    }

    fn parse(head: &[u8]) -> Result<Self, Response> {
        let malformed = |reason: &str| Response::text(400, &format!("malformed request: {reason}"));
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut slots);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Ok(httparse::Status::Partial) => {
                return Err(malformed("the head of the request is cut short"));
            }
            Err(httparse::Error::TooManyHeaders) => {
                return Err(Response::text(431, "the request has too many headers"));
            }
            Err(error) => return Err(malformed(&error.to_string())),
        }
        let mut headers: Vec<(String, String)> = Vec::new();
        for header in parsed.headers.iter() {
            let name = header.name.to_ascii_lowercase();
            let value = str::from_utf8(header.value);
            let value = value.map_err(|_| malformed("a header is not UTF-8"))?;
            // Two hosts are how a request passes a guard.
            if name == "host" && headers.iter().any(|(header, _)| *header == name) {
                return Err(malformed("it has two hosts"));
            }
            headers.push((name, value.trim().to_owned()));
        }
        let target = parsed.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self {
            method: parsed.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            keep_alive: parsed.version == Some(1),
        };
        let closes = |value: &str| value.to_ascii_lowercase().contains("close");
        let has_body = request.header("transfer-encoding").is_some()
            || request
                .header("content-length")
                .is_some_and(|length| length != "0");
        request.keep_alive &= !has_body && !request.header("connection").is_some_and(closes);
        Ok(request)
    }
}
