//! The figures of a run as a file for Prometheus, in its text format.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//!
//! The node exporter's textfile collector reads a folder of such files, whole ones only,
//! and takes no timestamps in them. So a time is a value here.

use super::figures::RunFigures;
use super::figures_file::{read_figures, write_figures};
use super::terminal::Report;
use crate::mirror::Exit;
use crate::util::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Figures that a failed run lacks, and that stay as an earlier one left them.
const KEPT: [&str; 5] = [LAST_SUCCESS, OWED, TREE_BYTES, NARINFOS, RECORD_END];

const LAST_SUCCESS: &str = "guix_ipfs_last_success_timestamp_seconds";
const OWED: &str = "guix_ipfs_owed_items";
const TREE_BYTES: &str = "guix_ipfs_tree_bytes";
const NARINFOS: &str = "guix_ipfs_narinfos";
const RECORD_END: &str = "guix_ipfs_record_end_timestamp_seconds";

/// The run that the figures are about.
pub struct MeasuredRun<'r> {
    /// The verb.
    pub command: &'static str,
    /// The node's name of the key.
    pub key: &'r str,
    /// Its exit code.
    pub exit: Exit,
}

impl Report {
    /// Writes the figures of the run to a file.
    pub fn write_metrics(&self, path: &Path, run: &MeasuredRun) -> io::Result<()> {
        let before = read_figures(path)?;
        let now = Timestamp::from(SystemTime::now());
        let gauges = gauges(&self.figures(), run, now, self.elapsed());
        write_figures(path, &text(&gauges, run.key, &before))
    }
}

/// A figure of the file.
struct Gauge {
    name: &'static str,
    help: &'static str,
    /// `None` for one that the run lacks.
    value: Option<f64>,
    /// A label beside the key.
    label: Option<(&'static str, String)>,
}

impl Gauge {
    fn new(name: &'static str, help: &'static str, value: impl Into<Option<f64>>) -> Self {
        Self {
            name,
            help,
            value: value.into(),
            label: None,
        }
    }

    fn labelled(self, label: &'static str, value: &str) -> Self {
        Self {
            label: Some((label, escaped(value))),
            ..self
        }
    }
}

/// The figures of a run that ended at `now` after `elapsed`.
fn gauges(
    figures: &RunFigures,
    run: &MeasuredRun,
    now: Timestamp,
    elapsed: Duration,
) -> Vec<Gauge> {
    let now = now.0 as f64;
    let count = |items: Option<usize>| items.map(|items| items as f64);
    let planning = figures.planning.unwrap_or(elapsed);
    let rest = elapsed.saturating_sub(planning);
    let phase = |name, time: Duration| {
        let help = "The time that a part of the last run took.";
        let gauge = Gauge::new("guix_ipfs_phase_duration_seconds", help, time.as_secs_f64());
        gauge.labelled("phase", name)
    };
    let services = figures.services.iter().map(|kept| {
        let help = "The last run found the published root pinned at the service (1) or not (0).";
        let value = f64::from(u8::from(kept.is_pinned));
        Gauge::new("guix_ipfs_service_pinned", help, value).labelled("service", &kept.service)
    });
    let mut gauges = vec![
        Gauge::new("guix_ipfs_build_info", "The version of the program.", 1.0)
            .labelled("version", env!("CARGO_PKG_VERSION")),
        Gauge::new(
            "guix_ipfs_last_run_timestamp_seconds",
            "The end of the last run.",
            now,
        )
        .labelled("command", run.command),
        Gauge::new(
            LAST_SUCCESS,
            "The end of the last run that did not fail (exit code 0 or 3).",
            run.exit.is_success().then_some(now),
        ),
        Gauge::new(
            "guix_ipfs_exit_code",
            "The exit code of the last run: 3 is done, except for some items.",
            f64::from(run.exit as u8),
        ),
        phase("plan", planning),
        phase("mirror", rest),
        Gauge::new(
            "guix_ipfs_added_items",
            "Items that the last run published.",
            figures.mirrored as f64,
        ),
        Gauge::new(
            "guix_ipfs_added_bytes",
            "Bytes of the files of these.",
            figures.bytes.map(|bytes| bytes as f64),
        ),
        Gauge::new(
            "guix_ipfs_removed_items",
            "Items that the last run removed.",
            count(figures.removed),
        ),
        Gauge::new(
            "guix_ipfs_pruned_items",
            "Items that the last run pruned by its retention rule.",
            count(figures.pruned),
        ),
        Gauge::new(
            "guix_ipfs_pruned_bytes",
            "Bytes by which the tree became smaller with these.",
            figures.pruned_bytes.map(|bytes| bytes as f64),
        ),
        Gauge::new(
            "guix_ipfs_missing_items",
            "Items that the last run wanted and no upstream has.",
            count(figures.missing),
        ),
        Gauge::new(
            "guix_ipfs_refused_items",
            "Items that differ from their narinfos.",
            count(figures.refused),
        ),
        Gauge::new(
            OWED,
            "Items that are wanted and not published yet.",
            count(figures.owed),
        ),
        Gauge::new(
            TREE_BYTES,
            "The cumulative size of the published root.",
            figures.tree_bytes.map(|bytes| bytes as f64),
        ),
        Gauge::new(
            NARINFOS,
            "Narinfos of the published root, estimated where there are many.",
            figures.narinfos.map(|count| count as f64),
        ),
        Gauge::new(
            RECORD_END,
            "The end of the validity of the name's record.",
            figures.record_end.map(|end| end.0 as f64),
        ),
    ];
    gauges.extend(services);
    gauges
}

/// The file with these figures. `before` is that of the run before.
fn text(gauges: &[Gauge], key: &str, before: &str) -> String {
    let key = format!("key=\"{}\"", escaped(key));
    let kept = kept(before, &key);
    let mut file = String::new();
    let mut described = "";
    for gauge in gauges {
        let name = gauge.name;
        let Some(value) = gauge.value.or(kept.get(name).copied()) else {
            continue;
        };
        if described != name {
            let _ = writeln!(file, "# HELP {name} {}\n# TYPE {name} gauge", gauge.help);
            described = name;
        }
        let label = gauge
            .label
            .as_ref()
            .map(|(label, value)| format!(",{label}=\"{value}\""));
        let label = label.unwrap_or_default();
        let _ = writeln!(file, "{name}{{{key}{label}}} {value}");
    }
    file
}

/// The figures of an earlier file that a run may keep.
fn kept(file: &str, labels: &str) -> BTreeMap<&'static str, f64> {
    let mut kept = BTreeMap::new();
    for line in file.lines() {
        for name in KEPT {
            let value = line.strip_prefix(name).and_then(|rest| {
                let rest = rest.strip_prefix('{')?.strip_prefix(labels)?;
                rest.strip_prefix("} ")?.parse().ok()
            });
            kept.extend(value.map(|value: f64| (name, value)));
        }
    }
    kept
}

/// A label's value as the format writes it.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(exit: Exit, now: u64, figures: &RunFigures, before: &str) -> String {
        let run = MeasuredRun {
            command: "sync",
            key: "a \"key\"",
            exit,
        };
        let elapsed = Duration::from_millis(1500);
        let gauges = gauges(figures, &run, Timestamp(now), elapsed);
        text(&gauges, run.key, before)
    }

    #[test]
    fn a_failed_run_keeps_what_it_does_not_know() {
        let figures = RunFigures {
            owed: Some(7),
            tree_bytes: Some(1 << 40),
            planning: Some(Duration::from_millis(500)),
            ..RunFigures::default()
        };
        let first = file(Exit::Partly, 1000, &figures, "");
        let failed = file(Exit::Failed, 2000, &RunFigures::default(), &first);
        let key = "{key=\"a \\\"key\\\"\"}";
        for line in [
            format!("{LAST_SUCCESS}{key} 1000"),
            format!("{OWED}{key} 7"),
            format!("{TREE_BYTES}{key} 1099511627776"),
        ] {
            assert!(first.lines().any(|found| found == line), "{first}");
            assert!(failed.lines().any(|found| found == line), "{failed}");
        }
        assert!(failed.contains("guix_ipfs_exit_code{key=\"a \\\"key\\\"\"} 1\n"));
        assert!(!failed.contains(RECORD_END), "{failed}");
        let again = file(Exit::Done, 3000, &figures, &failed);
        assert!(
            again.contains(&format!("{LAST_SUCCESS}{key} 3000")),
            "{again}"
        );
    }

    #[test]
    fn every_figure_is_described_once_before_its_values() {
        let text = file(Exit::Done, 1000, &RunFigures::default(), "");
        let mut described = "";
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                described = help.split(' ').next().unwrap();
                assert_eq!(text.matches(&format!("# HELP {described} ")).count(), 1);
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                assert_eq!(kind, format!("{described} gauge"));
            } else {
                assert!(line.starts_with(&format!("{described}{{")), "{line}");
            }
        }
    }
}
