//! The figures of a run as a file for Prometheus.

use super::figures::RunFigures;
use super::figures_file::{read_figures, write_figures};
use super::gauges::{Gauge, label, text};
use super::terminal::Report;
use crate::mirror::Exit;
use crate::util::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Figures that a failed run lacks, and that stay as an earlier one left them.
const KEPT: [&str; 5] = [LAST_SUCCESS, OWED, TREE_BYTES, NARINFOS, RECORD_END];

const LAST_SUCCESS: &str = "guix_ipfs_last_success_timestamp_seconds";
const OWED: &str = "guix_ipfs_owed_items";
const TREE_BYTES: &str = "guix_ipfs_tree_bytes";
const NARINFOS: &str = "guix_ipfs_narinfos";
const RECORD_END: &str = "guix_ipfs_record_end_timestamp_seconds";

impl Report {
    /// Writes the figures of a run of this verb, under this key of the node, to a file. A
    /// failure is a warning.
    pub fn write_metrics(&self, path: &Path, command: &str, key: &str, exit: Exit) {
        let now = Timestamp::from(SystemTime::now());
        let gauges = gauges(&self.figures(), command, exit, now, self.elapsed());
        let written =
            read_figures(path).and_then(|before| write_figures(path, &file(gauges, key, &before)));
        self.metrics_written(path, written);
    }
}

/// The figures of a run that ended at `now` after `elapsed`.
fn gauges(
    figures: &RunFigures,
    command: &str,
    exit: Exit,
    now: Timestamp,
    elapsed: Duration,
) -> Vec<Gauge> {
    let now = now.0 as f64;
    let count = |items: Option<usize>| items.map(|items| items as f64);
    let number = |number: Option<u64>| number.map(|number| number as f64);
    let planning = figures.planning.unwrap_or(elapsed);
    let rest = elapsed.saturating_sub(planning);
    let phase = |name, time: Duration| {
        let gauge = Gauge::new("guix_ipfs_phase_duration_seconds", time.as_secs_f64());
        gauge.labelled("phase", name)
    };
    let services = figures.services.iter().map(|kept| {
        let value = f64::from(u8::from(kept.is_pinned));
        Gauge::new("guix_ipfs_service_pinned", value).labelled("service", &kept.service)
    });
    let mut gauges = vec![
        Gauge::new("guix_ipfs_build_info", 1.0).labelled("version", env!("CARGO_PKG_VERSION")),
        Gauge::new("guix_ipfs_last_run_timestamp_seconds", now).labelled("command", command),
        Gauge::new(LAST_SUCCESS, exit.is_success().then_some(now)),
        Gauge::new("guix_ipfs_exit_code", f64::from(exit as u8)),
        phase("plan", planning),
        phase("mirror", rest),
        Gauge::new("guix_ipfs_added_items", figures.mirrored as f64),
        Gauge::new("guix_ipfs_added_bytes", number(figures.bytes)),
        Gauge::new("guix_ipfs_removed_items", count(figures.removed)),
        Gauge::new("guix_ipfs_pruned_items", count(figures.pruned)),
        Gauge::new("guix_ipfs_pruned_bytes", number(figures.pruned_bytes)),
        Gauge::new("guix_ipfs_missing_items", count(figures.missing)),
        Gauge::new("guix_ipfs_refused_items", count(figures.refused)),
        Gauge::new(OWED, count(figures.owed)),
        Gauge::new(TREE_BYTES, number(figures.tree_bytes)),
        Gauge::new(NARINFOS, number(figures.narinfos)),
        Gauge::new(RECORD_END, number(figures.record_end.map(|end| end.0))),
    ];
    gauges.extend(services);
    gauges
}

/// The file with these figures. `before` is that of the run before.
fn file(mut gauges: Vec<Gauge>, key: &str, before: &str) -> String {
    let key = label("key", key);
    let kept = kept(before, &key);
    for gauge in &mut gauges {
        gauge.value = gauge.value.or(kept.get(gauge.name).copied());
    }
    text(&gauges, &key)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn written(exit: Exit, now: u64, figures: &RunFigures, before: &str) -> String {
        let elapsed = Duration::from_millis(1500);
        let gauges = gauges(figures, "sync", exit, Timestamp(now), elapsed);
        file(gauges, "a \"key\"", before)
    }

    #[test]
    fn a_failed_run_keeps_what_it_does_not_know() {
        let figures = RunFigures {
            owed: Some(7),
            tree_bytes: Some(1 << 40),
            planning: Some(Duration::from_millis(500)),
            ..RunFigures::default()
        };
        let first = written(Exit::Partly, 1000, &figures, "");
        let failed = written(Exit::Failed, 2000, &RunFigures::default(), &first);
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
        let again = written(Exit::Done, 3000, &figures, &failed);
        assert!(
            again.contains(&format!("{LAST_SUCCESS}{key} 3000")),
            "{again}"
        );
    }

    #[test]
    fn every_figure_is_described_once_before_its_values() {
        let text = written(Exit::Done, 1000, &RunFigures::default(), "");
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
