//! A substitute server whose items never end: each refers to thirty more.

use guix_ipfs::gateway::http::{Request, Response, Server};
use guix_ipfs::guix::base32;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Endless {
    server: Server,
    asked: Arc<AtomicUsize>,
}

impl Endless {
    pub fn new() -> Self {
        let asked = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&asked);
        let server = Server::bind(0, move |request: &Request| {
            counted.fetch_add(1, Ordering::Relaxed);
            let hash = request.path.trim_start_matches('/');
            match hash.strip_suffix(".narinfo") {
                Some(hash) if hash != super::farm::made(1).hash => {
                    Response::text(200, &narinfo(hash))
                }
                _ => Response::text(404, "not found"),
            }
        });
        Self {
            server: server.unwrap(),
            asked,
        }
    }

    /// The hash of its first item.
    pub fn first() -> String {
        hash("the first")
    }

    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Requests until now.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn hash(text: &str) -> String {
    base32::encode(&Sha256::digest(text)[..20])
}

fn narinfo(of: &str) -> String {
    let references = (0..30).map(|number| format!("{}-x", hash(&format!("{of} {number}"))));
    format!(
        "StorePath: /gnu/store/{of}-x\nURL: nar/{of}-x\nCompression: none\n\
         NarHash: sha256:{}\nNarSize: 100\nReferences: {}",
        "0".repeat(52),
        references.collect::<Vec<_>>().join(" ")
    )
}
