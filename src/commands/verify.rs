//! `verify`: checks the publication, and repairs it.

use super::mirror_verb::filter;
use super::open::{open_node, publishing_page};
use super::services;
use super::upstreams::upstreams;
use crate::cli::{GlobalArgs, VerifyArgs};
use crate::mirror::{
    BrokenItem, Check, Closure, Depth, Exit, Failure, ItemFault, RepairRequest, RepairSummary,
    SkipReason, VerifyReport, repair, verify,
};
use crate::report::{Report, VerifyResult, files, items};
use crate::util::diagnosis::Diagnosis;
use std::time::SystemTime;

/// The way out where the node keeps a damaged block: a Kubo never replaces one.
const KEPT_BLOCK: &str = "the node keeps a damaged block: `ipfs repo verify --drop` removes such \
                          blocks; then run `guix-ipfs verify --repair`";

/// The way to verify a mirror that is kept without closures.
const NO_CLOSURE: &str =
    "a mirror that is kept with `sync --no-closure` is verified with `verify --no-closure`";

/// Runs `verify`.
pub fn run(global: &GlobalArgs, args: &VerifyArgs, report: &Report) -> Result<Exit, Failure> {
    let check = Check {
        depth: match args.deep {
            true => Depth::Hashes,
            false => Depth::Sizes,
        },
        closure: match args.no_closure {
            true => Closure::ItemOnly,
            false => Closure::Whole,
        },
        jobs: global.jobs,
    };
    let node = open_node(global)?;
    if args.repair {
        services::require(&*node, &args.publish)?;
    }
    let found = verify(&*node, &global.key, check, report)?;
    let must_repair = args.repair && !(found.is_whole() && found.unlisted.is_empty());
    let summary = match must_repair {
        false => RepairSummary::of_nothing(found),
        true => {
            let request = RepairRequest {
                key: global.key.clone(),
                upstreams: upstreams(global, report)?,
                filter: filter(&args.variants),
                check,
                publishing: publishing_page(global, &args.publish, None, report)?,
                now: SystemTime::now(),
                jobs: global.jobs,
            };
            repair(&*node, &request, found, report)?
        }
    };
    report.note(|figures| figures.narinfos = Some(summary.report.narinfos));
    report_repair(&summary, report);
    report_check(&summary, args.repair, report);
    report.summary_json(
        "verify",
        &VerifyResult {
            report: &summary.report,
            deep: args.deep,
            repaired: &summary.repaired,
            mended: &summary.mended,
            removed: &summary.removed,
        },
    );
    Ok(
        match summary.report.is_whole() && summary.skipped.is_empty() {
            true => Exit::Done,
            false => Exit::Partly,
        },
    )
}

/// Prints what was done, and what was not.
fn report_repair(summary: &RepairSummary, report: &Report) {
    for part in &summary.mended {
        report.status(&format!("{}: made again ({})", part.path, part.reason));
    }
    for path in &summary.removed {
        report.verbose(&format!("{path}: removed, no narinfo lists it"));
    }
    if !summary.repaired.is_empty() {
        report.status(&format!("repaired {}", items(summary.repaired.len())));
    }
    for skipped in &summary.skipped {
        let text = format!("{}: not repaired: {}", skipped.item, skipped.reason);
        // Nobody has typed its name.
        let is_absent = skipped.reason == SkipReason::Absent;
        let advice = skipped.reason.advice().filter(|_| !is_absent);
        report.error(&text, advice.as_deref());
    }
}

/// Prints what is broken.
fn report_check(summary: &RepairSummary, was_repaired: bool, report: &Report) {
    let checked = &summary.report;
    for part in &checked.damaged {
        let advice = (part.is_kept || was_repaired).then_some(KEPT_BLOCK);
        report.error(&format!("{}: {}", part.path, part.reason), advice);
    }
    for broken in &checked.broken {
        let item = format!("{}: {}", broken.name, broken.reason);
        let advice = is_kept(summary, &broken.name).then_some(KEPT_BLOCK);
        report.error(&item, advice);
    }
    let lacks = |broken: &BrokenItem| broken.fault == ItemFault::Reference;
    if checked.broken.iter().any(lacks) {
        let advice = match was_repaired {
            true => NO_CLOSURE.to_owned(),
            false => format!("`--repair` fetches them; {NO_CLOSURE}"),
        };
        let text = "items are published without what they refer to";
        report.warn(text, Some(&advice));
    }
    for path in &checked.unlisted {
        report.verbose(&format!("{path}: no narinfo lists it"));
    }
    report.status(&format!(
        "/ipfs/{}: {} narinfos, {}",
        checked.root,
        checked.narinfos,
        condition(checked)
    ));
    if !checked.is_whole() && !was_repaired {
        report.status("`guix-ipfs verify --repair` repairs what is broken");
    }
}

/// Returns true for an item that was fetched and stored again, and is broken all the
/// same.
fn is_kept(summary: &RepairSummary, narinfo: &str) -> bool {
    let hash = narinfo.trim_end_matches(".narinfo");
    let mut repaired = summary.repaired.iter();
    repaired.any(|path| path.contains(hash))
}

fn condition(checked: &VerifyReport) -> String {
    let broken = checked.broken.len();
    let damaged = checked.damaged.len();
    let unlisted = checked.unlisted.len();
    let parts = [
        (checked.is_whole(), "all whole".to_owned()),
        (broken > 0, format!("{broken} broken")),
        (damaged > 0, format!("{damaged} unreadable parts")),
        (
            unlisted > 0,
            format!("{} that no narinfo lists", files(unlisted)),
        ),
    ];
    let parts = parts.into_iter().filter(|(applies, _)| *applies);
    let parts: Vec<String> = parts.map(|(_, text)| text).collect();
    parts.join(", ")
}
