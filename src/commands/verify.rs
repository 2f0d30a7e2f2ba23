//! `verify`: checks the published root, and repairs it.

use super::mirror_verb::filter;
use super::open::{open_node, publishing};
use super::upstreams::upstreams;
use crate::cli::{GlobalArgs, VerifyArgs};
use crate::mirror::{Depth, Exit, Failure, RepairRequest, repair, verify};
use crate::report::{Report, Summary, VerifyResult};

/// Runs `verify`.
pub fn run(global: &GlobalArgs, args: &VerifyArgs, report: &Report) -> Result<Exit, Failure> {
    let depth = match args.deep {
        true => Depth::Hashes,
        false => Depth::Sizes,
    };
    let node = open_node(global)?;
    let mut checked = verify(&*node, &global.key, depth, global.jobs, report)?;
    let mut repaired = Vec::new();
    if args.repair && !checked.broken.is_empty() {
        let request = RepairRequest {
            key: global.key.clone(),
            upstreams: upstreams(global)?,
            filter: filter(&args.variants),
            depth,
            publishing: publishing(&args.publish)?,
            jobs: global.jobs,
        };
        let summary = repair(&*node, &request, &checked.broken, report)?;
        for skipped in &summary.skipped {
            let text = format!("{}: not repaired: {}", skipped.item, skipped.reason);
            report.error(&text, None);
        }
        (checked, repaired) = (summary.report, summary.repaired);
    }
    for broken in &checked.broken {
        report.error(&format!("{}: {}", broken.name, broken.reason), None);
    }
    let condition = match checked.broken.len() {
        0 => "all whole".to_owned(),
        broken => format!("{broken} broken"),
    };
    let (root, narinfos) = (checked.root, checked.narinfos);
    report.status(&format!("/ipfs/{root}: {narinfos} narinfos, {condition}"));
    if !checked.broken.is_empty() && !args.repair {
        report.status("`guix-ipfs verify --repair` fetches broken items again");
    }
    report.summary_json(&Summary {
        command: "verify",
        result: &VerifyResult {
            report: &checked,
            deep: args.deep,
            repaired: &repaired,
        },
    });
    Ok(match checked.broken.is_empty() {
        true => Exit::Done,
        false => Exit::Partly,
    })
}
