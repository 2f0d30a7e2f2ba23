//! `gc`: removes what nothing pins on the node. `prune --gc` and `remove --gc` do the
//! same at their end.

use super::open::open_node;
use crate::cli::GlobalArgs;
use crate::mirror::{CollectionSummary, Exit, Failure, collect};
use crate::node::Node;
use crate::report::{Report, Summary, report_collection};

/// Runs `gc`.
pub fn run(global: &GlobalArgs, report: &Report) -> Result<Exit, Failure> {
    let node = open_node(global)?;
    let collected = collect_and_report(&*node, report)?;
    report.summary_json(&Summary {
        command: "gc",
        result: &collected,
    });
    Ok(Exit::Done)
}

/// Removes what nothing pins, and says what came free.
pub fn collect_and_report(node: &dyn Node, report: &Report) -> Result<CollectionSummary, Failure> {
    let collected = {
        let _shown = report.counting("collecting what nothing pins");
        collect(node)?
    };
    report_collection(report, &collected);
    Ok(collected)
}
