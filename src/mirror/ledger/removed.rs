//! The items that a person removed. They stay out until a person adds them by name.

use super::lines;
use crate::guix::HashPart;
use crate::util::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An item that a person removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedItem {
    /// Its store hash.
    pub hash: HashPart,
    /// Its store path, where that was known.
    pub item: String,
    /// The time of the removal.
    pub at: Timestamp,
}

/// The removed items of a file.
pub fn read(file: &[u8]) -> BTreeMap<HashPart, RemovedItem> {
    let items = lines::read::<RemovedItem>(file).into_iter();
    items.map(|item| (item.hash, item)).collect()
}
