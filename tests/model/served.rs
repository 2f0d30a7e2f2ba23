//! A farm over HTTP on loopback, as it is at the model's own time.

use crate::farm::World;
use crate::item::{Fault, ItemId, Minute, gzip};
use guix_ipfs::gateway::http::{Content, Request, Response, Server};
use guix_ipfs::guix::{ConnectionLimits, UpstreamClient};
use percent_encoding::percent_decode_str;
use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct ServedFarm {
    shared: Arc<Shared>,
    /// `None` while it refuses connections.
    server: Option<Server>,
    port: u16,
    pub client: UpstreamClient,
}

struct Shared {
    world: Arc<World>,
    number: usize,
    now: AtomicU64,
    /// The nars that were cut once already.
    cut: Mutex<HashSet<ItemId>>,
}

impl ServedFarm {
    pub fn new(world: &Arc<World>, number: usize) -> Self {
        let shared = Arc::new(Shared {
            world: Arc::clone(world),
            number,
            now: AtomicU64::new(0),
            cut: Mutex::default(),
        });
        let port = free_port();
        let limits = ConnectionLimits {
            connect: Duration::from_secs(20),
            read: Duration::from_secs(60),
            low_speed: Duration::from_secs(30),
        };
        let url = format!("http://127.0.0.1:{port}");
        let mut farm = Self {
            shared,
            server: None,
            port,
            client: UpstreamClient::new(&url, limits).unwrap(),
        };
        farm.set_now(0);
        farm
    }

    /// Moves the farm to this minute.
    pub fn set_now(&mut self, now: Minute) {
        self.shared.now.store(now, Ordering::SeqCst);
        let is_down = self.shared.world.farms[self.shared.number].is_down(now);
        match (&self.server, is_down) {
            (Some(_), true) => self.server = None,
            (None, false) => {
                let shared = Arc::clone(&self.shared);
                let server = Server::bind(self.port, move |request| shared.answer(request));
                self.server = Some(server.unwrap());
            }
            _ => {}
        }
    }
}

impl Shared {
    fn answer(&self, request: &Request) -> Response {
        let now = self.now.load(Ordering::SeqCst);
        let farm = &self.world.farms[self.number];
        if farm.is_busy(now) {
            return Response::text(503, "busy").with("Retry-After", "3600");
        }
        let path = percent_decode_str(&request.path).decode_utf8_lossy();
        let path = path.trim_start_matches('/');
        if path == "api/latestbuilds" {
            let value = |name| parameter(&request.query, name);
            let count = value("nr").map_or(10, |count| count.parse().unwrap());
            let list = farm.list(&self.world.items, now, value("system"), count);
            return Response::new(200, "application/json", list);
        }
        if let Some(id) = path
            .strip_suffix(".narinfo")
            .and_then(|hash| self.world.by_hash.get(hash))
            .filter(|id| self.serves(**id, now))
        {
            let narinfo = self.world.items[*id].narinfo.clone();
            return Response::new(200, "application/x-nix-narinfo", narinfo);
        }
        match self.world.by_nar.get(path) {
            Some(id) if self.serves(*id, now) => self.nar(*id, now),
            _ => Response::text(404, "not found"),
        }
    }

    fn serves(&self, id: ItemId, now: Minute) -> bool {
        let item = &self.world.items[id];
        (item.farm == self.number || item.is_elsewhere) && item.baked <= now
    }

    fn nar(&self, id: ItemId, now: Minute) -> Response {
        let item = &self.world.items[id];
        let fault = match item.farm == self.number && item.fault.end() > now {
            true => item.fault,
            false if item.fault == Fault::CutOnce && self.cut.lock().unwrap().insert(id) => {
                Fault::Cut(0)
            }
            false => Fault::None,
        };
        let nar = item.nar.clone();
        match fault {
            Fault::None | Fault::CutOnce => Response::new(200, "application/x-nix-archive", nar),
            Fault::Lost(_) => Response::text(404, "not found"),
            Fault::Html(_) => Response::new(200, "text/html", "<html>We are moving.</html>"),
            Fault::Wrong(_) => Response::new(200, "application/x-nix-archive", altered(nar)),
            // Without Content-Length, so that the end looks like one.
            Fault::Cut(_) => Response {
                status: 200,
                headers: Vec::new(),
                content: Content::Stream(Box::new(move |out| out.write_all(&nar[..nar.len() / 2]))),
            },
        }
    }
}

/// A nar of the same form and length with other content, packed alike.
fn altered(nar: Vec<u8>) -> Vec<u8> {
    let alter = |mut nar: Vec<u8>| {
        // Within the content, after five words and its length.
        nar[112] ^= 1;
        nar
    };
    match nar.starts_with(b"\x1f\x8b") {
        false => alter(nar),
        true => {
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&nar[..]);
            std::io::copy(&mut decoder, &mut unpacked).unwrap();
            gzip(&alter(unpacked))
        }
    }
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// A port below those that the system gives to outgoing connections, so that it is
/// still free after an outage.
fn free_port() -> u16 {
    loop {
        let mut number = [0; 2];
        getrandom::fill(&mut number).unwrap();
        let port = 20_000 + u16::from_le_bytes(number) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
