//! The reading half of the server: a request's head, and its body as a stream.

use super::http::{Request, Response};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// The longest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// The most headers.
const MAX_HEADERS: usize = 64;
/// How much of a body that nobody wanted is read so that the connection can
/// serve another request.
const MAX_DRAIN_BYTES: u64 = 256 << 10;

/// A request's head.
pub struct Head {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    length: Length,
    expects_continue: bool,
    /// Whether the peer wants to go on after this request.
    pub keep_alive: bool,
}

#[derive(Clone, Copy)]
enum Length {
    Bytes(u64),
    Chunked,
}

/// Reads a head. `Ok(None)` when the peer has nothing more to ask, `Err` with
/// what to answer to a head that is malformed or too long.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<Result<Option<Head>, Response>> {
    let mut bytes = Vec::new();
    loop {
        let line = (&mut *reader)
            .take((MAX_HEAD_BYTES + 1 - bytes.len()) as u64)
            .read_until(b'\n', &mut bytes)?;
        if line == 0 {
            return match bytes.is_empty() {
                true => Ok(Ok(None)),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        if bytes.len() > MAX_HEAD_BYTES {
            return Ok(Err(Response::text(431, "the request's head is too long")));
        }
        if bytes.ends_with(b"\r\n\r\n") || bytes.ends_with(b"\n\n") {
            return Ok(parse(&bytes).map(Some));
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Head, Response> {
    let malformed = |what: &str| Response::text(400, &format!("malformed request: {what}"));
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut slots);
    match request.parse(bytes) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(malformed("the head is cut")),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Response::text(431, "the request has too many headers"));
        }
        Err(error) => return Err(malformed(&error.to_string())),
    }
    let mut headers = Vec::new();
    for header in request.headers.iter() {
        let value = str::from_utf8(header.value).map_err(|_| malformed("a header is no text"))?;
        headers.push((header.name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let find = |name: &str| {
        let mut values = headers.iter().filter(|(header, _)| header == name);
        let value = values.next().map(|(_, value)| value.as_str());
        match values.next() {
            // Two lengths, or two hosts, are how requests are smuggled.
            Some(_) => Err(malformed(&format!("{name} is repeated"))),
            None => Ok(value),
        }
    };
    find("host")?;
    let length = match (find("transfer-encoding")?, find("content-length")?) {
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Length::Chunked,
        (Some(_), _) => return Err(malformed("an encoding that is not chunked alone")),
        (None, Some(length)) => {
            let length = length
                .parse()
                .map_err(|_| malformed("the length is no number"))?;
            Length::Bytes(length)
        }
        (None, None) => Length::Bytes(0),
    };
    let connection = find("connection")?.unwrap_or_default();
    let keep_alive =
        request.version == Some(1) && !connection.to_ascii_lowercase().contains("close");
    let expects_continue =
        find("expect")?.is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
    let target = request.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Ok(Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        length,
        expects_continue,
        keep_alive,
        headers,
    })
}

impl Head {
    /// Joins the head with the body that follows it.
    pub fn into_request<'c>(
        self,
        reader: &'c mut BufReader<&TcpStream>,
        stream: &'c TcpStream,
    ) -> Request<'c> {
        Request {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: self.headers,
            body: Body {
                reader,
                awaited: self.expects_continue.then_some(stream),
                state: match self.length {
                    Length::Bytes(left) => State::Piece { left, last: true },
                    Length::Chunked => State::BetweenPieces { first: true },
                },
            },
        }
    }
}

/// A request's body.
pub struct Body<'c> {
    reader: &'c mut dyn BufRead,
    /// Where to say that the body is wanted, if the peer waits for that.
    awaited: Option<&'c TcpStream>,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// Inside a piece: the whole body, or a chunk.
    Piece {
        left: u64,
        last: bool,
    },
    BetweenPieces {
        first: bool,
    },
    Broken,
}

impl Body<'_> {
    /// Reads what is left of a short body. False when the connection cannot be
    /// used again.
    pub fn drain(&mut self) -> bool {
        if self.awaited.is_some() {
            return matches!(self.state, State::Piece { left: 0, .. });
        }
        let mut rest = self.take(MAX_DRAIN_BYTES);
        io::copy(&mut rest, &mut io::sink()).is_ok()
            && matches!(
                self.state,
                State::Piece {
                    left: 0,
                    last: true
                }
            )
    }

    fn next_chunk(&mut self, first: bool) -> io::Result<()> {
        if !first && !self.line()?.is_empty() {
            return Err(invalid("a chunk is longer than it says"));
        }
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let left = u64::from_str_radix(size, 16).map_err(|_| invalid("a chunk has no size"))?;
        self.state = State::Piece {
            left,
            last: left == 0,
        };
        // Trailers follow the last chunk; none of them means anything here.
        while left == 0 && !self.line()?.is_empty() {}
        Ok(())
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut *self.reader)
            .take(1024)
            .read_until(b'\n', &mut line)?;
        match line.pop() {
            Some(b'\n') => {}
            Some(_) => return Err(invalid("a line of a chunk is too long, or cut")),
            None => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
        let line = String::from_utf8(line).map_err(|_| invalid("a line of a chunk is no text"))?;
        Ok(line.trim_end_matches('\r').to_owned())
    }

    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.state {
                State::Broken => return Err(io::ErrorKind::UnexpectedEof.into()),
                State::BetweenPieces { first } => self.next_chunk(first)?,
                State::Piece {
                    left: 0,
                    last: true,
                } => return Ok(0),
                State::Piece {
                    left: 0,
                    last: false,
                } => {
                    self.state = State::BetweenPieces { first: false };
                }
                State::Piece { left, last } => {
                    let most = usize::try_from(left)
                        .unwrap_or(usize::MAX)
                        .min(buffer.len());
                    let length = self.reader.read(&mut buffer[..most])?;
                    if length == 0 && most > 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    let left = left - length as u64;
                    self.state = State::Piece { left, last };
                    return Ok(length);
                }
            }
        }
    }
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some(mut stream) = self.awaited.take() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let read = self.read_some(buffer);
        if read.is_err() {
            self.state = State::Broken;
        }
        read
    }
}

fn invalid(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::http::{Content, Server};
    use std::net::SocketAddr;

    fn ask(address: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// Says how many bytes the body had, or why it had no end.
    fn counting() -> Server {
        Server::bind(0, |request: &mut Request| {
            match io::copy(&mut request.body, &mut io::sink()) {
                Ok(length) => Response::text(200, &format!("{} bytes", length)),
                Err(error) => Response::text(400, &format!("{:?}", error.kind())),
            }
        })
        .unwrap()
    }

    #[test]
    fn bodies_of_known_length_and_in_chunks_are_read_to_their_end() {
        let server = counting();
        let sized = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
        assert!(ask(server.address(), sized).ends_with("5 bytes\n"));
        let chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\
                        5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: x\r\n\r\n";
        assert!(ask(server.address(), chunked).ends_with("11 bytes\n"));
    }

    #[test]
    fn a_body_that_is_cut_is_never_taken_for_a_whole_one() {
        let server = counting();
        for request in [
            &b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhello"[..],
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        ] {
            let answer = ask(server.address(), request);
            assert!(answer.ends_with("UnexpectedEof\n"), "{answer}");
        }
    }

    #[test]
    fn two_requests_on_one_connection_are_both_answered() {
        let server = counting();
        let twice = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab\
                      POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc";
        let answer = ask(server.address(), twice);
        assert!(answer.contains("2 bytes\n") && answer.ends_with("3 bytes\n"));
    }

    #[test]
    fn floods_and_smuggled_lengths_are_refused() {
        let server = counting();
        let flood = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n",
            "a".repeat(20_000)
        );
        assert!(ask(server.address(), flood.as_bytes()).starts_with("HTTP/1.1 431"));
        let many = format!(
            "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
            "A: b\r\n".repeat(100)
        );
        assert!(ask(server.address(), many.as_bytes()).starts_with("HTTP/1.1 431"));
        for head in [
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip",
        ] {
            let request = format!("POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\nx");
            let answer = ask(server.address(), request.as_bytes());
            assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
    }

    #[test]
    fn a_stream_that_fails_on_the_way_does_not_look_whole() {
        struct Failing;
        impl Read for Failing {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let server = Server::bind(0, |request: &mut Request| Response {
            status: 200,
            headers: Vec::new(),
            content: match request.path.as_str() {
                "/sized" => Content::Sized(10, Box::new(&b"short"[..])),
                _ => Content::Stream(Box::new((&b"some"[..]).chain(Failing))),
            },
        })
        .unwrap();
        let sized = ask(server.address(), b"GET /sized HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(!sized.ends_with("short") || sized.contains("Content-Length: 10"));
        let chunked = ask(server.address(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(!chunked.ends_with("0\r\n\r\n"));
    }
}
