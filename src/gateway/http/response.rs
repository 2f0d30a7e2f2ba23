//! The answer to a request.

use std::io::{self, BufWriter, Cursor, Read, Write};

/// The size of a piece of an answer, in bytes.
const PIECE: usize = 64 << 10;

/// An answer.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides those about the body's length.
    pub headers: Vec<(&'static str, String)>,
    /// The body, which is left out in the answer to a HEAD.
    pub content: Content,
}

/// The body of an answer.
pub enum Content {
    /// So many bytes of a stream. One that ends early or fails cuts the connection.
    Sized(u64, Box<dyn Read>),
    /// A stream of unknown length, as a function that writes it. One that fails cuts
    /// the connection.
    Stream(Writer),
}

/// A function that writes a body.
pub type Writer = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()>>;

/// A part of an answer that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    All,
    HeadOnly,
}

impl Response {
    /// A response with a short body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            content: Content::Sized(body.len() as u64, Box::new(Cursor::new(body))),
        }
    }

    /// A line of plain text.
    pub fn text(status: u16, text: &str) -> Self {
        Self::new(status, "text/plain; charset=utf-8", format!("{text}\n"))
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn write(self, stream: impl Write, sent: Sent, keep_alive: bool) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(PIECE, stream);
        let reason = reason(self.status);
        write!(out, "HTTP/1.1 {} {reason}\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(out, "{name}: {value}\r\n")?;
        }
        if !keep_alive {
            out.write_all(b"Connection: close\r\n")?;
        }
        match &self.content {
            // A 304 has the length of the body that it spares.
            _ if self.status == 304 => out.write_all(b"\r\n")?,
            Content::Sized(length, _) => write!(out, "Content-Length: {length}\r\n\r\n")?,
            Content::Stream(_) => out.write_all(b"Transfer-Encoding: chunked\r\n\r\n")?,
        }
        if sent == Sent::All && self.status != 304 {
            self.content.write(&mut out)?;
        }
        out.flush()
    }
}

impl Content {
    fn write(self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Sized(length, body) => match io::copy(&mut body.take(length), out)? {
                copied if copied < length => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(()),
            },
            Self::Stream(write) => {
                let mut chunks = BufWriter::with_capacity(PIECE, Chunks(&mut *out));
                write(&mut chunks)?;
                chunks.flush()?;
                drop(chunks);
                out.write_all(b"0\r\n\r\n")
            }
        }
    }
}

/// Each write as a chunk.
struct Chunks<'w, W>(&'w mut W);

impl<W: Write> Write for Chunks<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write!(self.0, "{:x}\r\n", bytes.len())?;
        self.0.write_all(bytes)?;
        self.0.write_all(b"\r\n")?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Answer",
    }
}
