//! A small synchronous HTTP/1.1 server: a thread a connection, bodies streamed
//! both ways. The synchronous server crates are unmaintained, and one of them
//! silently takes a truncated upload for a whole one.
//!
//! It binds to loopback only.

use super::http_body::{Body, read_head};
use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Connections at once; one more is told to come back (503).
const MAX_CONNECTIONS: usize = 64;
/// How long a connection may stand still, between requests or inside one.
const STALL: Duration = Duration::from_secs(120);

/// A request, with its body still on the way.
pub struct Request<'c> {
    /// `GET`, `POST` …
    pub method: String,
    /// The path as it was sent, percent-encoded, without the query.
    pub path: String,
    /// What follows `?`, percent-encoded; empty where there is none.
    pub query: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body. Reading it fails with `UnexpectedEof` when the sender stops early.
    pub body: Body<'c>,
}

impl Request<'_> {
    /// The value of a header, named in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }
}

/// What is answered.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers besides those about the body's length.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub content: Content,
}

/// A response's body.
pub enum Content {
    /// All of it.
    Bytes(Vec<u8>),
    /// So many bytes of a stream. One that ends early or fails cuts the connection.
    Sized(u64, Box<dyn Read>),
    /// A stream of unknown length. One that fails cuts the connection.
    Stream(Box<dyn Read>),
    /// The headers of a body of so many bytes, without the body (HEAD).
    Head(u64),
}

impl Response {
    /// A response with a short body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", content_type.to_owned())],
            content: Content::Bytes(body.into()),
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
}

/// What answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, request: &mut Request) -> Response;
}

impl<F: Fn(&mut Request) -> Response + Send + Sync + 'static> Handler for F {
    fn handle(&self, request: &mut Request) -> Response {
        self(request)
    }
}

/// A server that runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    handler: Box<dyn Handler>,
    stopping: AtomicBool,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    next: u64,
    open: HashMap<u64, TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens on 127.0.0.1; port 0 takes any that is free.
    pub fn bind(port: u16, handler: impl Handler) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || accept(&shared, &listener))
        };
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until the process is ended from outside.
    pub fn wait(&mut self) {
        if let Some(acceptor) = self.acceptor.take() {
            // It ends only when this server is dropped, or has panicked.
            let _ = acceptor.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees that it is to stop.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        let (open, threads) = {
            let mut connections = self.shared.connections();
            let open = std::mem::take(&mut connections.open);
            (open, std::mem::take(&mut connections.threads))
        };
        for stream in open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for thread in threads {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn connections(&self) -> std::sync::MutexGuard<'_, Connections> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(shared: &Arc<Shared>, listener: &TcpListener) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else {
            // Out of file descriptors, most likely: leave others time to end.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        let mut connections = shared.connections();
        connections.threads.retain(|thread| !thread.is_finished());
        if connections.open.len() >= MAX_CONNECTIONS {
            let busy = Response::text(503, "too many connections");
            let _ = write_response(&mut &stream, busy, false);
            continue;
        }
        let Ok(clone) = stream.try_clone() else {
            continue;
        };
        let number = connections.next;
        connections.next += 1;
        connections.open.insert(number, clone);
        let shared = Arc::clone(shared);
        connections.threads.push(std::thread::spawn(move || {
            // A connection that breaks is its peer's concern.
            let _ = serve(&shared, &stream);
            let _ = stream.shutdown(Shutdown::Both);
            shared.connections().open.remove(&number);
        }));
    }
}

fn serve(shared: &Shared, stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(STALL))?;
    stream.set_write_timeout(Some(STALL))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(64 << 10, stream);
    while !shared.stopping.load(Ordering::SeqCst) {
        let head = match read_head(&mut reader)? {
            Ok(Some(head)) => head,
            Ok(None) => return Ok(()),
            Err(refused) => return write_response(&mut &*stream, refused, false),
        };
        let keep_alive = head.keep_alive;
        let mut request = head.into_request(&mut reader, stream);
        let response = shared.handler.handle(&mut request);
        let drained = request.body.drain();
        write_response(&mut &*stream, response, keep_alive && drained)?;
        if !keep_alive || !drained {
            return Ok(());
        }
    }
    Ok(())
}

fn write_response(stream: &mut impl Write, response: Response, keep_alive: bool) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, stream);
    write!(
        out,
        "HTTP/1.1 {} {}\r\n",
        response.status,
        reason(response.status)
    )?;
    for (name, value) in &response.headers {
        write!(out, "{name}: {value}\r\n")?;
    }
    if !keep_alive {
        out.write_all(b"Connection: close\r\n")?;
    }
    match response.content {
        Content::Bytes(body) => {
            write!(out, "Content-Length: {}\r\n\r\n", body.len())?;
            out.write_all(&body)?;
        }
        Content::Head(length) => write!(out, "Content-Length: {length}\r\n\r\n")?,
        Content::Sized(length, body) => {
            write!(out, "Content-Length: {length}\r\n\r\n")?;
            let copied = io::copy(&mut body.take(length), &mut out)?;
            if copied < length {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Content::Stream(mut body) => {
            out.write_all(b"Transfer-Encoding: chunked\r\n\r\n")?;
            let mut piece = vec![0; 64 << 10];
            loop {
                let length = body.read(&mut piece)?;
                write!(out, "{length:x}\r\n")?;
                out.write_all(&piece[..length])?;
                out.write_all(b"\r\n")?;
                if length == 0 {
                    break;
                }
            }
        }
    }
    out.flush()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
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
