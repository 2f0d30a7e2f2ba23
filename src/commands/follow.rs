//! `follow`: keeps somebody else's mirrors on this node.

use super::gc::collect_after;
use super::open::open_node;
use super::upstreams::believed_keys;
use crate::cli::{FollowArgs, GlobalArgs};
use crate::mirror::{
    Exit, Failure, FollowRequest, follow, followed_name, followed_names, held_roots, stop_following,
};
use crate::node::Node;
use crate::report::{FollowResult, FollowedName, Report, report_followed};
use crate::util::home::{BaseDirectory, folder};
use std::time::SystemTime;

/// Runs `follow`.
pub fn run(global: &GlobalArgs, args: &FollowArgs, report: &Report) -> Result<Exit, Failure> {
    let node = open_node(global)?;
    let node = &*node;
    if args.list {
        return list(node, args, report);
    }
    let names = names(node, args)?;
    let lock_folder = folder(BaseDirectory::State)?;
    let request = FollowRequest {
        keys: match args.unsigned || args.stop {
            true => None,
            false => Some(believed_keys(global, report)?),
        },
        max_size: args.max_size,
        accepts_loss: args.accept_loss,
        lock_folder,
        now: SystemTime::now(),
        jobs: global.jobs,
    };
    let result = |name: &str| match args.stop {
        true => stop_following(node, name, &request.lock_folder).map(|_| None),
        false => follow(node, name, &request, report).map(Some),
    };
    let results: Vec<FollowedName> = names
        .into_iter()
        .map(|name| FollowedName {
            result: result(&name),
            name,
        })
        .collect();
    let mut lets_go = false;
    for followed in &results {
        lets_go |= followed.lets_go();
        report_followed(report, followed);
    }
    if results.is_empty() {
        report.status("no name is followed on this node");
    }
    if lets_go {
        collect_after(&args.collecting, node, report);
    }
    report.summary_json("follow", &FollowResult { names: &results });
    Ok(exit(&results))
}

/// The names of the command line, or all that are followed.
fn names(node: &dyn Node, args: &FollowArgs) -> Result<Vec<String>, Failure> {
    if args.names.is_empty() {
        return Ok(followed_names(node)?);
    }
    let mut names = Vec::new();
    for word in &args.names {
        let name = followed_name(node, word)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// Prints what is followed.
fn list(node: &dyn Node, args: &FollowArgs, report: &Report) -> Result<Exit, Failure> {
    let mut held = held_roots(node)?;
    if !args.names.is_empty() {
        let names = names(node, args)?;
        held.retain(|held| names.contains(&held.name));
    }
    for held in &held {
        report.print(&format!("{} /ipfs/{}", held.name, held.root));
    }
    report.summary_json("follow", &FollowResult { names: &held });
    Ok(Exit::Done)
}

/// The exit code of a run with these results: 3 where only some of them failed for good.
fn exit(results: &[FollowedName]) -> Exit {
    let failures = results.iter().filter_map(|it| it.result.as_ref().err());
    let exits: Vec<Exit> = failures.map(Failure::exit).collect();
    match exits.iter().find(|exit| **exit != Exit::TryLater) {
        Some(exit) if exits.len() == results.len() => *exit,
        Some(_) => Exit::Partly,
        None if exits.is_empty() => Exit::Done,
        None => Exit::TryLater,
    }
}
