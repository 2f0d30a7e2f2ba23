//! `prune`: prunes the items that a rule does not keep.

use super::gc::collect_after;
use super::open::{open_node, publishing_page};
use super::services;
use crate::cli::{GlobalArgs, PruneArgs, RetentionArgs};
use crate::mirror::{Exit, Failure, PruneRequest, PruneTerms, RetentionRule, preview_prune, prune};
use crate::node::DryRun;
use crate::report::{PruneResult, Report, print_pruned, report_pruned};
use std::time::SystemTime;

/// Runs `prune`.
pub fn run(global: &GlobalArgs, args: &PruneArgs, report: &Report) -> Result<Exit, Failure> {
    let rule = rule(&args.retention);
    if rule.keeps_all() {
        return Err(Failure::NoRule);
    }
    let request = PruneRequest {
        key: global.key.clone(),
        terms: PruneTerms {
            rule,
            is_forced: args.force,
            listing: args.dry_run || lists_pruned(global),
            is_scheduled: false,
            now: SystemTime::now(),
            jobs: global.jobs,
        },
        publishing: publishing_page(global, &args.root.publish, args.root.page_choice(), report)?,
    };
    let node = open_node(global)?;
    services::require(&*node, &args.root.publish)?;
    let result = match args.dry_run {
        true => preview_prune(&DryRun(&*node), &request, report),
        false => prune(&*node, &request, report),
    };
    let summary = result.map_err(Failure::of_own_tree)?;
    let (outcome, change) = (&summary.outcome, &summary.change);
    if args.dry_run {
        print_pruned(report, outcome);
    } else {
        report_pruned(report, outcome);
        report.note(|figures| figures.note_pruned(outcome));
        report.status(&format!(
            "/ipns/{} points to /ipfs/{}",
            change.name, change.root
        ));
        if outcome.pruned > 0 {
            collect_after(&args.collecting, &*node, report);
        }
    }
    let result = PruneResult {
        dry_run: args.dry_run,
        summary: &summary,
    };
    report.summary_json("prune", &result);
    Ok(Exit::Done)
}

/// The rule that these options give.
pub fn rule(args: &RetentionArgs) -> RetentionRule {
    RetentionRule::new(args.keep_for, args.max_size)
}

/// Returns true where each item that goes is named.
pub fn lists_pruned(global: &GlobalArgs) -> bool {
    global.verbose || global.json
}
