//! A server in front of an upstream that answers some paths byte for byte as a
//! test says, HTTP or not.

use super::Upstream;
use percent_encoding::percent_decode_str;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Writes an answer, status line and all. It may go on until the client has
/// had enough, which is an error to be ignored.
pub type RawAnswer = fn(&mut TcpStream) -> io::Result<()>;

/// Passes every other path on, until the process ends.
pub struct RawServer {
    pub url: String,
    asked: Arc<AtomicUsize>,
}

impl RawServer {
    /// Answers `path`, decoded and without its first slash, with `answer`.
    pub fn new(upstream: &Upstream, path: &str, answer: RawAnswer) -> Self {
        Self::at_first(usize::MAX, upstream, path, move |_, client| answer(client))
    }

    /// Answers the first `count` requests for `path` with `answer`, which learns how
    /// many came before.
    pub fn at_first(
        count: usize,
        upstream: &Upstream,
        path: &str,
        answer: impl Fn(usize, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behind = upstream.url().replace("http://", "");
        let path = path.to_owned();
        let asked = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&asked);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                let (behind, path) = (behind.clone(), path.clone());
                let (counted, answer) = (Arc::clone(&counted), Arc::clone(&answer));
                thread::spawn(move || -> io::Result<()> {
                    let (head, asked) = request(&client)?;
                    if asked == path {
                        let before = counted.fetch_add(1, Ordering::SeqCst);
                        if before < count {
                            return answer(before, &mut client);
                        }
                    }
                    pass_on(client, &behind, &head)
                });
            }
        });
        Self { url, asked }
    }

    /// The number of requests for the path since this was last asked.
    pub fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }
}

/// The head of a request, and the path in it.
pub(super) fn request(client: &TcpStream) -> io::Result<(String, String)> {
    let mut head = String::new();
    let mut lines = BufReader::new(client.try_clone()?);
    while lines.read_line(&mut head)? > 2 {}
    let asked = head.split(' ').nth(1).unwrap_or_default();
    let asked = asked.split('?').next().unwrap_or_default();
    let asked = percent_decode_str(asked.trim_start_matches('/')).decode_utf8_lossy();
    let asked = asked.into_owned();
    Ok((head, asked))
}

/// Lets another server answer.
pub(super) fn pass_on(mut client: TcpStream, behind: &str, head: &str) -> io::Result<()> {
    let mut upstream = TcpStream::connect(behind)?;
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    upstream.write_all(head.as_bytes())?;
    io::copy(&mut upstream, &mut client)?;
    Ok(())
}
