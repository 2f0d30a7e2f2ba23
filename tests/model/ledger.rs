//! The ledger, as the program tells of it.

use guix_ipfs::node::Node;
use std::collections::{BTreeMap, BTreeSet};

pub struct Ledger {
    /// By store hash.
    pub owed: BTreeMap<String, Owed>,
    /// The store hashes of items that a person removed.
    pub removed: BTreeSet<String>,
}

#[derive(Debug)]
pub struct Owed {
    pub reason: String,
    pub given_up: bool,
}

impl Ledger {
    pub fn of(_node: &dyn Node) -> Option<Self> {
        None
    }
}
