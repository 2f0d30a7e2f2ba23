//! `gc`: removes what nothing pins on the node; `--gc` of other verbs does the same at
//! their end.

use super::open::open_node;
use crate::cli::{GcArgs, GlobalArgs};
use crate::mirror::{CollectionSummary, Exit, Failure, collect};
use crate::node::Node;
use crate::report::{Report, report_collection};
use crate::util::diagnosis::Diagnosis;

/// Runs `gc`.
pub fn run(global: &GlobalArgs, report: &Report) -> Result<Exit, Failure> {
    let node = open_node(global)?;
    let collected = collect_and_report(&*node, report)?;
    report.summary_json("gc", &collected);
    Ok(Exit::Done)
}

/// Removes what nothing pins after a run that removed or unpinned something, if that
/// is asked for. What was published stays published, so a failure is a warning.
pub fn collect_after(args: &GcArgs, node: &dyn Node, report: &Report) {
    if !args.gc {
        return;
    }
    match collect_and_report(node, report) {
        Ok(collected) => report.note(|figures| figures.collected = Some(collected)),
        Err(failure) => {
            let advice = failure.advice();
            let advice = advice.unwrap_or_else(|| "free the room with `guix-ipfs gc`".to_owned());
            report.warn(&failure.to_string(), Some(&advice));
        }
    }
}

fn collect_and_report(node: &dyn Node, report: &Report) -> Result<CollectionSummary, Failure> {
    let collected = {
        let _shown = report.counting("collecting what nothing pins");
        collect(node)?
    };
    report_collection(report, &collected);
    Ok(collected)
}
