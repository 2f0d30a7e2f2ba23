//! What was refused for its content is remembered for a day, so that a cron job
//! neither fetches the same bad gigabyte every five minutes nor complains of it
//! each time. Losing this memory costs no more than that.

use super::source::Item;
use crate::guix::Upstream;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// How long a refusal is remembered.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The refusals of the last day: a small file each, named by the hash of what
/// was refused, with the reason in it.
#[derive(Debug)]
pub struct Refusals {
    /// `None` where there is no place for a cache.
    folder: Option<PathBuf>,
}

impl Refusals {
    /// Those kept in `folder`; older ones are removed.
    pub fn open(folder: Option<PathBuf>) -> Self {
        let entries = folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        for entry in entries.into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|found| found.modified());
            let age = modified
                .ok()
                .and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age > DAY) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Self { folder }
    }

    /// Why a nar of this item was refused, if it was: the same narinfo from the
    /// same server.
    pub fn of_item(&self, item: &Item, upstream: &Upstream) -> Option<String> {
        fs::read_to_string(self.path(&key(item, upstream))?).ok()
    }

    /// Remembers that a nar of this item was refused.
    pub fn remember_item(&self, item: &Item, upstream: &Upstream, reason: &str) {
        self.remember(&key(item, upstream), reason);
    }

    /// Whether this has been said before; it has from now on.
    pub fn was_said(&self, item: &str, reason: &str) -> bool {
        let key = Sha256::digest(format!("{item}\n{reason}"));
        let was_said = self.path(&key).is_some_and(|path| path.exists());
        if !was_said {
            self.remember(&key, reason);
        }
        was_said
    }

    fn path(&self, key: &[u8]) -> Option<PathBuf> {
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(self.folder.as_ref()?.join(name))
    }

    fn remember(&self, key: &[u8], reason: &str) {
        if let (Some(folder), Some(path)) = (&self.folder, self.path(key)) {
            // What cannot be remembered is refused again the next time.
            let _ = fs::create_dir_all(folder);
            let _ = fs::write(path, reason);
        }
    }
}

fn key(item: &Item, upstream: &Upstream) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(upstream.base());
    hash.update("\n");
    hash.update(item.narinfo.bytes());
    hash.finalize().to_vec()
}
