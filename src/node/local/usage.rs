//! The store's account of itself: a small file from which a commit reads how much may be
//! unpinned, without a look at the blocks. The sizes of all blocks were measured once;
//! since then it is only added to, so that it errs on the side of too much.

use super::blocks::BlockStore;
use super::link::cumulative_size;
use super::lock::Writing;
use super::pins::Pins;
use crate::ipfs::cid::Cid;
use crate::util::durable::{self, Durability, Readers};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// The bytes from which unpinned blocks are worth a collection.
const MUCH: u64 = 64 << 20;

/// The account, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// All blocks, when they were last measured.
    pub bytes: u64,
    /// Those of them that a pin reached.
    pub kept: u64,
    /// The blocks that were written since.
    pub written: u64,
    /// The most that pins which were removed since may have kept alone.
    pub dropped: u64,
}

impl Account {
    /// Returns true where more than half of the store may be unpinned, and more than
    /// [`MUCH`].
    pub fn is_much_unpinned(&self) -> bool {
        let all = self.bytes.saturating_add(self.written);
        let unpinned = self.bytes.saturating_sub(self.kept);
        let unpinned = unpinned
            .saturating_add(self.written)
            .saturating_add(self.dropped);
        unpinned > MUCH && unpinned > all / 2
    }
}

/// The file of the account. It is not durable: without it, the store is measured.
#[derive(Debug)]
pub struct UsageFile {
    path: PathBuf,
}

impl UsageFile {
    /// The file in the store's `folder`.
    pub fn new(folder: &Path) -> Self {
        let path = folder.join("usage");
        Self { path }
    }

    /// The account; `None` where there is none that can be read.
    pub fn read(&self) -> Option<Account> {
        serde_json::from_slice(&fs::read(&self.path).ok()?).ok()
    }

    /// Replaces the account, or removes it if that fails.
    pub fn write(&self, _: &Writing, account: &Account) {
        // A struct of numbers always serialises.
        let json = serde_json::to_vec(account).unwrap_or_default();
        if durable::write(&self.path, &json, Readers::Owner, Durability::Later).is_err() {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// The account at the beginning of a measure.
    pub fn begin(&self, writing: &Writing, blocks: &BlockStore) -> Account {
        let account = self.add_written(writing, blocks);
        account.unwrap_or_else(|| {
            blocks.take_written();
            Account::default()
        })
    }

    /// Writes and returns the account at its end. What was added since `before`, by others,
    /// may or may not be in the measure.
    pub fn end(&self, writing: &Writing, before: &Account, bytes: u64, kept: u64) -> Account {
        let now = self.read().unwrap_or_default();
        let account = Account {
            bytes,
            kept,
            written: now.written.saturating_sub(before.written),
            dropped: now.dropped.saturating_sub(before.dropped),
        };
        self.write(writing, &account);
        account
    }

    /// Adds the blocks that this process has written.
    pub fn add_written(&self, writing: &Writing, blocks: &BlockStore) -> Option<Account> {
        let mut account = self.read()?;
        let written = blocks.take_written();
        if written > 0 {
            account.written = account.written.saturating_add(written);
            self.write(writing, &account);
        }
        Some(account)
    }

    /// Adds what the pin of `root`, which is removed, may have kept alone: as much as its
    /// tree is larger than that of another pin of the same name. Returns true where a
    /// collection may be worthwhile.
    pub fn add_dropped(
        &self,
        writing: &Writing,
        blocks: &BlockStore,
        pins: &Pins,
        (root, name): (&Cid, &str),
    ) -> bool {
        let Some(mut account) = self.add_written(writing, blocks) else {
            return true;
        };
        let pins = pins.all().unwrap_or_default().into_iter();
        let others = pins.filter(|(_, other)| other == name);
        let others = others.filter_map(|(other, _)| cumulative_size(blocks, &other).ok());
        let dropped = match cumulative_size(blocks, root) {
            Ok(size) => size.saturating_sub(others.max().unwrap_or(0)),
            Err(_) => account.kept,
        };
        if dropped > 0 {
            account.dropped = account.dropped.saturating_add(dropped);
            self.write(writing, &account);
        }
        account.is_much_unpinned()
    }
}
