//! Entries of a directory, and changes to them.

use super::super::cid::Cid;
use std::collections::BTreeMap;

/// The file or directory that a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The root of the file or directory.
    pub cid: Cid,
    /// Cumulative size in bytes.
    pub size: u64,
}

/// Changes to a directory: a name gets an entry, or loses it.
pub type Changes = BTreeMap<String, Option<Entry>>;
