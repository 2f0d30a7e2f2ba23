//! The collector. Content that another process is just adding has no pin yet, and
//! may go; pinning it then says so, as on Kubo.
//!
//! Others may write all the while. What is pinned is looked for without the lock. Blocks
//! are removed some at a time, under the lock, and what was pinned meanwhile is looked
//! for before: it was whole when it was pinned, and nobody else removes blocks.

use super::super::error::Problem;
use super::blocks::{BlockFile, BlockStore};
use super::lock::{WriteLock, Writing, take_file};
use super::pins::Pins;
use super::usage::{Account, UsageFile};
use super::walk::Walk;
use crate::ipfs::cid::Cid;
use crate::util::lock::FileLock;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

/// The number of blocks that are removed in one go, which takes a small part of the time
/// that others wait for the lock.
const BATCH: usize = 1000;

/// The parts of a store that a collection has to do with.
#[derive(Clone, Copy, Debug)]
pub struct Store<'n> {
    /// The store's folder.
    pub folder: &'n Path,
    /// Its lock, not taken.
    pub lock: &'n WriteLock,
    /// Its blocks.
    pub blocks: &'n BlockStore,
    /// Its pins.
    pub pins: &'n Pins,
    /// Its account.
    pub usage: &'n UsageFile,
}

/// A collection. A store has one at a time.
#[derive(Debug)]
pub struct Collection<'n> {
    store: Store<'n>,
    _only: FileLock,
    walk: Walk<'n>,
    /// The pins whose blocks the walk has visited.
    walked: HashSet<Cid>,
    /// The account when the collection began.
    before: Account,
}

impl<'n> Collection<'n> {
    /// Begins a collection: looks for all that is pinned. Waits as long as `patience` for
    /// the end of another.
    ///
    /// # Errors
    /// When a block below a pin cannot be read.
    pub fn begin(store: Store<'n>, patience: Duration) -> Result<Self, Problem> {
        let only = take_file(store.folder, "lock.collector", patience)?;
        let mut collection = Self {
            store,
            _only: only,
            walk: Walk::new(store.blocks),
            walked: HashSet::new(),
            before: store.usage.begin(&store.lock.take()?, store.blocks),
        };
        collection.look_for_pinned()?;
        Ok(collection)
    }

    /// Measures the store, and returns its new account.
    pub fn measure(&self) -> Result<Account, Problem> {
        let mut unpinned = 0;
        for shelf in self.store.blocks.shelves()? {
            for file in self.unpinned(&shelf)? {
                unpinned += file.size()?;
            }
        }
        Ok(self.account(&self.store.lock.take()?, unpinned))
    }

    /// Removes every block that no pin reaches, and returns their number.
    pub fn sweep(&mut self) -> Result<u64, Problem> {
        let mut removed = 0;
        for shelf in self.store.blocks.shelves()? {
            for files in self.unpinned(&shelf)?.chunks(BATCH) {
                removed += self.remove(files)?;
            }
        }
        self.account(&self.store.lock.take()?, 0);
        Ok(removed)
    }

    /// Removes those of these files whose blocks are still not pinned.
    fn remove(&mut self, files: &[BlockFile]) -> Result<u64, Problem> {
        // What takes long is done before the lock is taken.
        self.look_for_pinned()?;
        let _writing = self.store.lock.take()?;
        self.look_for_pinned()?;
        let mut removed = 0;
        for file in files {
            if !self.walk.visited(&file.hash) && file.remove()? {
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Walks through what is pinned now and was not yet.
    fn look_for_pinned(&mut self) -> Result<(), Problem> {
        for (root, _) in self.store.pins.all()? {
            if self.walked.insert(root) {
                self.walk.below(&root)?;
            }
        }
        Ok(())
    }

    /// The files of a folder whose blocks the walk has not visited.
    fn unpinned(&self, shelf: &Path) -> Result<Vec<BlockFile>, Problem> {
        let mut files = self.store.blocks.files(shelf)?;
        files.retain(|file| !self.walk.visited(&file.hash));
        Ok(files)
    }

    /// Writes and returns the account of a store with so many bytes unpinned.
    fn account(&self, writing: &Writing, unpinned: u64) -> Account {
        let kept = self.walk.bytes();
        let bytes = kept + unpinned;
        self.store.usage.end(writing, &self.before, bytes, kept)
    }
}
