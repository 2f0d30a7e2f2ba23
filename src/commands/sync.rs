//! `sync`: mirrors a build farm's latest builds, or the store paths of a list.

use super::lists;
use super::mirror_verb::MirrorVerb;
use super::prune::rule;
use super::upstreams::upstreams;
use crate::cli::{GlobalArgs, SyncArgs};
use crate::mirror::{Exit, Failure, ItemSelection, Pauses};
use crate::report::Report;

/// Runs `sync`.
pub fn run(global: &GlobalArgs, args: &SyncArgs, report: &Report) -> Result<Exit, Failure> {
    let (selection, misread) = match &args.from {
        Some(path) => {
            let list = lists::read(path, report)?;
            (ItemSelection::List(list.items), list.misread)
        }
        None => {
            let latest = ItemSelection::LatestBuilds {
                count: args.latest,
                jobset: args.jobset.clone(),
            };
            (latest, Vec::new())
        }
    };
    let verb = MirrorVerb {
        name: "sync",
        pauses: Pauses::Obeyed,
        global,
        args: &args.mirror,
        root: &args.root,
        retention: Some(rule(&args.retention)),
        collecting: Some(&args.collecting),
        misread,
    };
    let upstreams = upstreams(global, report)?;
    verb.run(upstreams, selection, args.system.as_deref(), report)
}
