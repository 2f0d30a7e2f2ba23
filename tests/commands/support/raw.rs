//! A server in front of an upstream that answers some paths byte for byte as a
//! test says, HTTP or not.

use super::Upstream;
use percent_encoding::percent_decode_str;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Writes an answer, status line and all. It may go on until the client has
/// had enough, which is an error to be ignored.
pub type RawAnswer = fn(&mut TcpStream) -> io::Result<()>;

/// Passes every other path on, until the process ends.
pub struct RawServer {
    pub url: String,
}

impl RawServer {
    /// Answers `path`, decoded and without its first slash, with `answer`.
    pub fn new(upstream: &Upstream, path: &str, answer: RawAnswer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behind = upstream.url().replace("http://", "");
        let path = path.to_owned();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (behind, path) = (behind.clone(), path.clone());
                thread::spawn(move || serve(client, &behind, &path, answer));
            }
        });
        Self { url }
    }
}

fn serve(mut client: TcpStream, behind: &str, path: &str, answer: RawAnswer) -> io::Result<()> {
    let mut head = String::new();
    let mut lines = BufReader::new(client.try_clone()?);
    while lines.read_line(&mut head)? > 2 {}
    let asked = head.split(' ').nth(1).unwrap_or_default();
    let asked = asked.split('?').next().unwrap_or_default();
    let asked = percent_decode_str(asked.trim_start_matches('/')).decode_utf8_lossy();
    if asked == path {
        return answer(&mut client);
    }
    let mut upstream = TcpStream::connect(behind)?;
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    upstream.write_all(head.as_bytes())?;
    io::copy(&mut upstream, &mut client)?;
    Ok(())
}
