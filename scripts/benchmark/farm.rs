//! The build farm of a year: it serves each nar as `zstd -19` packs it.

use crate::measure::thread_seconds;
use crate::support::Upstream;
use crate::year::{Item, Year};
use guix_ipfs::guix::base32;
use sha2::{Digest, Sha256};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The level of Guix's own farms.
const LEVEL: i32 = 19;

pub struct Farm {
    pub upstream: Upstream,
    /// Seconds of one processor that it packed.
    pub seconds: f64,
}

impl Farm {
    /// Packs all items, on each processor.
    pub fn of(year: &Year) -> Self {
        let upstream = Upstream::empty();
        let next = AtomicUsize::new(0);
        let seconds = Mutex::new(0.0);
        let pack = || {
            while let Some(item) = year.items.get(next.fetch_add(1, Ordering::Relaxed)) {
                serve(&upstream, item);
            }
            *seconds.lock().unwrap() += thread_seconds();
        };
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..processors {
                scope.spawn(pack);
            }
        });
        let seconds = *seconds.lock().unwrap();
        Self { upstream, seconds }
    }
}

fn serve(upstream: &Upstream, item: &Item) {
    let nar = item.read();
    let packed = zstd::bulk::compress(&nar, LEVEL).unwrap();
    let Item { hash, name, .. } = item;
    let url = format!("nar/zstd/{hash}-{name}");
    let narinfo = format!(
        "StorePath: /gnu/store/{hash}-{name}\nNarHash: sha256:{}\nNarSize: {}\nReferences: \n\
         URL: {url}\nCompression: zstd\nFileSize: {}\n",
        base32::encode(&Sha256::digest(&nar)),
        nar.len(),
        packed.len(),
    );
    upstream.set(&url, packed);
    upstream.set(&format!("{hash}.narinfo"), narinfo);
}
