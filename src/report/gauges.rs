//! Figures as a file for Prometheus, in its text format.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
//!
//! The node exporter's textfile collector reads a folder of such files, whole ones only,
//! and takes no timestamps in them. So a time is a value here.

use std::fmt::Write;

/// A value of a figure.
pub(super) struct Gauge {
    /// The name of the figure, which [`help`] describes.
    pub name: &'static str,
    /// `None` for one that is not known, and is left out.
    pub value: Option<f64>,
    /// The labels beside the one that all values of a file have.
    labels: Vec<(&'static str, String)>,
}

impl Gauge {
    pub fn new(name: &'static str, value: impl Into<Option<f64>>) -> Self {
        Self {
            name,
            value: value.into(),
            labels: Vec::new(),
        }
    }

    pub fn labelled(mut self, label: &'static str, value: &str) -> Self {
        self.labels.push((label, value.to_owned()));
        self
    }
}

/// The description of each figure, of a run and of a check.
fn help(name: &str) -> &'static str {
    match name {
        "guix_ipfs_build_info" => "The version of the program.",
        "guix_ipfs_last_run_timestamp_seconds" => "The end of the last run.",
        "guix_ipfs_last_success_timestamp_seconds" => {
            "The end of the last run that did not fail (exit code 0 or 3)."
        }
        "guix_ipfs_exit_code" => "The exit code of the last run: 3 is done, except for some items.",
        "guix_ipfs_phase_duration_seconds" => "The time that a part of the last run took.",
        "guix_ipfs_added_items" => "Items that the last run published.",
        "guix_ipfs_added_bytes" => "Bytes of the files of these.",
        "guix_ipfs_removed_items" => "Items that the last run removed.",
        "guix_ipfs_pruned_items" => "Items that the last run pruned by its retention rule.",
        "guix_ipfs_pruned_bytes" => "Bytes by which the tree became smaller with these.",
        "guix_ipfs_missing_items" => "Items that the last run wanted and no upstream has.",
        "guix_ipfs_refused_items" => "Items that differ from their narinfos.",
        "guix_ipfs_owed_items" => "Items that are wanted and not published yet.",
        "guix_ipfs_tree_bytes" => "The cumulative size of the published root.",
        "guix_ipfs_narinfos" => "Narinfos of the published root, estimated where there are many.",
        "guix_ipfs_record_end_timestamp_seconds" => "The end of the validity of the name's record.",
        "guix_ipfs_service_pinned" => {
            "The last run found the published root pinned at the service (1) or not (0)."
        }
        "guix_ipfs_check_last_run_timestamp_seconds" => "The end of the last check.",
        "guix_ipfs_check_exit_code" => {
            "The exit code of the last check: 0 if all is good, 3 if not."
        }
        "guix_ipfs_check_findings" => {
            "Findings of each verdict: all except good and note need attention."
        }
        "guix_ipfs_check_first_byte_seconds" => "The longest time until an answer began.",
        "guix_ipfs_check_record_end_timestamp_seconds" => {
            "The end of the validity of the name's record."
        }
        "guix_ipfs_check_narinfos" => "Narinfos of the root, estimated where there are many.",
        "guix_ipfs_check_tree_bytes" => "The cumulative size of the root.",
        "guix_ipfs_check_peers" => "Peers of the node.",
        "guix_ipfs_check_providers" => "Others that announce a block, of at most twenty.",
        _ => "",
    }
}

/// The file with these figures, the values of one next to each other. All have the label
/// `common`.
pub(super) fn text(gauges: &[Gauge], common: &str) -> String {
    let mut file = String::new();
    let mut described = "";
    for Gauge {
        name,
        value,
        labels,
    } in gauges
    {
        let Some(value) = value else {
            continue;
        };
        if described != *name {
            let help = help(name);
            debug_assert!(!help.is_empty(), "{name} has no description");
            let _ = writeln!(file, "# HELP {name} {help}\n# TYPE {name} gauge");
            described = name;
        }
        let _ = write!(file, "{name}{{{common}");
        for (name, value) in labels {
            let _ = write!(file, ",{}", label(name, value));
        }
        let _ = writeln!(file, "}} {value}");
    }
    file
}

/// A label as the format writes it.
pub(super) fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("{name}=\"{}\"", value.replace('\n', "\\n"))
}
