//! A server in front of an upstream that sends nars in parts, cut or not, and counts
//! what it sends.

use super::Upstream;
use super::raw::{pass_on, request};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request for a nar.
pub struct Asked {
    /// The decoded path, without its first slash.
    pub path: String,
    /// The requests for it that came before.
    pub before: usize,
    /// The first byte of `Range: bytes=N-`.
    pub from: Option<usize>,
    /// `If-Range`.
    pub validator: Option<String>,
}

/// An answer, after which the connection ends.
#[derive(Default)]
pub struct Sent {
    /// `200 OK`.
    pub status: String,
    /// Each with its line's end.
    pub headers: String,
    /// As much of the body as comes.
    pub body: Vec<u8>,
    /// The bytes after those, which come one by one.
    pub drip: Vec<u8>,
    /// The time that the connection then stays open.
    pub silence: Duration,
}

/// Passes all but nars on, until the process ends.
pub struct PartServer {
    pub url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// By paths, the first bytes that were asked for.
    asked: BTreeMap<String, Vec<Option<usize>>>,
    /// By paths, the bytes of bodies.
    sent: BTreeMap<String, usize>,
}

impl PartServer {
    pub fn new(
        upstream: &Upstream,
        answer: impl Fn(&Asked) -> Sent + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behind = upstream.url().replace("http://", "");
        let seen = Arc::<Mutex<Seen>>::default();
        let noted = Arc::clone(&seen);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (behind, noted) = (behind.clone(), Arc::clone(&noted));
                let answer = Arc::clone(&answer);
                thread::spawn(move || -> io::Result<()> {
                    let (head, path) = request(&client)?;
                    if !path.starts_with("nar/") {
                        return pass_on(client, &behind, &head);
                    }
                    let from = header(&head, "range").and_then(|range| {
                        let from = range.strip_prefix("bytes=")?.strip_suffix('-')?;
                        from.parse().ok()
                    });
                    let mut seen = noted.lock().unwrap();
                    let before = seen.asked.entry(path.clone()).or_default();
                    before.push(from);
                    let asked = Asked {
                        before: before.len() - 1,
                        from,
                        validator: header(&head, "if-range"),
                        path,
                    };
                    drop(seen);
                    let sent = answer(&asked);
                    let length = sent.body.len();
                    *(noted.lock().unwrap().sent.entry(asked.path).or_default()) += length;
                    send(client, &sent)
                });
            }
        });
        Self { url, seen }
    }

    /// The first bytes of `Range`, a request each, of those for `path`.
    pub fn asked(&self, path: &str) -> Vec<Option<usize>> {
        let seen = self.seen.lock().unwrap();
        seen.asked.get(path).cloned().unwrap_or_default()
    }

    /// The bytes that were sent of `path`.
    pub fn sent(&self, path: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.sent.get(path).copied().unwrap_or_default()
    }
}

fn send(mut client: TcpStream, sent: &Sent) -> io::Result<()> {
    let (status, headers) = (&sent.status, &sent.headers);
    write!(
        client,
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n"
    )?;
    client.write_all(&sent.body)?;
    for byte in &sent.drip {
        thread::sleep(Duration::from_millis(40));
        client.write_all(&[*byte])?;
    }
    thread::sleep(sent.silence);
    Ok(())
}

fn header(head: &str, name: &str) -> Option<String> {
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let line = lines.find(|(header, _)| header.eq_ignore_ascii_case(name));
    line.map(|(_, value)| value.to_owned())
}

impl Sent {
    /// A whole file, of which so many bytes come.
    pub fn whole(file: &[u8], comes: usize, headers: &str) -> Self {
        let length = file.len();
        Self {
            status: "200 OK".to_owned(),
            headers: format!("Content-Length: {length}\r\n{headers}"),
            body: file[..comes.min(length)].to_vec(),
            ..Self::default()
        }
    }

    /// The rest of a file, of which so many bytes come.
    pub fn rest(file: &[u8], from: usize, comes: usize, headers: &str) -> Self {
        let (length, last) = (file.len() - from, file.len() - 1);
        Self {
            status: "206 Partial Content".to_owned(),
            headers: format!(
                "Content-Length: {length}\r\nContent-Range: bytes {from}-{last}/{}\r\n{headers}",
                file.len()
            ),
            body: file[from..][..comes.min(length)].to_vec(),
            ..Self::default()
        }
    }

    /// A status alone.
    pub fn status(status: &str, headers: &str) -> Self {
        Self {
            status: status.to_owned(),
            headers: format!("Content-Length: 0\r\n{headers}"),
            ..Self::default()
        }
    }
}
