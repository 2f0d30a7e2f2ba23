//! `check`: sees a mirror as others do.

use super::open::open_node;
use super::upstreams::{gateway, given_keys};
use crate::cli::{CheckArgs, GlobalArgs, List};
use crate::guix::UpstreamClient;
use crate::mirror::{CheckRequest, CheckSummary, Exit, Failure, Finding, Target, Verdict, check};
use crate::node::Node;
use crate::report::{CheckFigures, Report, print_finding, print_size};
use crate::util::diagnosis::{Diagnosis, Retry};
use std::time::SystemTime;

/// Runs `check`.
pub fn run(global: &GlobalArgs, args: &CheckArgs, report: &Report) -> Result<Exit, Failure> {
    let checked = checked(global, args, report);
    let exit = match &checked {
        Ok(summary) if summary.worst().is_fine() => Exit::Done,
        Ok(_) => Exit::Partly,
        Err(failure) => failure.exit(),
    };
    if let Some(path) = &args.metrics {
        let figures = CheckFigures {
            summary: checked.as_ref().ok(),
            target: args.target.as_deref().unwrap_or(&global.key),
            exit,
        };
        if let Err(error) = report.write_check_metrics(path, &figures) {
            report.warn(
                &format!("cannot write {}: {error}", path.display()),
                Some("give --metrics a file in a folder that this user may write to"),
            );
        }
    }
    checked.map(|_| exit)
}

fn checked(
    global: &GlobalArgs,
    args: &CheckArgs,
    report: &Report,
) -> Result<CheckSummary, Failure> {
    let counting = report.counting("checking gateways");
    let mut gateways = named(global, args)?;
    let node = node_if_any(global, args, !gateways.is_empty(), report)?;
    let node = node.as_deref();
    let target = match (node, args.target.as_deref()) {
        (Some(node), word) => Target::of_word(node, word, &global.key)?,
        (None, word) => {
            let word = word.unwrap_or_default();
            let not_a_name = || Failure::NotAName {
                word: word.to_owned(),
                others: Vec::new(),
            };
            Target::without_node(word)?.ok_or_else(not_a_name)?
        }
    };
    if let Some(own) = node.map(Node::gateway).transpose()?.flatten() {
        let own = gateway(global, &own)?;
        if gateways.iter().all(|named| named.base() != own.base()) {
            gateways.insert(0, own);
        }
    }
    let has_network = node.is_some_and(|node| node.description().capabilities.network);
    if gateways.is_empty() && !has_network {
        return Err(Failure::NoGateway);
    }
    let request = CheckRequest {
        target,
        node,
        gateways,
        keys: given_keys(global, report)?,
        sample: args.sample.into(),
        jobs: global.jobs,
        wait: args.wait.unwrap_or_default(),
        search: global.read_timeout,
        now: SystemTime::now(),
    };
    let summary = check(&request, |finding| {
        if !(global.quiet && finding.verdict.is_fine()) {
            print_finding(report, finding);
        }
    })?;
    drop(counting);
    if !global.quiet {
        print_size(report, &summary);
    }
    report.status(&sum(&summary));
    report.summary_json("check", &summary);
    Ok(summary)
}

/// The gateways of the command line, each once.
fn named(global: &GlobalArgs, args: &CheckArgs) -> Result<Vec<UpstreamClient>, Failure> {
    let mut gateways: Vec<UpstreamClient> = Vec::new();
    for url in List::all(&args.gateways) {
        let named = gateway(global, url)?;
        if gateways.iter().all(|other| other.base() != named.base()) {
            gateways.push(named);
        }
    }
    Ok(gateways)
}

/// The node. One that nobody named may be away where there is a name, and a gateway to
/// look through.
fn node_if_any(
    global: &GlobalArgs,
    args: &CheckArgs,
    has_gateway: bool,
    report: &Report,
) -> Result<Option<Box<dyn Node>>, Failure> {
    let is_needed = global.api.is_some() || args.target.is_none() || !has_gateway;
    match open_node(global) {
        Ok(node) => Ok(Some(node)),
        Err(Failure::Open(error)) if !is_needed && error.retry() != Retry::Never => {
            report.status(&format!("without a node: {error}"));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The findings in a line.
fn sum(summary: &CheckSummary) -> String {
    let count = |verdict: Verdict| {
        let of_it = |finding: &&Finding| finding.verdict == verdict;
        match summary.findings.iter().filter(of_it).count() {
            0 => None,
            count => Some(format!("{count} {}", verdict.word())),
        }
    };
    let counts = [
        Verdict::Good,
        Verdict::Note,
        Verdict::Stale,
        Verdict::Unreachable,
        Verdict::Wrong,
    ];
    let counts: Vec<String> = counts.into_iter().filter_map(count).collect();
    format!("findings: {}", counts.join(", "))
}
