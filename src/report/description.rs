//! The lines of `resolve --long`.

use super::terminal::Report;
use super::text::{bytes, counted, items};
use crate::ipfs::cid::Cid;
use crate::mirror::{
    DeltaSharing, Encoding, HeldRoot, LastRun, LedgerSummary, MirrorContents, MirrorDescription,
    OwedItem, RemovedItem, Retention, ServiceView, Signers,
};
use crate::node::RemoteStatus;
use crate::util::timestamp::Timestamp;
use std::time::Duration;

/// Prints the way to use a mirror, its names, its record and the node.
/// `without_gateway` is the way to use one whose node has no gateway.
pub fn print_description(report: &Report, description: &MirrorDescription, without_gateway: &str) {
    let usage = match &description.substitute_urls {
        Some(urls) => format!("--substitute-urls=\"{urls}\""),
        None => without_gateway.to_owned(),
    };
    print_row(report, "use", &usage);
    for (label, name) in ["name", ""].into_iter().zip(&description.names) {
        print_row(report, label, &format!("/ipns/{name}"));
    }
    if !description.names.is_empty() {
        let record = match &description.record {
            Some(record) => {
                let until = minutes(&record.validity);
                format!("sequence {}, valid until {until}", record.sequence)
            }
            None => "the node does not report it".to_owned(),
        };
        print_row(report, "record", &record);
    }
    let node = &description.node;
    let room = match (node.repo_bytes, node.storage_max) {
        (None, _) => String::new(),
        (Some(used), None) => format!(", {}", bytes(used)),
        (Some(used), Some(limit)) => format!(", {} of {}", bytes(used), bytes(limit)),
    };
    print_row(report, "node", &format!("{}{room}", node.agent));
}

/// Prints the end of the last run of a mirror that this node publishes.
pub fn print_last_run(report: &Report, run: Option<&LastRun>) {
    let text = match run {
        Some(run) => last_run(run),
        None => "this user has recorded none on this machine".to_owned(),
    };
    print_row(report, "last run", &text);
}

fn last_run(run: &LastRun) -> String {
    let how = match run.exit {
        0 => "done".to_owned(),
        3 => "done, except for some items".to_owned(),
        75 => "to be tried again (exit code 75)".to_owned(),
        code @ (130 | 143) => format!("interrupted (exit code {code})"),
        code => format!("failed (exit code {code})"),
    };
    let success = match (run.exit, run.last_success) {
        (0 | 3, _) => String::new(),
        (_, Some(success)) => format!("; last success {}", minutes(success)),
        (_, None) => "; no success is known".to_owned(),
    };
    format!("{}, {}: {how}{success}", minutes(run.end), run.command)
}

/// Prints the root that the node holds because it follows the name.
pub fn print_held(report: &Report, held: &HeldRoot, root: &Cid, now: Timestamp) {
    let which = match held.root == *root {
        true => "this root is held".to_owned(),
        false => format!("/ipfs/{} is held, not this root", held.root),
    };
    let figures = &held.figures;
    let since = minutes(figures.since);
    let age = figures.since.age(now).unwrap_or_default().as_secs() / 60;
    let age = humantime::format_duration(Duration::from_secs(age * 60));
    let all = items(usize::try_from(figures.items).unwrap_or(usize::MAX));
    let size = bytes(figures.bytes);
    let text = format!("{which}, since {since} ({age}): {all}, {size}");
    print_row(report, "followed", &text);
}

/// Prints a line for each pinning service: the state of the root there.
pub fn print_services(report: &Report, services: &[ServiceView]) {
    for view in services {
        print_row(report, "service", &service(view));
    }
}

fn service(view: &ServiceView) -> String {
    let ServiceView { service, .. } = view;
    if let Some(error) = &view.error {
        return format!("{service}: cannot be asked: {error}");
    }
    let state = match view.status {
        Some(RemoteStatus::Pinned) => "holds this root".to_owned(),
        Some(RemoteStatus::Failed) => "failed to pin this root".to_owned(),
        Some(status) => format!("this root is {}", status.word()),
        None => "does not have this root".to_owned(),
    };
    let mut older = view.older.iter();
    let held = older.find(|older| older.status == RemoteStatus::Pinned);
    let held = held.map(|older| format!("; holds /ipfs/{} still", older.root));
    format!("{service}: {state}{}", held.unwrap_or_default())
}

/// Prints the counts of a mirror, and who signed what is there.
pub fn print_contents(report: &Report, contents: &MirrorContents) {
    let nars = contents.nars.iter();
    let nars: Vec<String> = nars
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    print_row(report, "narinfos", &contents.narinfos.to_string());
    print_row(report, "nars", &nars.join(", "));
    print_row(report, "size", &bytes(contents.bytes));
    if let Some(delta) = &contents.delta {
        print_row(report, "delta", &sharing(delta));
    }
    if contents.signers.read > 0 {
        print_row(report, "trust", &signers(&contents.signers));
    }
}

fn sharing(delta: &DeltaSharing) -> String {
    let nars = delta.nars;
    let of = match delta.exact {
        true => counted(nars, "nar"),
        false => format!("{nars} of the nars"),
    };
    let (listed, stored) = (delta.listed_bytes, delta.stored_bytes);
    let percent = 100.0 * stored as f64 / listed.max(1) as f64;
    format!(
        "{of} list {}, of which {} are stored ({percent:.0} %)",
        bytes(listed),
        bytes(stored)
    )
}

/// Prints a line for each upstream: the keys that its narinfos are checked by.
pub fn print_trust(report: &Report, trust: &[String]) {
    for line in trust {
        print_row(report, "trust", line);
    }
}

fn signers(signers: &Signers) -> String {
    let read = signers.read;
    let mut parts = Vec::new();
    for (number, signer) in signers.signed.iter().enumerate() {
        let (by, count) = (signer.farm.unwrap_or(&signer.key), signer.count);
        parts.push(match number {
            0 => format!("signed by {by}: {count} of {read} read"),
            _ => format!("by {by}: {count}"),
        });
    }
    for (count, what) in [
        (signers.unsigned, "not signed"),
        (signers.broken, "unreadable or wrongly signed"),
    ] {
        match (count, parts.is_empty()) {
            (0, _) => {}
            (count, true) => parts.push(format!("{what}: {count} of {read} read")),
            (count, false) => parts.push(format!("{count} {what}")),
        }
    }
    parts.join("; ")
}

fn print_row(report: &Report, label: &str, text: &str) {
    report.print(&format!("{label:<9} {text}"));
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
        let [since, next] = [item.since, item.next].map(minutes);
        match item.given_up {
            true => format!("since {since}"),
            false => format!("since {since}, next try {next}"),
        }
    };
    for (label, listed) in [("owed", tried), ("given up", given_up)] {
        let line = |item: &&OwedItem| {
            let reason = match item.attempt.reason.as_str() {
                "" => "not tried: a run ended or reached a limit first",
                reason => reason,
            };
            format!("{}: {reason} ({})", item.item, times(item))
        };
        print_items(report, label, listed.iter().map(line));
    }
    if ledger.encoding != Encoding::Upstream {
        print_row(report, "encoding", ledger.encoding.name());
    }
    if let Some(rule) = rule(&ledger.retention) {
        print_row(report, "keeps", &rule);
    }
    let line = |item: &RemovedItem| format!("{} ({})", item.item, minutes(item.at));
    print_items(report, "removed", ledger.removed.iter().map(line));
}

/// The rule of retention, and the time of the last prune.
fn rule(retention: &Retention) -> Option<String> {
    let rule = &retention.rule;
    let mut parts = Vec::new();
    if let Some(seconds) = rule.keep_for {
        let time = humantime::format_duration(Duration::from_secs(seconds));
        parts.push(format!("what was wanted within {time}"));
    }
    if let Some(size) = rule.max_size {
        parts.push(format!("up to {}", bytes(size)));
    }
    if parts.is_empty() {
        parts.extend(retention.pruned.map(|_| "everything".to_owned()));
    }
    if let Some(pruned) = retention.pruned {
        parts.push(format!("pruned last {}", minutes(pruned)));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn print_items(report: &Report, label: &str, lines: impl ExactSizeIterator<Item = String>) {
    let count = lines.len();
    if count > 0 {
        print_row(report, label, &items(count));
    }
    for line in lines.take(MOST_LISTED) {
        print_row(report, "", &line);
    }
    if count > MOST_LISTED {
        let more = count - MOST_LISTED;
        print_row(report, "", &format!("and {more} more, which --json lists"));
    }
}

/// An RFC 3339 time to the minute.
fn minutes(time: impl ToString) -> String {
    let time = time.to_string();
    match (time.get(..10), time.get(11..16), time.ends_with('Z')) {
        (Some(day), Some(minute), true) => format!("{day} {minute} UTC"),
        _ => time,
    }
}
