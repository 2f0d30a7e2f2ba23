//! `remove`: takes items out again.

use super::gc::collect_after;
use super::mirror_verb::note_tree;
use super::open::{open_node, publishing_page};
use super::services;
use crate::cli::{GlobalArgs, RemoveArgs};
use crate::mirror::{Exit, Failure, ReferencedItems, RemovalRequest, remove};
use crate::report::{Report, items};
use std::time::SystemTime;

/// Runs `remove`.
pub fn run(global: &GlobalArgs, args: &RemoveArgs, report: &Report) -> Result<Exit, Failure> {
    let request = RemovalRequest {
        key: global.key.clone(),
        items: args.items.clone(),
        referenced: match args.force {
            true => ReferencedItems::Removed,
            false => ReferencedItems::Kept,
        },
        publishing: publishing_page(global, &args.root.publish, args.root.page_choice(), report)?,
        now: SystemTime::now(),
        jobs: global.jobs,
    };
    let node = open_node(global)?;
    services::require(&*node, &args.root.publish)?;
    let removed = remove(&*node, &request, report);
    let summary = removed.map_err(Failure::of_own_tree)?;
    report.note(|figures| figures.removed = Some(summary.removed.len()));
    if args.root.publish.metrics.is_some() {
        note_tree(&*node, summary.change.root, global.jobs, report);
    }
    for skipped in &summary.skipped {
        report.error(&format!("{}: {}", skipped.item, skipped.reason), None);
    }
    summary.removed.iter().for_each(|path| report.verbose(path));
    report.status(&format!(
        "removed {}, {} files; /ipns/{} points to /ipfs/{}",
        items(summary.removed.len()),
        summary.files,
        summary.change.name,
        summary.change.root
    ));
    collect_after(&args.collecting, &*node, report);
    report.summary_json("remove", &summary);
    Ok(match summary.skipped.is_empty() {
        true => Exit::Done,
        false => Exit::Partly,
    })
}
