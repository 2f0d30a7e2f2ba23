//! The ledger, as the program tells of it.

use crate::site::KEY;
use crate::support::TestNode;
use guix_ipfs::mirror::{OwedItem, ledger_summary};
use std::collections::{BTreeMap, BTreeSet};

pub struct Ledger {
    /// By store hash.
    pub owed: BTreeMap<String, OwedItem>,
    /// The store hashes of items that a person removed.
    pub removed: BTreeSet<String>,
    /// The bytes of its files.
    pub bytes: u64,
}

impl Ledger {
    pub fn of(node: &TestNode) -> Self {
        let name = node.key_id(KEY).unwrap();
        let summary = ledger_summary(node.node(), &name).unwrap().unwrap();
        let owed = summary.owed.into_iter();
        let removed = summary.removed.into_iter();
        Self {
            bytes: summary.ledger_bytes,
            owed: owed.map(|owed| (owed.hash.to_string(), owed)).collect(),
            removed: removed.map(|item| item.hash.to_string()).collect(),
        }
    }
}
