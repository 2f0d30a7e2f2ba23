//! The server: it accepts connections, and answers on each until it ends.

use super::request::Request;
use super::response::{Response, Sent};
use std::collections::HashMap;
use std::io::{self, BufReader, Read};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Connections at once; one more gets a 503.
const MAX_CONNECTIONS: usize = 64;
/// The longest time that a connection may stand still, between requests or inside
/// one.
const STALL: Duration = Duration::from_secs(120);
/// The same for a peer that continues sending after its last answer.
const LINGER: Duration = Duration::from_secs(2);
/// The pause after a connection that could not be accepted: the process is out of
/// file descriptors, most likely.
const PAUSE: Duration = Duration::from_millis(50);

/// A server that runs until it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    handler: Box<dyn Fn(&Request) -> Response + Send + Sync>,
    stopping: AtomicBool,
    open: Mutex<HashMap<u64, Arc<TcpStream>>>,
}

impl Server {
    /// Listens on 127.0.0.1; port 0 takes any that is free.
    pub fn bind(
        port: u16,
        handler: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            stopping: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.accept(&listener))
        };
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
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
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        self.wait();
    }
}

impl Shared {
    fn accept(&self, listener: &TcpListener) {
        thread::scope(|scope| {
            for (number, stream) in (0..).zip(listener.incoming()) {
                if self.is_stopping() {
                    break;
                }
                let Ok(stream) = stream.map(Arc::new) else {
                    thread::sleep(PAUSE);
                    continue;
                };
                let mut open = self.open();
                if open.len() >= MAX_CONNECTIONS {
                    let busy = Response::text(503, "too many connections");
                    let _ = busy.write(&*stream, Sent::All, false);
                    continue;
                }
                open.insert(number, Arc::clone(&stream));
                scope.spawn(move || {
                    // A connection that breaks is its peer's concern.
                    let _ = self.serve(&stream);
                    let _ = stream.shutdown(Shutdown::Both);
                    self.open().remove(&number);
                });
            }
            for stream in self.open().values() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(STALL))?;
        stream.set_write_timeout(Some(STALL))?;
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        let mut keep_alive = true;
        while keep_alive && !self.is_stopping() {
            let (response, sent) = match Request::read(&mut reader)? {
                Ok(None) => return Ok(()),
                Ok(Some(request)) => {
                    keep_alive = request.keep_alive;
                    let sent = match request.method.as_str() {
                        "HEAD" => Sent::HeadOnly,
                        _ => Sent::All,
                    };
                    ((self.handler)(&request), sent)
                }
                Err(refused) => {
                    keep_alive = false;
                    (refused, Sent::All)
                }
            };
            response.write(stream, sent, keep_alive)?;
        }
        // A connection that is closed before all of a request was read takes its
        // answer with it.
        stream.shutdown(Shutdown::Write)?;
        stream.set_read_timeout(Some(LINGER))?;
        io::copy(&mut reader.take(1 << 20), &mut io::sink()).map(drop)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<TcpStream>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
