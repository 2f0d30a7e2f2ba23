//! The size that `check` prints, and its figures for Prometheus.

use super::figures_file::write_figures;
use super::gauges::{Gauge, label, text};
use super::terminal::Report;
use super::text::bytes;
use crate::mirror::{CheckSummary, Exit, FindingKind};
use crate::util::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

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

impl Report {
    /// Writes the figures of a check of `target`, the mirror as it was named, to a file.
    /// `summary` is its outcome, unless it failed. A failure to write is a warning.
    pub fn write_check_metrics(
        &self,
        path: &Path,
        target: &str,
        summary: Option<&CheckSummary>,
        exit: Exit,
    ) {
        let gauges = gauges(summary, exit, Timestamp::from(SystemTime::now()));
        let text = text(&gauges, &label("mirror", target));
        self.metrics_written(path, write_figures(path, &text));
    }
}

/// The figures of a check that ended at `now`.
fn gauges(summary: Option<&CheckSummary>, exit: Exit, now: Timestamp) -> Vec<Gauge> {
    let mut gauges = vec![
        Gauge::new("guix_ipfs_check_last_run_timestamp_seconds", now.0 as f64),
        Gauge::new("guix_ipfs_check_exit_code", f64::from(exit as u8)),
    ];
    let Some(summary) = summary else {
        return gauges;
    };
    let mut counts: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for finding in &summary.findings {
        let verdict = finding.verdict.word();
        *counts.entry((&finding.at, verdict)).or_default() += 1.0;
    }
    gauges.extend(counts.iter().map(|((at, verdict), count)| {
        let gauge = Gauge::new("guix_ipfs_check_findings", *count);
        gauge.labelled("at", at).labelled("verdict", verdict)
    }));
    let mut slowest: BTreeMap<(&str, FindingKind), f64> = BTreeMap::new();
    for finding in &summary.findings {
        if let Some(milliseconds) = finding.milliseconds {
            let most = slowest.entry((&finding.at, finding.kind)).or_default();
            *most = most.max(milliseconds as f64 / 1000.0);
        }
    }
    gauges.extend(slowest.iter().map(|((at, kind), seconds)| {
        let gauge = Gauge::new("guix_ipfs_check_first_byte_seconds", *seconds);
        gauge.labelled("at", at).labelled("kind", kind.word())
    }));
    let number = |number: Option<u64>| number.map(|number| number as f64);
    let count = |count: Option<usize>| count.map(|count| count as f64);
    let record_end = summary.record.as_ref().map(|record| record.end.0);
    let narinfos = summary.narinfos.map(|count| count.entries);
    let providers =
        |of, others| Gauge::new("guix_ipfs_check_providers", count(others)).labelled("of", of);
    gauges.extend([
        Gauge::new(
            "guix_ipfs_check_record_end_timestamp_seconds",
            number(record_end),
        ),
        Gauge::new("guix_ipfs_check_narinfos", number(narinfos)),
        Gauge::new("guix_ipfs_check_tree_bytes", number(summary.bytes)),
        Gauge::new("guix_ipfs_check_peers", count(summary.swarm.peers)),
        providers("root", summary.swarm.root_providers),
        providers("narinfo", summary.swarm.narinfo_providers),
    ]);
    gauges
}
