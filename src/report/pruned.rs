//! The lines of a prune.

use super::terminal::Report;
use super::text::{bytes, items};
use crate::mirror::{PruneOutcome, PrunedItem};

/// Prints each item that would go, and what would be left.
pub fn print_pruned(report: &Report, outcome: &PruneOutcome) {
    for item in outcome.items.iter().flatten() {
        report.print(&line(item));
    }
    report.print(&format!(
        "{}, {} would be pruned; {}, {} would be kept",
        items(outcome.pruned),
        bytes(outcome.pruned_bytes),
        items(outcome.kept),
        bytes(outcome.kept_bytes)
    ));
    warn(report, outcome);
}

/// Reports the items that went.
pub fn report_pruned(report: &Report, outcome: &PruneOutcome) {
    for item in outcome.items.iter().flatten() {
        report.verbose(&line(item));
    }
    report.status(&match outcome.pruned {
        0 => format!("nothing to prune; kept {}", items(outcome.kept)),
        pruned => format!(
            "pruned {}, {}; kept {}, {}",
            items(pruned),
            bytes(outcome.pruned_bytes),
            items(outcome.kept),
            bytes(outcome.kept_bytes)
        ),
    });
    warn(report, outcome);
}

fn line(item: &PrunedItem) -> String {
    let wanted = match &item.last_wanted {
        Some(day) => format!("last wanted on {day}"),
        None => "wanted only by other items, or before the ledger began".to_owned(),
    };
    format!("{} {}, {wanted}", item.item, bytes(item.bytes))
}

fn warn(report: &Report, outcome: &PruneOutcome) {
    if outcome.wanted_today > 0 {
        report.warn(
            &format!(
                "--max-size has no room for {} that a farm or a list names today",
                items(outcome.wanted_today)
            ),
            Some(
                "raise it, or name fewer items: such items are mirrored and pruned again and again",
            ),
        );
    }
    if let Some(gap) = &outcome.clock_gap {
        report.warn(
            &format!(
                "nothing was wanted between {} and {}, which counts as one day",
                gap.from, gap.to
            ),
            Some(
                "check that the clock is right; if it is, `guix-ipfs prune --force` counts every \
                 day",
            ),
        );
    }
}
