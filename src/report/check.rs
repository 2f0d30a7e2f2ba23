//! The lines of `check`, and its figures for Prometheus.

use super::figures_file::write_figures;
use super::terminal::Report;
use super::text::bytes;
use crate::mirror::{CheckSummary, Exit, Finding, FindingKind};
use crate::util::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// Prints a finding.
pub fn print_finding(report: &Report, finding: &Finding) {
    report.print(&finding.to_string());
}

/// Prints the size of the mirror, where it is known.
pub fn print_size(report: &Report, summary: &CheckSummary) {
    let (Some(narinfos), Some(size)) = (summary.narinfos, summary.bytes) else {
        return;
    };
    let root = summary.root.map(|root| format!("/ipfs/{root}"));
    let name = summary.name.as_ref().map(|name| format!("/ipns/{name}"));
    let mirror = name.or(root).unwrap_or_default();
    // Below the verdicts, the longest of which has eleven letters.
    let line = format!("mirror      {mirror}: {narinfos} narinfos, {}", bytes(size));
    report.print(&line);
}

/// The figures of a check.
pub struct CheckFigures<'f> {
    /// Its outcome, unless it failed.
    pub summary: Option<&'f CheckSummary>,
    /// The mirror, as it was named.
    pub target: &'f str,
    /// Its exit code.
    pub exit: Exit,
}

impl Report {
    /// Writes the figures of a check to a file.
    pub fn write_check_metrics(&self, path: &Path, figures: &CheckFigures) -> io::Result<()> {
        write_figures(path, &text(figures, Timestamp::from(SystemTime::now())))
    }
}

/// The file with the figures of a check that ended at `now`.
fn text(figures: &CheckFigures, now: Timestamp) -> String {
    let mut file = File {
        text: String::new(),
        mirror: figures.target,
    };
    file.gauge(
        "last_run_timestamp_seconds",
        "The end of the last check.",
        [(vec![], now.0 as f64)],
    );
    file.gauge(
        "exit_code",
        "The exit code of the last check: 0 if all is good, 3 if not.",
        [(vec![], f64::from(figures.exit as u8))],
    );
    let Some(summary) = figures.summary else {
        return file.text;
    };
    let mut counts: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for finding in &summary.findings {
        let verdict = finding.verdict.word();
        *counts.entry((&finding.at, verdict)).or_default() += 1.0;
    }
    file.gauge(
        "findings",
        "Findings of each verdict: all except good and note need attention.",
        counts
            .iter()
            .map(|((at, verdict), count)| (vec![("at", *at), ("verdict", *verdict)], *count)),
    );
    let timed = summary.findings.iter().filter_map(|finding| {
        let seconds = finding.milliseconds? as f64 / 1000.0;
        Some(((finding.at.as_str(), finding.kind), seconds))
    });
    let mut slowest: BTreeMap<(&str, FindingKind), f64> = BTreeMap::new();
    for (key, seconds) in timed {
        let most = slowest.entry(key).or_default();
        *most = most.max(seconds);
    }
    file.gauge(
        "first_byte_seconds",
        "The longest time until an answer began.",
        slowest
            .iter()
            .map(|((at, kind), seconds)| (vec![("at", *at), ("kind", kind.word())], *seconds)),
    );
    let single = |value: Option<f64>| value.map(|value| (vec![], value));
    file.gauge(
        "record_end_timestamp_seconds",
        "The end of the validity of the name's record.",
        single(summary.record.as_ref().map(|record| record.end.0 as f64)),
    );
    file.gauge(
        "narinfos",
        "Narinfos of the root, estimated where there are many.",
        single(summary.narinfos.map(|count| count.entries as f64)),
    );
    file.gauge(
        "tree_bytes",
        "The cumulative size of the root.",
        single(summary.bytes.map(|bytes| bytes as f64)),
    );
    let count = |count: Option<usize>| count.map(|count| count as f64);
    file.gauge(
        "peers",
        "Peers of the node.",
        single(count(summary.swarm.peers)),
    );
    let providers = [
        ("root", count(summary.swarm.root_providers)),
        ("narinfo", count(summary.swarm.narinfo_providers)),
    ];
    file.gauge(
        "providers",
        "Others that announce a block, of at most twenty.",
        providers
            .into_iter()
            .filter_map(|(of, count)| Some((vec![("of", of)], count?))),
    );
    file.text
}

/// A file of figures about one mirror.
struct File<'f> {
    text: String,
    mirror: &'f str,
}

impl File<'_> {
    /// Adds a figure with its values, each with labels. One without values is left out.
    fn gauge<'l>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (Vec<(&'l str, &'l str)>, f64)>,
    ) {
        let name = format!("guix_ipfs_check_{name}");
        let mut values = values.into_iter().peekable();
        if values.peek().is_some() {
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge");
        }
        for (labels, value) in values {
            let labels = [("mirror", self.mirror)].into_iter().chain(labels);
            let labels: Vec<String> = labels
                .map(|(label, value)| format!("{label}=\"{}\"", escaped(value)))
                .collect();
            let _ = writeln!(self.text, "{name}{{{}}} {value}", labels.join(","));
        }
    }
}

/// A label's value as the format writes it.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
