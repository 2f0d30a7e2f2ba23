//! A proxy between the program and a node: it counts the calls it sees, and
//! spoils those that a test names.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The line of an answer after which the connection ends.
const LAST: &str = "Connection: close";

/// A fault of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// The connection ends before the node hears of it.
    Before,
    /// The node does it, and the connection ends instead of its answer.
    After,
    /// It is answered with this status and text, and the node hears nothing.
    Answer(u16, &'static str),
    /// The connection ends half-way through the answer.
    Half,
    /// The answer ends half-way, as a node does that fails when it has begun to
    /// answer: properly, but for a trailer `X-Stream-Error`.
    StreamError,
    /// The answer is shorter than it says.
    WrongLength,
    /// The answer comes byte by byte.
    Drip,
    /// The answer comes late.
    Late(Duration),
}

/// Passes everything else on, until the process ends.
pub struct Proxy {
    pub url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    calls: Vec<String>,
    /// Connections from the program.
    connections: usize,
    /// The command, how many of its calls go well before, and what goes wrong
    /// with the next.
    spoil: Option<(String, usize, Spoil)>,
    /// The longest URL that is passed on, in bytes.
    longest_url: Option<usize>,
}

impl Proxy {
    pub fn new(to: &str) -> Self {
        let to = to.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::<Mutex<Shared>>::default();
        let seen = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (to, shared) = (to.clone(), Arc::clone(&seen));
                shared.lock().unwrap().connections += 1;
                thread::spawn(move || {
                    let reader = BufReader::new(client.try_clone().unwrap());
                    // Broken connections are what this is for.
                    let _ = serve(reader, client, &to, &shared);
                });
            }
        });
        Self { url, shared }
    }

    /// The number of calls since [`Proxy::calls`] was last asked.
    pub fn seen(&self) -> usize {
        self.shared.lock().unwrap().calls.len()
    }

    /// The commands that were called since this was last asked.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().calls)
    }

    /// The connections since this was last asked.
    pub fn connections(&self) -> usize {
        std::mem::take(&mut self.shared.lock().unwrap().connections)
    }

    /// Spoils one call of `command`, after `well` of them that go well.
    pub fn spoil(&self, command: &str, well: usize, spoil: Spoil) {
        self.shared.lock().unwrap().spoil = Some((command.to_owned(), well, spoil));
    }

    /// Answers longer URLs with 414, as proxies do.
    pub fn refuse_urls_beyond(&self, bytes: usize) {
        self.shared.lock().unwrap().longest_url = Some(bytes);
    }

    /// Returns true while the call to be spoiled has not come.
    pub fn is_waiting(&self) -> bool {
        self.shared.lock().unwrap().spoil.take().is_some()
    }
}

impl Shared {
    fn see(&mut self, command: &str, url: &str) -> Option<Spoil> {
        self.calls.push(command.to_owned());
        if self.longest_url.is_some_and(|most| url.len() > most) {
            return Some(Spoil::Answer(414, "URI Too Long"));
        }
        let (wanted, well, spoil) = self.spoil.as_mut()?;
        if wanted != command {
            return None;
        }
        if *well > 0 {
            *well -= 1;
            return None;
        }
        let spoil = *spoil;
        self.spoil = None;
        Some(spoil)
    }
}

/// Serves the requests of one connection.
fn serve(
    mut reader: BufReader<TcpStream>,
    mut client: TcpStream,
    to: &str,
    shared: &Mutex<Shared>,
) -> std::io::Result<()> {
    loop {
        let head = read_head(&mut reader)?;
        let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else {
            return Ok(());
        };
        let command = path.trim_start_matches("/api/v0/").split('?').next();
        let spoil = shared
            .lock()
            .unwrap()
            .see(command.unwrap_or_default(), path);
        match spoil {
            Some(Spoil::Before) => return Ok(()),
            Some(Spoil::Answer(status, text)) => {
                let length = text.len();
                write!(
                    client,
                    "HTTP/1.1 {status} Spoiled\r\nContent-Type: application/json\r\n\
                     Connection: close\r\nContent-Length: {length}\r\n\r\n{text}"
                )?;
                // Closed with data unread, the answer could get lost.
                client.set_read_timeout(Some(Duration::from_secs(2)))?;
                std::io::copy(&mut reader, &mut std::io::sink())?;
                return Ok(());
            }
            _ => {}
        }
        let mut node = TcpStream::connect(to)?;
        for line in head.iter().filter(|line| !is(line, "connection")) {
            write!(node, "{line}\r\n")?;
        }
        write!(node, "{LAST}\r\n\r\n")?;
        pass_body(&head, &mut reader, &mut node)?;
        let mut answer = BufReader::new(node);
        // Kubo ends the connection after a request whose body it has not read, and takes a
        // chunked one for such.
        let is_last = value(&head, "transfer-encoding").is_some();
        let mut head = read_head(&mut answer)?;
        let body = read_body(&head, &mut answer)?;
        head.retain(|line| !is(line, "connection"));
        if is_last {
            head.push(LAST.to_owned());
        }
        if !answer_with(&mut client, &head, &body, spoil)? || is_last {
            return Ok(());
        }
    }
}

/// Answers the client; whether the connection goes on.
fn answer_with(
    client: &mut TcpStream,
    head: &[String],
    body: &[u8],
    spoil: Option<Spoil>,
) -> std::io::Result<bool> {
    let framing = ["content-length", "transfer-encoding", "trailer"];
    let mut out = Vec::new();
    for line in head
        .iter()
        .filter(|line| !framing.iter().any(|name| is(line, name)))
    {
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let half = &body[..body.len() / 2];
    let (length, sent) = match spoil {
        Some(Spoil::After) => return Ok(false),
        Some(Spoil::StreamError) => {
            write!(
                out,
                "Transfer-Encoding: chunked\r\nTrailer: X-Stream-Error\r\n\r\n"
            )?;
            if !half.is_empty() {
                write!(out, "{:x}\r\n", half.len())?;
                out.extend_from_slice(half);
                out.extend_from_slice(b"\r\n");
            }
            write!(out, "0\r\nX-Stream-Error: it went wrong\r\n\r\n")?;
            client.write_all(&out)?;
            return Ok(true);
        }
        Some(Spoil::Half) => (body.len(), half),
        Some(Spoil::WrongLength) => (body.len() + 10, body),
        _ => (body.len(), body),
    };
    write!(out, "Content-Length: {length}\r\n\r\n")?;
    out.extend_from_slice(sent);
    match spoil {
        Some(Spoil::Late(time)) => thread::sleep(time),
        Some(Spoil::Drip) => {
            for byte in &out {
                client.write_all(&[*byte])?;
                thread::sleep(Duration::from_micros(100));
            }
            return Ok(true);
        }
        _ => {}
    }
    client.write_all(&out)?;
    Ok(sent.len() == length)
}

/// The lines up to the empty one; none where the connection ends.
pub(super) fn read_head(reader: &mut impl BufRead) -> std::io::Result<Vec<String>> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => return Ok(head),
            line => head.push(line.to_owned()),
        }
    }
}

pub(super) fn is(line: &str, name: &str) -> bool {
    let found = line.split_once(':');
    found.is_some_and(|(found, _)| found.eq_ignore_ascii_case(name))
}

pub(super) fn value<'h>(head: &'h [String], name: &str) -> Option<&'h str> {
    let line = head.iter().find(|line| is(line, name))?;
    Some(line.split_once(':')?.1.trim())
}

/// Passes the body of a request on as it is. Fails where it is cut short, as by a kill:
/// the node's connection then ends, too.
fn pass_body(head: &[String], from: &mut impl BufRead, to: &mut impl Write) -> std::io::Result<()> {
    let cut = || Err(std::io::ErrorKind::UnexpectedEof.into());
    if value(head, "transfer-encoding").is_none() {
        let length = value(head, "content-length").map_or(0, |length| length.parse().unwrap());
        return match std::io::copy(&mut from.take(length), to)? {
            copied if copied == length => Ok(()),
            _ => cut(),
        };
    }
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
        let mut chunk = line.into_bytes();
        let head = chunk.len() as u64;
        from.take(size + 2).read_to_end(&mut chunk)?;
        if chunk.len() as u64 != head + size + 2 {
            return cut();
        }
        to.write_all(&chunk)?;
        if size == 0 {
            return Ok(());
        }
    }
}

/// The body of an answer after which the connection ends, without its framing.
pub(super) fn read_body(head: &[String], from: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if value(head, "transfer-encoding").is_none() {
        from.read_to_end(&mut body)?;
        return Ok(body);
    }
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let size = u64::from_str_radix(line.trim(), 16).unwrap_or(0);
        if size == 0 {
            return Ok(body);
        }
        from.take(size).read_to_end(&mut body)?;
        from.read_line(&mut String::new())?;
    }
}
