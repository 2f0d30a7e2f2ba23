//! The lines of a collection.

use super::terminal::Report;
use super::text::{bytes, counted};
use crate::mirror::CollectionSummary;

/// Prints what a collection has freed.
pub fn report_collection(report: &Report, collected: &CollectionSummary) {
    let blocks = counted(collected.blocks, "block");
    let freed = collected.freed().map(|freed| format!(", {}", bytes(freed)));
    let left = collected
        .bytes_after
        .map(|left| format!("; the node's repository holds {}", bytes(left)));
    report.status(&format!(
        "collected {blocks}{}{}",
        freed.unwrap_or_default(),
        left.unwrap_or_default()
    ));
}
