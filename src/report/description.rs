//! The lines of `resolve --long`.

use super::terminal::Report;
use super::text::bytes;
use crate::mirror::MirrorDescription;

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

/// An RFC 3339 time to the minute.
fn minutes(time: &str) -> String {
    match (time.get(..10), time.get(11..16), time.ends_with('Z')) {
        (Some(day), Some(minute), true) => format!("{day} {minute} UTC"),
        _ => time.to_owned(),
    }
}
