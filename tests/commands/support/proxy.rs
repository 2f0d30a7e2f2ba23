//! A proxy in front of a node that counts the calls it sees.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What a call's request line begins with.
const CALL: &[u8] = b"POST /api/v0/";

/// Passes everything on, until the process ends.
pub struct Proxy {
    pub url: String,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    pub fn new(to: &str) -> Self {
        let to = to.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(node)) = (client, TcpStream::connect(&to)) else {
                    continue;
                };
                let (back, forth) = (client.try_clone().unwrap(), node.try_clone().unwrap());
                let seen = Arc::clone(&seen);
                thread::spawn(move || pass(node, back, |_| {}));
                thread::spawn(move || {
                    let mut tail = Vec::new();
                    pass(client, forth, |bytes| count(&seen, &mut tail, bytes));
                });
            }
        });
        Self { url, calls }
    }

    /// How many calls it has seen since [`Proxy::calls`] was last asked.
    pub fn seen(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// The commands that were called since this was last asked.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut see: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        see(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Finds request lines, also those that two reads cut in pieces.
fn count(calls: &Mutex<Vec<String>>, tail: &mut Vec<u8>, bytes: &[u8]) {
    tail.extend_from_slice(bytes);
    let mut from = 0;
    while let Some(at) = tail[from..].windows(CALL.len()).position(|w| w == CALL) {
        let name = from + at + CALL.len();
        let Some(end) = tail[name..].iter().position(|byte| b"? ".contains(byte)) else {
            from += at;
            break;
        };
        let command = String::from_utf8_lossy(&tail[name..name + end]).into_owned();
        calls.lock().unwrap().push(command);
        from = name + end;
    }
    let keep = tail.len().saturating_sub(CALL.len()).max(from);
    tail.drain(..keep);
}
