//! The set of the items of a mirror, small in memory: it may hold millions.

use crate::guix::HashPart;

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
        let mut set = Self(items.into_iter().map(|item| item.bytes()).collect());
        set.0.sort_unstable();
        set
    }
}

impl Extend<HashPart> for ItemSet {
    fn extend<I: IntoIterator<Item = HashPart>>(&mut self, items: I) {
        self.0.extend(items.into_iter().map(|item| item.bytes()));
        self.0.sort_unstable();
    }
}
