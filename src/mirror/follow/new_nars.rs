//! The nars that are new in a root, small in memory: there may be millions.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// The nars that are new in a root, by a digest of their paths under a random key. A
/// path that is not among them is taken for one that is with a chance of their number
/// in 2^64.
#[derive(Debug, Default)]
pub struct NewNars {
    keys: RandomState,
    nars: HashMap<u64, NewNar>,
}

#[derive(Debug)]
struct NewNar {
    size: u64,
    is_listed: bool,
}

impl NewNars {
    /// Takes a nar of so many bytes.
    pub fn add(&mut self, path: &[String], size: u64) {
        let is_listed = false;
        let nar = NewNar { size, is_listed };
        self.nars.insert(self.keys.hash_one(path), nar);
    }

    /// Marks a nar as listed by a narinfo, and returns its size; `None` for one that is
    /// not new.
    pub fn list(&mut self, path: &[String]) -> Option<u64> {
        let nar = self.nars.get_mut(&self.keys.hash_one(path))?;
        nar.is_listed = true;
        Some(nar.size)
    }

    /// Returns true for a nar that was marked.
    pub fn is_listed(&self, path: &[String]) -> bool {
        let nar = self.nars.get(&self.keys.hash_one(path));
        nar.is_some_and(|nar| nar.is_listed)
    }

    /// Returns true where all are marked.
    pub fn all_are_listed(&self) -> bool {
        self.nars.values().all(|nar| nar.is_listed)
    }
}
