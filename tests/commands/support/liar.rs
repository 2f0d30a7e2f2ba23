//! A gateway in front of another, whose answers a test changes.

use super::proxy::{is, read_body, read_head};
use std::io::{self, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// A request on its way to the true gateway, and the answer on its way back.
pub struct Lie<'l> {
    /// The path with its query, as it was asked for.
    pub asked: &'l str,
    /// The status line and the headers.
    pub head: &'l mut Vec<String>,
    pub body: &'l mut Vec<u8>,
}

impl Lie<'_> {
    /// Replaces the value of a header.
    pub fn set(&mut self, name: &str, value: &str) {
        self.head.retain(|line| !is(line, name));
        self.head.push(format!("{name}: {value}"));
    }

    /// Answers with this status and text.
    pub fn answer(&mut self, status: u16, text: &str) {
        *self.head = vec![
            format!("HTTP/1.1 {status} X"),
            "Content-Type: text/plain".to_owned(),
        ];
        *self.body = text.as_bytes().to_vec();
    }
}

/// Answers until the process ends.
pub struct Liar {
    pub url: String,
}

impl Liar {
    /// Changes each answer by `lie`.
    pub fn new(behind: &str, lie: impl Fn(Lie) + Send + Sync + 'static) -> Self {
        Self::elsewhere(behind, str::to_owned, lie)
    }

    /// The same, and asks the true gateway for the path that `path` makes of each.
    pub fn elsewhere(
        behind: &str,
        path: impl Fn(&str) -> String + Send + Sync + 'static,
        lie: impl Fn(Lie) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behind = behind.strip_prefix("http://").unwrap().to_owned();
        let (path, lie) = (Arc::new(path), Arc::new(lie));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (behind, path, lie) = (behind.clone(), Arc::clone(&path), Arc::clone(&lie));
                thread::spawn(move || answer(client, &behind, &*path, &*lie));
            }
        });
        Self { url }
    }

    /// A gateway that takes requests and says nothing.
    pub fn silent() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || listener.incoming().flatten().collect::<Vec<TcpStream>>());
        Self { url }
    }
}

fn answer(
    mut client: TcpStream,
    behind: &str,
    path: &dyn Fn(&str) -> String,
    lie: &dyn Fn(Lie),
) -> io::Result<()> {
    let mut head = read_head(&mut BufReader::new(client.try_clone()?))?;
    let asked = head[0].split(' ').nth(1).unwrap_or_default().to_owned();
    head[0] = format!("GET {} HTTP/1.1", path(&asked));
    head.retain(|line| !is(line, "connection"));
    head.push("Connection: close".to_owned());
    let mut gateway = TcpStream::connect(behind)?;
    write!(gateway, "{}\r\n\r\n", head.join("\r\n"))?;
    let mut gateway = BufReader::new(gateway);
    let mut head = read_head(&mut gateway)?;
    let mut body = read_body(&head, &mut gateway)?;
    lie(Lie {
        asked: &asked,
        head: &mut head,
        body: &mut body,
    });
    let framing = ["connection", "content-length", "transfer-encoding"];
    head.retain(|line| !framing.iter().any(|name| is(line, name)));
    let length = body.len();
    write!(
        client,
        "{}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n",
        head.join("\r\n")
    )?;
    client.write_all(&body)
}
