//! The nars that did not come in a run, for the next one.

use crate::guix::HashPart;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The nars that did not come, by their items: what comes badly comes first the next
/// time, so that an item with one nar missing costs no more than that.
#[derive(Debug, Default)]
pub struct FailedNars {
    /// The URLs of earlier runs.
    before: HashMap<HashPart, String>,
    now: Mutex<HashMap<HashPart, String>>,
}

impl FailedNars {
    /// Those of a run after one in which these did not come.
    pub fn after(before: HashMap<HashPart, String>) -> Self {
        Self {
            before,
            ..Self::default()
        }
    }

    /// The nar of an item that did not come in an earlier run.
    pub fn before(&self, item: &HashPart) -> Option<&String> {
        self.before.get(item)
    }

    /// The nar of an item that did not come in this run.
    pub fn of(&self, item: &HashPart) -> Option<String> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.get(item).cloned()
    }

    /// Records that the nar at a URL did not come.
    pub fn note(&self, item: HashPart, url: &str) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.insert(item, url.to_owned());
    }
}
