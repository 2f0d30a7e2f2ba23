//! The check as a whole.

use super::super::contents::is_own;
use super::super::counts::Count;
use super::super::failure::Failure;
use super::super::inspect::Target;
use super::super::json;
use super::files::{self, FileTerms, FilesFound};
use super::finding::{Finding, Kind, Verdict};
use super::name::{self, GatewayAccount, NameRecord, PublishedStates};
use super::swarm::{self, SwarmFound};
use crate::guix::{TrustedKeys, UpstreamClient};
use crate::ipfs::cid::{Cid, is_same_content};
use crate::node::Node;
use crate::util::parallel;
use serde::Serialize;
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Gateways that are asked at once.
const GATEWAYS_AT_ONCE: u16 = 16;

/// The times that a gateway that is behind is asked again.
const LOOKS: u32 = 20;

/// The least pause before it is.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// A check that is asked for.
pub struct CheckRequest<'r> {
    /// The mirror.
    pub target: Target,
    /// The node, if there is one.
    pub node: Option<&'r dyn Node>,
    /// The gateways.
    pub gateways: Vec<UpstreamClient>,
    /// The keys that are trusted besides those of the farms.
    pub keys: TrustedKeys,
    /// The number of narinfos that are looked at through each gateway.
    pub sample: usize,
    /// Requests to a gateway at once.
    pub jobs: u16,
    /// The time for which a gateway that is behind is asked again.
    pub wait: Duration,
    /// The time for which the network is searched for those who have a block.
    pub search: Duration,
    /// The time.
    pub now: SystemTime,
}

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
    let CheckRequest {
        target, gateways, ..
    } = request;
    let path = match target {
        Target::Name(name) => format!("ipns/{name}"),
        Target::Root(root) => format!("ipfs/{root}"),
    };
    let mut findings = Findings {
        all: Vec::new(),
        take: &mut take,
    };
    let accounts = accounts(request, &path)?;
    findings.extend(accounts.of_node);
    let (of_gateways, published) = (accounts.of_gateways, accounts.published);
    let look = |(client, account): (&UpstreamClient, &GatewayAccount)| {
        let mut findings = published.compare(client.base(), account, request.now);
        let mut found = files_of(request, &path, client, account, published.last.root);
        findings.append(&mut found.findings);
        found.findings = findings;
        found
    };
    let mut sample = None;
    let pairs = gateways.iter().zip(&of_gateways).collect();
    parallel::for_each(GATEWAYS_AT_ONCE, pairs, look, |found| {
        findings.extend(found.findings);
        sample = sample.take().or(found.sample);
        ControlFlow::Continue(())
    });
    let mut swarm = SwarmFound::default();
    if let Some(node) = request.node {
        let root = published.last.root.as_ref();
        let is_own = root.is_some_and(|root| is_own(node, target, root).unwrap_or_default());
        let narinfo = sample.as_ref().and_then(|sample| sample.some.first());
        match swarm::look_at(node, root, narinfo, is_own, request.search) {
            Ok((found, compared)) => {
                findings.extend(compared);
                swarm = found;
            }
            Err(error) => {
                let (verdict, text) = (Verdict::Unreachable, error.to_string());
                findings.extend([Finding::new("node", Kind::Peers, verdict, text)]);
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
        findings: findings.all,
    })
}

/// The accounts of a name.
struct Accounts {
    /// The state of the name.
    published: PublishedStates,
    /// Those of the gateways.
    of_gateways: Vec<GatewayAccount>,
    /// The findings about the node's.
    of_node: Vec<Finding>,
}

/// Asks the node and the gateways. Those that are behind are asked again while there is
/// time.
fn accounts(request: &CheckRequest<'_>, path: &str) -> Result<Accounts, Failure> {
    let CheckRequest {
        target, gateways, ..
    } = request;
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
            return Ok(Accounts {
                published,
                of_gateways: answers,
                of_node,
            });
        }
        thread::sleep(left.min((request.wait / LOOKS).max(LEAST_PAUSE)));
        let answers = answers.into_iter();
        before = answers
            .map(|account| (!published.is_newer_than(&account)).then_some(account))
            .collect();
        states = Some(published);
    }
}

/// Findings that are handed on as they come.
struct Findings<'t> {
    all: Vec<Finding>,
    take: &'t mut dyn FnMut(&Finding),
}

impl Findings<'_> {
    fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            (self.take)(&finding);
            self.all.push(finding);
        }
    }
}

/// The finding that a gateway has a newer record than the node.
fn behind(of_node: Option<Cid>, published: Option<Cid>) -> Option<Finding> {
    let (own, newest) = of_node.zip(published)?;
    (!is_same_content(&own, &newest)).then(|| {
        let text = format!("older than the one that leads to /ipfs/{newest}");
        Finding::new("node", Kind::Record, Verdict::Stale, text)
    })
}

/// Looks at the files of a gateway that answers for the name.
fn files_of(
    request: &CheckRequest<'_>,
    path: &str,
    client: &UpstreamClient,
    account: &GatewayAccount,
    published: Option<Cid>,
) -> FilesFound {
    let (Ok(cache_info), Some(root)) = (&account.cache_info, account.root.or(published)) else {
        return FilesFound::default();
    };
    if cache_info.status != 200 {
        return FilesFound::default();
    }
    let terms = FileTerms {
        keys: &request.keys,
        sample: request.sample,
        jobs: request.jobs,
    };
    let target = (&request.target, path);
    files::look_at(client, request.node, &terms, target, root, cache_info)
}
