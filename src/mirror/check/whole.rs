//! The check as a whole.

use super::super::contents::is_own;
use super::super::counts::Count;
use super::super::failure::Failure;
use super::super::inspect::Target;
use super::super::json;
use super::files;
use super::finding::{Finding, Kind, Verdict};
use super::name::{self, GatewayAccount, NameRecord, PublishedStates};
use super::request::CheckRequest;
use super::swarm::{self, SwarmFound};
use crate::guix::UpstreamClient;
use crate::ipfs::cid::{Cid, is_same_content};
use crate::util::parallel;
use serde::Serialize;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

/// Gateways that are asked at once.
const GATEWAYS_AT_ONCE: u16 = 16;

/// The times that a gateway that is behind is asked again.
const LOOKS: u32 = 20;

/// The least pause before it is.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// The outcome of a check.
#[derive(Debug, Serialize)]
pub struct CheckSummary {
    /// The IPNS name, unless a root was given.
    pub name: Option<String>,
    /// The root that is published, as far as is known.
    #[serde(serialize_with = "json::optional_text")]
    pub root: Option<Cid>,
    /// The newest record of the name.
    pub record: Option<NameRecord>,
    /// The gateways that were asked.
    pub gateways: Vec<String>,
    /// The number of narinfos, where blocks of the root could be had.
    pub narinfos: Option<Count>,
    /// Cumulative size in bytes.
    pub bytes: Option<u64>,
    /// The network as the node sees it.
    pub swarm: SwarmFound,
    /// All findings.
    pub findings: Vec<Finding>,
}

impl CheckSummary {
    /// The gravest verdict.
    pub fn worst(&self) -> Verdict {
        let verdicts = self.findings.iter().map(|finding| finding.verdict);
        verdicts.max().unwrap_or(Verdict::Good)
    }
}

/// Checks a mirror, and calls `take` with each finding as it is made.
///
/// # Errors
/// The node fails, or the name leads to something else than a root.
pub fn check(
    request: &CheckRequest<'_>,
    mut take: impl FnMut(&Finding),
) -> Result<CheckSummary, Failure> {
    let (target, gateways) = (&request.target, &request.gateways);
    let path = match target {
        Target::Name(name) => format!("ipns/{name}"),
        Target::Root(root) => format!("ipfs/{root}"),
    };
    let mut findings = Vec::new();
    let mut add = |found: Vec<Finding>| {
        for finding in found {
            take(&finding);
            findings.push(finding);
        }
    };
    let (published, of_gateways, of_node) = accounts(request, &path)?;
    add(of_node);
    let look = |(client, account): (&UpstreamClient, &GatewayAccount)| {
        let mut findings = published.compare(client.base(), account, request.now);
        let root = account.root.or(published.last.root);
        let sample = match (&account.cache_info, root) {
            (Ok(cache_info), Some(root)) if cache_info.status == 200 => {
                files::look_at(request, client, &path, root, cache_info, &mut findings)
            }
            _ => None,
        };
        (findings, sample)
    };
    let mut sample = None;
    let pairs = gateways.iter().zip(&of_gateways).collect();
    parallel::for_each(GATEWAYS_AT_ONCE, pairs, look, |(found, of_gateway)| {
        add(found);
        sample = sample.take().or(of_gateway);
        ControlFlow::Continue(())
    });
    let mut swarm = SwarmFound::default();
    if let Some(node) = request.node {
        let root = published.last.root.as_ref();
        let is_own = root.is_some_and(|root| is_own(node, target, root).unwrap_or_default());
        let narinfo = sample.as_ref().and_then(|sample| sample.some.first());
        match swarm::look_at(node, root, narinfo, is_own, request.search) {
            Ok((found, compared)) => {
                add(compared);
                swarm = found;
            }
            Err(error) => {
                let judgement = (Verdict::Unreachable, error.to_string());
                add(vec![Finding::new("node", Kind::Peers, judgement)]);
            }
        }
    }
    Ok(CheckSummary {
        name: target.name().map(str::to_owned),
        root: published.last.root,
        record: published.last.record,
        gateways: gateways.iter().map(|it| it.base().to_owned()).collect(),
        narinfos: sample.as_ref().map(|sample| sample.narinfos),
        bytes: sample.as_ref().map(|sample| sample.bytes),
        swarm,
        findings,
    })
}

/// Asks the node and the gateways; those that are behind are asked again while there is
/// time. Returns the states of the name, the accounts of the gateways, and the findings
/// about that of the node.
fn accounts(
    request: &CheckRequest<'_>,
    path: &str,
) -> Result<(PublishedStates, Vec<GatewayAccount>, Vec<Finding>), Failure> {
    let (target, gateways) = (&request.target, &request.gateways);
    let begun = Instant::now();
    let mut before: Vec<Option<GatewayAccount>> = gateways.iter().map(|_| None).collect();
    let mut states: Option<PublishedStates> = None;
    loop {
        let ask = |(client, account): (&UpstreamClient, Option<GatewayAccount>)| {
            account.unwrap_or_else(|| name::of_gateway(client, target, path))
        };
        // A name that does not resolve takes each of them a minute.
        let (known, answers) = thread::scope(|scope| {
            let known = scope.spawn(|| name::of_node(request.node, target, request.now));
            let pairs = gateways.iter().zip(before).collect();
            let answers = parallel::map(GATEWAYS_AT_ONCE, pairs, ask);
            (known.join(), answers)
        });
        let (known, mut of_node) = known.unwrap_or_else(|panic| resume_unwind(panic))?;
        let root_of_node = known.root;
        let newest = name::newest(known, &answers);
        of_node.extend(behind(root_of_node, newest.root));
        let published = PublishedStates::and(states, newest);
        let is_behind = answers
            .iter()
            .any(|account| published.is_newer_than(account));
        let left = request.wait.saturating_sub(begun.elapsed());
        if !is_behind || left.is_zero() {
            return Ok((published, answers, of_node));
        }
        thread::sleep(left.min((request.wait / LOOKS).max(LEAST_PAUSE)));
        let answers = answers.into_iter();
        before = answers
            .map(|account| (!published.is_newer_than(&account)).then_some(account))
            .collect();
        states = Some(published);
    }
}

/// The finding that a gateway has a newer record than the node.
fn behind(of_node: Option<Cid>, published: Option<Cid>) -> Option<Finding> {
    let (own, newest) = of_node.zip(published)?;
    (!is_same_content(&own, &newest)).then(|| {
        let text = format!("older than the one that leads to /ipfs/{newest}");
        Finding::new("node", Kind::Record, (Verdict::Stale, text))
    })
}
