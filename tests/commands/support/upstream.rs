//! A substitute server over the fixtures, on loopback. What it serves can be
//! replaced file by file, and it counts what it is asked for.

use super::fixture;
use guix_ipfs::gateway::http::{Content, Request, Response, Server};
use percent_encoding::percent_decode_str;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub struct Upstream {
    server: Server,
    shared: Arc<Mutex<Shared>>,
    over: Arc<AtomicBool>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Shared {
    /// Decoded path, without its first slash, to content; `None` is a 404.
    files: BTreeMap<String, Option<Arc<[u8]>>>,
    /// The faults of the next requests for a path, the last one first.
    faults: BTreeMap<String, Vec<Fault>>,
    asked: Vec<String>,
}

/// A fault of one request.
#[derive(Clone, Copy)]
pub enum Fault {
    /// It is answered with this status.
    Status(u16),
    /// It is answered with 503 and `Retry-After`, in seconds.
    RetryAfter(u64),
    /// The connection ends half-way through the file.
    Cut,
    /// Half the file comes, and then nothing more for so long.
    Stall(Duration),
    /// The file comes byte by byte, with a pause after each.
    Drip(Duration),
    /// The answer begins so much later.
    Late(Duration),
}

/// A file that pauses once, half-way, or after each byte.
struct Slow {
    content: Cursor<Vec<u8>>,
    pause: Duration,
    each: bool,
    /// Nobody needs it any more.
    over: Arc<AtomicBool>,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.content.get_ref().len() as u64;
        let at = self.content.position();
        let most = match self.each {
            true => 1,
            false if at < length / 2 => (length / 2 - at) as usize,
            false => buffer.len(),
        };
        if self.each || at == length / 2 {
            let begun = Instant::now();
            while begun.elapsed() < self.pause && !self.over.load(Ordering::Relaxed) {
                std::thread::sleep(self.pause.min(Duration::from_millis(20)));
            }
        }
        let most = most.min(buffer.len());
        self.content.read(&mut buffer[..most])
    }
}

impl Upstream {
    /// Serves `fixtures/substitute-server` and the build farm's list.
    pub fn of_fixtures() -> Self {
        let upstream = Self::empty();
        let folder = fixture("substitute-server");
        let mut open = vec![folder.clone()];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            } else {
                let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
                upstream.set(name, std::fs::read(&path).unwrap());
            }
        }
        let builds = std::fs::read(fixture("latestbuilds.json")).unwrap();
        upstream.set("api/latestbuilds", builds);
        upstream
    }

    /// Serves nothing yet.
    pub fn empty() -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let answers = Arc::clone(&shared);
        let over = Arc::<AtomicBool>::default();
        let ended = Arc::clone(&over);
        let server = Server::bind(0, move |request: &Request| {
            let path = percent_decode_str(&request.path).decode_utf8_lossy();
            let path = path.trim_start_matches('/').to_owned();
            let mut shared = answers.lock().unwrap();
            let file = shared.files.get(&path).cloned().flatten();
            let fault = shared.faults.get_mut(&path).and_then(Vec::pop);
            shared.asked.push(path);
            drop(shared);
            match fault {
                Some(Fault::Status(status)) => return Response::text(status, "not now"),
                Some(Fault::RetryAfter(seconds)) => {
                    return Response::text(503, "busy").with("Retry-After", seconds.to_string());
                }
                Some(Fault::Late(time)) => std::thread::sleep(time),
                _ => {}
            }
            match file {
                Some(file) => Response {
                    status: 200,
                    headers: vec![("Content-Type", "application/octet-stream".to_owned())],
                    content: Content::Sized(
                        file.len() as u64,
                        match fault {
                            Some(Fault::Cut) => {
                                Box::new(Cursor::new(file[..file.len() / 2].to_vec()))
                            }
                            Some(Fault::Stall(pause) | Fault::Drip(pause)) => Box::new(Slow {
                                content: Cursor::new(file.to_vec()),
                                pause,
                                over: Arc::clone(&ended),
                                each: matches!(fault, Some(Fault::Drip(_))),
                            }),
                            _ => Box::new(Cursor::new(file)),
                        },
                    ),
                },
                None => Response::text(404, "not found"),
            }
        });
        Self {
            server: server.unwrap(),
            shared,
            over,
        }
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Serves `content` under `path` from now on.
    pub fn set(&self, path: &str, content: impl Into<Vec<u8>>) {
        let mut shared = self.shared.lock().unwrap();
        shared
            .files
            .insert(path.to_owned(), Some(content.into().into()));
    }

    /// Answers 404 for `path` from now on.
    pub fn remove(&self, path: &str) {
        self.shared
            .lock()
            .unwrap()
            .files
            .insert(path.to_owned(), None);
    }

    /// Serves something else under `path` from now on.
    pub fn edit(&self, path: &str, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let content = self.get(path);
        self.set(path, edit(content));
    }

    /// Serves the narinfo of `hash` with each `from` replaced from now on.
    pub fn edit_text(&self, hash: &str, from: &str, to: &str) {
        self.edit(&format!("{hash}.narinfo"), |narinfo| {
            let narinfo = String::from_utf8(narinfo).unwrap();
            assert!(narinfo.contains(from), "{narinfo}");
            narinfo.replace(from, to).into_bytes()
        });
    }

    /// Spoils the next requests for `path`.
    pub fn spoil(&self, path: &str, faults: &[Fault]) {
        let mut shared = self.shared.lock().unwrap();
        shared.faults.insert(path.to_owned(), faults.to_vec());
    }

    /// The content that it serves under `path`.
    pub fn get(&self, path: &str) -> Vec<u8> {
        let shared = self.shared.lock().unwrap();
        shared.files[path].as_ref().unwrap().to_vec()
    }

    /// All that it serves.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let shared = self.shared.lock().unwrap();
        let files = shared.files.iter();
        files
            .filter_map(|(path, content)| Some((path.clone(), content.as_ref()?.to_vec())))
            .collect()
    }

    /// Returns true if `path` was asked for since [`Upstream::asked`] was last called.
    pub fn has_asked(&self, path: &str) -> bool {
        let shared = self.shared.lock().unwrap();
        shared.asked.iter().any(|asked| asked == path)
    }

    /// The paths that were asked for since this was last called.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().asked)
    }
}
