//! An HTTP proxy as networks of companies and schools have one. It leads every host
//! to one server, tunnels to no port 80, and keeps the heads of all requests.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Runs until the process ends.
pub struct HttpProxy {
    /// Its address, `127.0.0.1:PORT`.
    pub address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl HttpProxy {
    /// Leads every host to the server at this URL.
    pub fn new(server: &str) -> Self {
        Self::start(server, None)
    }

    /// The same for those who give this user and password, `USER:PASSWORD`.
    pub fn for_members(server: &str, secret: &str) -> Self {
        Self::start(server, Some(BASE64_STANDARD.encode(secret)))
    }

    fn start(server: &str, secret: Option<String>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = server.rsplit('/').next().unwrap().to_owned();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let heads = Arc::clone(&seen);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, secret, heads) = (server.clone(), secret.clone(), Arc::clone(&heads));
                thread::spawn(move || serve(client, &server, secret.as_deref(), &heads));
            }
        });
        Self { address, seen }
    }

    /// The heads of the requests since this was last asked.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// Their first lines.
    pub fn lines(&self) -> Vec<String> {
        let heads = self.seen().into_iter();
        let lines = heads.map(|head| head.lines().next().unwrap_or_default().to_owned());
        lines.collect()
    }
}

fn serve(
    client: TcpStream,
    server: &str,
    secret: Option<&str>,
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while lines.read_line(&mut head)? > 2 {}
    seen.lock().unwrap().push(head.clone());
    let refuse = |status: &str| {
        let mut client = &client;
        write!(
            client,
            "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    };
    let authorization = secret.map(|secret| format!("Proxy-Authorization: Basic {secret}\r\n"));
    if authorization.is_some_and(|line| !head.contains(&line)) {
        return refuse("407 Proxy Authentication Required");
    }
    let mut words = head.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    match (method, target.strip_prefix("http://")) {
        ("CONNECT", _) if target.ends_with(":80") => refuse("403 Forbidden"),
        ("CONNECT", _) => {
            let server = TcpStream::connect(server)?;
            (&client).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            let (mut up, mut down) = (server.try_clone()?, client.try_clone()?);
            thread::spawn(move || {
                let _ = io::copy(&mut lines, &mut up);
                up.shutdown(Shutdown::Write)
            });
            io::copy(&mut &server, &mut down)?;
            down.shutdown(Shutdown::Both)
        }
        ("GET", Some(target)) => {
            let path = target.find('/').map_or("/", |at| &target[at..]);
            let mut server = TcpStream::connect(server)?;
            write!(server, "GET {path} HTTP/1.1\r\nConnection: close\r\n")?;
            let kept = head
                .lines()
                .skip(1)
                .filter(|line| !line.starts_with("Proxy-"));
            for line in kept {
                write!(server, "{line}\r\n")?;
            }
            io::copy(&mut server, &mut &client)?;
            client.shutdown(Shutdown::Both)
        }
        _ => refuse("400 Bad Request"),
    }
}
