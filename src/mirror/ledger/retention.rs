//! The rule of retention that is in force, and the time of the last prune.

use super::files::RETENTION;
use super::lines;
use crate::mirror::failure::Failure;
use crate::node::Node;
use crate::publication::LedgerFiles;
use crate::util::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A rule about the items that are kept. Without limits it keeps all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionRule {
    /// The time for which an item is kept after it was wanted last, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_for: Option<u64>,
    /// The largest cumulative size of the tree, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
}

impl RetentionRule {
    /// The rule with these limits.
    pub fn new(keep_for: Option<Duration>, max_size: Option<u64>) -> Self {
        Self {
            keep_for: keep_for.map(|time| time.as_secs()),
            max_size,
        }
    }

    /// The rule with room left for so many bytes.
    #[must_use]
    pub fn beside_page(self, bytes: u64) -> Self {
        let max_size = self.max_size.map(|size| size.saturating_sub(bytes));
        Self { max_size, ..self }
    }

    /// Returns true for the rule that keeps all.
    pub fn keeps_all(&self) -> bool {
        *self == Self::default()
    }
}

/// The retention of a mirror.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The rule that `sync` obeys.
    #[serde(flatten)]
    pub rule: RetentionRule,
    /// The time of the last prune.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned: Option<Timestamp>,
}

impl Retention {
    /// The retention of a ledger.
    pub fn read(node: &dyn Node, files: &mut LedgerFiles) -> Result<Self, Failure> {
        let mut lines = lines::read(files.read(node, RETENTION)?).into_iter();
        Ok(lines.next().unwrap_or_default())
    }

    /// Writes it, unless the ledger has it.
    pub fn write(&self, node: &dyn Node, files: &mut LedgerFiles) -> Result<(), Failure> {
        if Self::read(node, files)? != *self {
            let line = (*self != Self::default()).then_some(self);
            files.write(RETENTION, lines::write(line));
        }
        Ok(())
    }
}
