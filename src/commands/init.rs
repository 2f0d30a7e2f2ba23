//! `init`: publishes the first root.

use super::open::{open_node, publishing_page};
use super::services;
use super::upstreams::{trust, upstreams};
use crate::cli::{GlobalArgs, InitArgs};
use crate::mirror::{Beginning, Exit, Failure, InitRequest, initialize};
use crate::report::Report;

/// Runs `init`.
pub fn run(global: &GlobalArgs, args: &InitArgs, report: &Report) -> Result<Exit, Failure> {
    let upstreams = upstreams(global, report)?;
    let node = open_node(global)?;
    services::require(&*node, &args.root.publish)?;
    let request = InitRequest {
        key: global.key.clone(),
        cid_version: args.cid_version,
        encoding: args.encoding.encoding,
        beginning: match args.anew {
            false => Beginning::First,
            true => Beginning::Anew,
        },
        publishing: publishing_page(global, &args.root.publish, args.root.page_choice(), report)?,
    };
    let summary = initialize(&*node, &request, report)?;
    let (name, root) = (&summary.name, summary.root);
    report.status(&format!("/ipns/{name} points to /ipfs/{root}"));
    trust(&upstreams).for_each(|line| report.status(&line));
    report.summary_json("init", &summary);
    Ok(Exit::Done)
}
