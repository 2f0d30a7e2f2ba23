//! Sets of items and of paths that are small in memory: a mirror may hold millions.

use crate::guix::HashPart;
use std::hash::{BuildHasher, RandomState};

/// Items, 20 bytes each.
#[derive(Debug, Default)]
pub struct ItemSet(Vec<[u8; 20]>);

impl ItemSet {
    /// Returns true for an item of the set.
    pub fn contains(&self, item: &HashPart) -> bool {
        self.0.binary_search(&item.bytes()).is_ok()
    }
}

impl FromIterator<HashPart> for ItemSet {
    fn from_iter<I: IntoIterator<Item = HashPart>>(items: I) -> Self {
        let mut bytes: Vec<[u8; 20]> = items.into_iter().map(|item| item.bytes()).collect();
        bytes.sort_unstable();
        Self(bytes)
    }
}

/// Paths, 8 bytes each. One that is not in the set is taken for one that is with a
/// chance of its size in 2^64, which nobody can contrive.
#[derive(Debug, Default)]
pub struct PathSet {
    keys: RandomState,
    digests: Vec<u64>,
    is_sorted: bool,
}

impl PathSet {
    /// Adds a path.
    pub fn insert(&mut self, path: &[String]) {
        self.digests.push(self.keys.hash_one(path));
        self.is_sorted = false;
    }

    /// Returns true for a path of the set.
    pub fn contains(&mut self, path: &[&str]) -> bool {
        if !self.is_sorted {
            self.digests.sort_unstable();
            self.is_sorted = true;
        }
        let digest = self.keys.hash_one(path);
        self.digests.binary_search(&digest).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_however_it_is_spelled() {
        let path = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        let mut set = PathSet::default();
        set.insert(&path("nar/gzip/a"));
        assert!(set.contains(&["nar", "gzip", "a"]));
        set.insert(&path("nar/b"));
        assert!(set.contains(&["nar", "b"]));
        assert!(!set.contains(&["nar", "gzip/a"]));
        assert!(!set.contains(&["nar", "a"]));
    }
}
