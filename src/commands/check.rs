//! `check`: sees a mirror as others do.

use super::open::open_node;
use super::upstreams::{gateway, given_keys};
use crate::cli::{CheckArgs, GlobalArgs, List};
use crate::guix::UpstreamClient;
use crate::mirror::{CheckRequest, CheckSummary, Exit, Failure, Target, Verdict, check};
use crate::node::Node;
use crate::report::{Report, print_size};
use crate::util::diagnosis::{Diagnosis, Retry};
use std::collections::BTreeMap;
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
        let target = args.target.as_deref().unwrap_or(&global.key);
        report.write_check_metrics(path, target, checked.as_ref().ok(), exit);
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
            report.print(&finding.to_string());
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
    let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
    for finding in &summary.findings {
        *counts.entry(finding.verdict).or_default() += 1;
    }
    let counts = counts.iter();
    let counts: Vec<String> = counts
        .map(|(verdict, count)| format!("{count} {}", verdict.word()))
        .collect();
    format!("findings: {}", counts.join(", "))
}
