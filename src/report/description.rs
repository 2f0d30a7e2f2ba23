//! The lines of `resolve --long`.

use super::terminal::Report;
use super::text::{bytes, items};
use crate::mirror::{LedgerSummary, MirrorDescription, OwedItem, RemovedItem};

/// Prints a mirror's description. `trust` has a line for each upstream;
/// `without_gateway` is the way to use a mirror whose node has none.
pub fn print_description(
    report: &Report,
    description: &MirrorDescription,
    trust: &[String],
    without_gateway: &str,
) {
    let nars = description.nars.iter();
    let nars: Vec<String> = nars
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let record = match &description.record {
        Some(record) => {
            let until = minutes(&record.validity);
            format!("sequence {}, valid until {until}", record.sequence)
        }
        None => "the node does not tell".to_owned(),
    };
    let used = bytes(description.node.repo_bytes);
    let usage = match description.node.storage_max {
        None => used,
        Some(limit) => format!("{used} of {}", bytes(limit)),
    };
    let mut rows: Vec<(&str, String)> = Vec::new();
    for (label, name) in ["name", ""].into_iter().zip(&description.names) {
        rows.push((label, format!("/ipns/{name}")));
    }
    rows.push(("narinfos", description.narinfos.to_string()));
    rows.push(("nars", nars.join(", ")));
    rows.push(("size", bytes(description.bytes)));
    if !description.names.is_empty() {
        rows.push(("record", record));
    }
    rows.extend(trust.iter().map(|line| ("trust", line.clone())));
    rows.push(("node", format!("{}, {usage}", description.node.agent)));
    rows.push(match &description.substitute_urls {
        Some(urls) => ("use", format!("--substitute-urls=\"{urls}\"")),
        None => ("use", without_gateway.to_owned()),
    });
    for (label, text) in rows {
        report.print(&format!("{label:<9} {text}"));
    }
}

/// Items of the ledger that are printed; `--json` prints all.
const MOST_LISTED: usize = 100;

/// Prints what the ledger holds: the items that are owed, the longest owed first, and
/// those that a person removed.
pub fn print_ledger(report: &Report, ledger: &LedgerSummary) {
    let mut owed: Vec<&OwedItem> = ledger.owed.iter().collect();
    owed.sort_by_key(|item| item.since);
    let (given_up, tried): (Vec<&OwedItem>, _) = owed.into_iter().partition(|item| item.given_up);
    let times = |item: &OwedItem| {
        let [since, next] = [item.since, item.next].map(|time| minutes(&time.to_string()));
        match item.given_up {
            true => format!("since {since}"),
            false => format!("since {since}, next try {next}"),
        }
    };
    for (label, listed) in [("owed", tried), ("given up", given_up)] {
        let line = |item: &&OwedItem| {
            let reason = match item.reason.as_str() {
                "" => "a limit or the end of a run came first",
                reason => reason,
            };
            format!("{}: {reason} ({})", item.item, times(item))
        };
        print_items(report, label, listed.iter().map(line), listed.len());
    }
    let removed = ledger.removed.iter();
    let line = |item: &RemovedItem| format!("{} ({})", item.item, minutes(&item.at.to_string()));
    print_items(report, "removed", removed.map(line), ledger.removed.len());
}

fn print_items(report: &Report, label: &str, lines: impl Iterator<Item = String>, count: usize) {
    if count > 0 {
        report.print(&format!("{label:<9} {}", items(count)));
    }
    for line in lines.take(MOST_LISTED) {
        report.print(&format!("          {line}"));
    }
    if count > MOST_LISTED {
        let more = count - MOST_LISTED;
        report.print(&format!("          and {more} more, which --json lists"));
    }
}

/// An RFC 3339 time to the minute.
fn minutes(time: &str) -> String {
    match (time.get(..10), time.get(11..16), time.ends_with('Z')) {
        (Some(day), Some(minute), true) => format!("{day} {minute} UTC"),
        _ => time.to_owned(),
    }
}
