//! `sync` and `add` alike: the request, and its result.

use super::gc::collect_after;
use super::open::{open_node, publishing_page};
use super::prune::lists_pruned;
use super::services;
use crate::cli::{GcArgs, GlobalArgs, List, MirrorArgs, RootArgs, VariantArgs};
use crate::guix::UpstreamClient;
use crate::ipfs::cid::Cid;
use crate::mirror::{
    Closure, Encoding, Exit, Failure, ItemFilter, ItemSelection, MirrorRequest, MirrorSummary,
    Pauses, Plan, RetentionRule, RunLimits, SkipKind, Skipped, mirror, preview, tree_size,
};
use crate::node::{DryRun, Node};
use crate::report::{
    DryRunResult, Report, bytes, items, report_given_up, report_pruned, report_skipped,
};
use crate::util::timestamp::Timestamp;
use std::time::SystemTime;

/// A verb that mirrors.
pub struct MirrorVerb<'a> {
    /// Its name.
    pub name: &'static str,
    /// The treatment of items that were tried lately or removed, or are left out.
    pub pauses: Pauses,
    /// Options of every command.
    pub global: &'a GlobalArgs,
    /// Options of mirroring.
    pub args: &'a MirrorArgs,
    /// Options of changing the root.
    pub root: &'a RootArgs,
    /// The items that are kept, where the verb decides that.
    pub retention: Option<RetentionRule>,
    /// Options of collecting.
    pub collecting: Option<&'a GcArgs>,
    /// The words of a list that were meant for items and name none.
    pub misread: Vec<Skipped>,
}

impl MirrorVerb<'_> {
    /// Mirrors the selected items, and reports the result.
    pub fn run(
        &self,
        upstreams: Vec<UpstreamClient>,
        selection: ItemSelection,
        system: Option<&str>,
        report: &Report,
    ) -> Result<Exit, Failure> {
        let (args, root) = (self.args, self.root);
        let request = MirrorRequest {
            key: self.global.key.clone(),
            selection,
            upstreams,
            system: system.map_or_else(system_of_this_machine, str::to_owned),
            filter: ItemFilter {
                max_nar_size: args.max_nar_size,
                ..filter(&args.variants)
            },
            encoding: args.encoding.encoding,
            closure: match args.no_closure {
                true => Closure::ItemOnly,
                false => Closure::Whole,
            },
            graft: args.graft,
            limits: RunLimits {
                max_bytes: args.max_bytes,
                max_time: args.max_time,
                checkpoint: args.checkpoint as usize,
                max_planned: RunLimits::MAX_PLANNED,
            },
            pauses: self.pauses,
            now: SystemTime::now(),
            base: args.base,
            publishing: publishing_page(self.global, &root.publish, root.page_choice(), report)?,
            jobs: self.global.jobs,
            retention: self.retention,
            lists_pruned: lists_pruned(self.global),
        };
        let node = open_node(self.global)?;
        services::require(&*node, &root.publish)?;
        if args.dry_run {
            let mut plan = preview(&DryRun(&*node), &request, report)?;
            plan.skipped.extend_from_slice(&self.misread);
            return Ok(self.report_preview(&plan, report));
        }
        let mirrored = mirror(&*node, &request, report);
        let mut summary = mirrored.map_err(Failure::of_own_tree)?;
        summary.plan.skipped.extend_from_slice(&self.misread);
        if root.publish.metrics.is_some() {
            note_tree(&*node, summary.root, self.global.jobs, report);
            self.note_figures(&*node, &summary, report);
        }
        let exit = self.report_summary(&*node, &summary, report);
        Ok(summary.interrupted.unwrap_or(exit))
    }

    fn report_preview(&self, plan: &Plan, report: &Report) -> Exit {
        for item in &plan.items {
            let path = &item.narinfo.store_path;
            report.print(&match item.file_bytes() {
                Some(size) => format!("{path} {}", bytes(size)),
                None => path.to_string(),
            });
        }
        if plan.encoding != Encoding::Upstream {
            report.status(&format!("encoding {}", plan.encoding.name()));
        }
        let exit = report_skipped(report, plan, self.pauses, is_fault);
        report.summary_json(self.name, &DryRunResult::new(plan));
        exit
    }

    /// Records the figures of a run that came to its end, for `--metrics`.
    fn note_figures(&self, node: &dyn Node, summary: &MirrorSummary, report: &Report) {
        let count = |kind| summary.plan.skipped_as(kind).count();
        let (missing, refused) = (count(SkipKind::Missing), count(SkipKind::Refused));
        let record = node.record(&summary.name).ok().flatten();
        let stated = record.and_then(|record| record.validity.try_into().ok());
        // An offline node reports no record; it has the lifetime that it was given.
        let given = Timestamp::from(SystemTime::now()).after(self.root.publish.record_lifetime);
        let record_end = stated.or(summary.result.published.then_some(given));
        report.note(|figures| {
            figures.bytes = Some(summary.result.bytes);
            figures.missing = Some(missing);
            figures.refused = Some(refused);
            figures.owed = Some(summary.owed);
            figures.record_end = record_end;
            if let Some(outcome) = &summary.prune {
                figures.note_pruned(outcome);
            }
        });
    }

    fn report_summary(&self, node: &dyn Node, summary: &MirrorSummary, report: &Report) -> Exit {
        let result = &summary.result;
        let is_new = |skipped: &_| summary.is_new(skipped);
        let mut exit = report_skipped(report, &summary.plan, self.pauses, is_new);
        report_given_up(report, &summary.given_up);
        if !summary.given_up.is_empty() {
            exit = Exit::Partly;
        }
        let (name, root) = (&summary.name, summary.root);
        report.status(&match result.published {
            true => format!(
                "mirrored {}, {}; /ipns/{name} points to /ipfs/{root}",
                items(result.mirrored.len()),
                bytes(result.bytes),
            ),
            false => format!("nothing new; /ipns/{name} points to /ipfs/{root}"),
        });
        if result.left > 0 {
            let are = if result.left == 1 { "is" } else { "are" };
            let left = items(result.left);
            report.status(&format!("{left} {are} left for another run"));
        }
        if let Some(outcome) = &summary.prune {
            report_pruned(report, outcome);
        }
        let waiting = summary.plan.paused;
        if waiting > 0 {
            report.status(&format!(
                "{} wanted before, to be tried again later; `guix-ipfs resolve --long` lists them",
                items(waiting)
            ));
        }
        let has_pruned = summary.prune.as_ref().is_some_and(|prune| prune.pruned > 0);
        if let Some(args) = self.collecting.filter(|_| has_pruned) {
            collect_after(args, node, report);
        }
        report.summary_json(self.name, summary);
        exit
    }
}

/// Records the size of the tree, for `--metrics`.
pub fn note_tree(node: &dyn Node, root: Cid, jobs: u16, report: &Report) {
    // What a node does not report stays as an earlier run left it.
    if let Ok(size) = tree_size(node, root, jobs) {
        report.note(|figures| figures.note_tree(size.bytes, size.narinfos.entries));
    }
}

/// Returns true for an item that something is wrong with; others may come.
fn is_fault(skipped: &Skipped) -> bool {
    matches!(skipped.reason.kind(), SkipKind::Refused | SkipKind::Broken)
}

/// The wanted variants.
pub fn filter(args: &VariantArgs) -> ItemFilter {
    ItemFilter {
        compressions: List::all(&args.compressions).cloned().collect(),
        max_nar_size: None,
    }
}

/// Guix's name of this machine's system.
fn system_of_this_machine() -> String {
    let processor = match std::env::consts::ARCH {
        "x86" => "i686",
        "arm" => "armhf",
        other => other,
    };
    format!("{processor}-linux")
}
