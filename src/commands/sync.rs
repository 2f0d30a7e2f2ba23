//! `sync`: mirrors a build farm's latest builds, or the store paths of a list.

use super::lists;
use super::mirror_verb::MirrorVerb;
use super::prune::rule;
use super::upstreams::upstreams;
use crate::cli::{GlobalArgs, SyncArgs};
use crate::mirror::{Exit, Failure, ItemSelection, Pauses};
use crate::report::{Loudness, Report};

/// Runs `sync`.
pub fn run(global: &GlobalArgs, args: &SyncArgs, report: &Report) -> Result<Exit, Failure> {
    let verb = MirrorVerb {
        name: "sync",
        loudness: Loudness::News,
        pauses: Pauses::Obeyed,
        global,
        args: &args.mirror,
        root: &args.root,
        retention: Some(rule(&args.retention)),
        collecting: Some(&args.collecting),
        misread: Vec::new(),
    };
    let mut misread = Vec::new();
    let selection = match &args.from {
        Some(path) => {
            let list = lists::read(path, report)?;
            misread = list.misread;
            ItemSelection::List(list.items)
        }
        None => ItemSelection::LatestBuilds {
            count: args.latest,
            jobset: args.jobset.clone(),
        },
    };
    let verb = MirrorVerb { misread, ..verb };
    verb.run(
        upstreams(global, report)?,
        selection,
        args.system.as_deref(),
        report,
    )
}
