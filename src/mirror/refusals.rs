//! The items that were refused for their content, remembered for a day, so that a
//! cron job neither fetches the same bad gigabyte every five minutes nor complains
//! of it each time. Losing this memory costs no more than that.

use super::lookup::PlannedItem;
use super::skipped::{SkipReason, Skipped};
use crate::guix::UpstreamClient;
use crate::util::hex;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The time for which a refusal is remembered.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The refusals of the last day: a small file each, named by a hash, with the
/// reason in it.
#[derive(Debug)]
pub struct RefusalCache {
    /// `None` where there is no place for a cache.
    folder: Option<PathBuf>,
}

impl RefusalCache {
    /// The cache below a folder; refusals of more than a day ago are removed. Without a
    /// folder, one that remembers nothing.
    pub fn open(cache: Option<&Path>) -> Self {
        let folder = cache.map(|cache| cache.join("refused"));
        let entries = folder.as_ref().and_then(|folder| fs::read_dir(folder).ok());
        for entry in entries.into_iter().flatten().flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified
                .ok()
                .and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age > DAY) {
                let _ = fs::remove_file(entry.path());
            }
        }
        Self { folder }
    }

    /// The reason for which a nar of this item was refused: of the same narinfo from
    /// the same server.
    pub fn of_item(&self, item: &PlannedItem, upstream: &UpstreamClient) -> Option<String> {
        fs::read_to_string(self.path(&key(item, upstream))?).ok()
    }

    /// Remembers that a nar of this item was refused.
    pub fn remember_item(
        &self,
        item: &PlannedItem,
        upstream: &UpstreamClient,
        reason: &SkipReason,
    ) {
        self.remember(&key(item, upstream), &reason.to_string());
    }

    /// Remembers that an item was reported as left out. Returns true the first time.
    pub fn note_reported(&self, skipped: &Skipped) -> bool {
        let Skipped { item, reason } = skipped;
        let key = Sha256::digest(format!("{item}\n{reason}"));
        let is_new = self.path(&key).is_none_or(|path| !path.exists());
        if is_new {
            self.remember(&key, &reason.to_string());
        }
        is_new
    }

    fn path(&self, key: &[u8]) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(hex::encode(key)))
    }

    fn remember(&self, key: &[u8], reason: &str) {
        if let (Some(folder), Some(path)) = (&self.folder, self.path(key)) {
            // A refusal that cannot be remembered is refused again the next time.
            let _ = fs::create_dir_all(folder);
            let _ = fs::write(path, reason);
        }
    }
}

fn key(item: &PlannedItem, upstream: &UpstreamClient) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(upstream.base());
    hash.update("\n");
    hash.update(item.narinfo.bytes());
    hash.finalize().to_vec()
}
