//! `resolve`: shows the root that a name points to, and its contents.

use super::open::open_node;
use super::upstreams::{trust, upstreams};
use crate::cli::{GlobalArgs, ResolveArgs};
use crate::mirror::{Exit, Failure, Observer, Target, describe, ledger_summary, list};
use crate::node::Node;
use crate::report::{Report, ResolveResult, Summary, print_description, print_ledger};

/// Runs `resolve`.
pub fn run(global: &GlobalArgs, args: &ResolveArgs, report: &Report) -> Result<Exit, Failure> {
    let node = open_node(global)?;
    let target = Target::of_word(&*node, args.target.as_deref(), &global.key)?;
    if args.list {
        return print_list(&*node, &target, global.jobs, report);
    }
    let root = target.root(&*node)?;
    report.print(&format!("/ipfs/{root}"));
    let trust: Vec<String> = match args.long {
        false => Vec::new(),
        true => trust(&upstreams(global, report)?).collect(),
    };
    let description = match args.long {
        false => None,
        true => {
            let _shown = report.waiting("counting");
            Some(describe(&*node, &target, root, global.jobs)?)
        }
    };
    let ledger = match (&description, target.name()) {
        (Some(_), Some(name)) => ledger_summary(&*node, name)?,
        _ => None,
    };
    if let Some(description) = &description {
        let without_gateway = match node.description().capabilities.network {
            true => "the node has no gateway",
            false => "`guix-ipfs node` serves it",
        };
        print_description(report, description, &trust, without_gateway);
    }
    if let Some(ledger) = &ledger {
        print_ledger(report, ledger);
    }
    report.summary_json(&Summary {
        command: "resolve",
        result: &ResolveResult {
            name: target.name(),
            root: root.to_string(),
            trust: description.is_some().then_some(&trust),
            description: description.as_ref(),
            ledger: ledger.as_ref(),
            store_paths: None,
        },
    });
    Ok(Exit::Done)
}

/// Prints the store path of each narinfo.
fn print_list(
    node: &dyn Node,
    target: &Target,
    jobs: u16,
    report: &Report,
) -> Result<Exit, Failure> {
    let root = target.root(node)?;
    let mut store_paths = Vec::new();
    let mut exit = Exit::Done;
    list(node, root, jobs, |narinfo| match narinfo {
        Ok(path) => {
            report.print(&path);
            store_paths.push(path);
        }
        Err((name, reason)) => {
            let advice = "`guix-ipfs verify --repair` fetches broken items again";
            report.error(&format!("{name}: {reason}"), Some(advice));
            exit = Exit::Partly;
        }
    })?;
    report.summary_json(&Summary {
        command: "resolve",
        result: &ResolveResult {
            name: target.name(),
            root: root.to_string(),
            description: None,
            ledger: None,
            trust: None,
            store_paths: Some(&store_paths),
        },
    });
    Ok(exit)
}
