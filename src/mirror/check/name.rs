//! The root that a name leads to, according to the node and to each gateway.

use super::super::failure::Failure;
use super::super::inspect::Target;
use super::finding::{Finding, Judgement, Kind, Verdict};
use super::gateway_blocks::{is_of_type, status_text};
use crate::guix::{HttpAnswer, HttpError, UpstreamClient};
use crate::ipfs::cid::{Cid, is_same_content};
use crate::ipfs::ipns::key_hash;
use crate::ipfs::ipns_record::{MAX_RECORD_BYTES, RecordError, SignedRecord};
use crate::node::Node;
use crate::publication::{root_in, root_of_path};
use crate::util::timestamp::Timestamp;
use serde::Serialize;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

/// The type of a signed record.
const SIGNED_RECORD: &str = "application/vnd.ipfs.ipns-record";

/// The time before the end of a record by which its publisher should have renewed it:
/// Kubo's own pause between two publications.
const RENEWED_BY: Duration = Duration::from_secs(4 * 3600);

/// The most bytes that are read of a small file.
const MAX_SMALL_FILE: u64 = 64 << 10;

/// The record of a name, from the node or a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameRecord {
    /// The root that it leads to.
    #[serde(skip)]
    pub root: Option<Cid>,
    /// The record with the highest number is the one that counts.
    pub sequence: u64,
    /// The end of its validity.
    pub end: Timestamp,
}

/// The state of a name that the others are compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The root.
    pub root: Option<Cid>,
    /// The record, where one is known.
    pub record: Option<NameRecord>,
}

/// A gateway's account of a name.
#[derive(Debug)]
pub struct GatewayAccount {
    /// The answer to the request for `nix-cache-info` under the name.
    pub cache_info: Result<HttpAnswer, HttpError>,
    /// The root that its files come from, if it reports it.
    pub root: Option<Cid>,
    /// The signed record, where it hands that out.
    pub record: Option<Result<NameRecord, RecordError>>,
}

/// The state of a name on the node, and the findings about that. A root that was given
/// needs no lookup.
pub fn of_node(
    node: Option<&dyn Node>,
    target: &Target,
    now: SystemTime,
) -> Result<(Published, Vec<Finding>), Failure> {
    let (node, name) = match (node, target) {
        (_, Target::Root(root)) => {
            let root = Some(*root);
            return Ok((Published { root, record: None }, Vec::new()));
        }
        (None, Target::Name(_)) => return Ok(Default::default()),
        (Some(node), Target::Name(name)) => (node, name),
    };
    let resolved = match node.resolve(name) {
        Err(error) if error.is_refusal() => None,
        resolved => resolved?,
    };
    let Some(path) = resolved else {
        let judgement = match node.description().capabilities.network {
            true => (Verdict::Unreachable, "the name does not resolve"),
            false => (Verdict::Note, "no network, and no record of the name"),
        };
        let finding = Finding::new("node", Kind::Root, judgement);
        return Ok((Published::default(), vec![finding]));
    };
    let root = root_of_path(name, path)?;
    let judgement = (Verdict::Good, format!("/ipfs/{root}"));
    let mut findings = vec![Finding::new("node", Kind::Root, judgement)];
    // Not every node reports it, and nothing depends on it.
    let record = node.record(name).ok().flatten().and_then(|record| {
        Some(NameRecord {
            root: root_in(&record.value),
            sequence: record.sequence,
            end: Timestamp::try_from(record.validity).ok()?,
        })
    });
    let aged = record.as_ref().map(|record| age(record, now));
    findings.extend(aged.map(|judgement| Finding::new("node", Kind::Record, judgement)));
    let root = Some(root);
    Ok((Published { root, record }, findings))
}

/// Asks a gateway for a name, or for a root.
pub fn of_gateway(client: &UpstreamClient, target: &Target, path: &str) -> GatewayAccount {
    let cache_info = client.ask(&format!("{path}/nix-cache-info"), &[], MAX_SMALL_FILE);
    let root = cache_info.as_ref().ok().and_then(root_header);
    let record = match (target, &cache_info) {
        (Target::Name(name), Ok(_)) if key_hash(name).is_some() => signed_record(client, name),
        _ => None,
    };
    GatewayAccount {
        cache_info,
        root,
        record,
    }
}

/// The root that an answer says it comes from.
pub fn root_header(answer: &HttpAnswer) -> Option<Cid> {
    let roots = answer.header("x-ipfs-roots")?;
    roots.split(',').next()?.trim().parse().ok()
}

fn signed_record(client: &UpstreamClient, name: &str) -> Option<Result<NameRecord, RecordError>> {
    let accept = [("accept", SIGNED_RECORD.to_owned())];
    let path = format!("ipns/{name}?format=ipns-record");
    let answer = client.ask(&path, &accept, MAX_RECORD_BYTES).ok()?;
    (answer.status == 200 && is_of_type(&answer, SIGNED_RECORD)).then(|| {
        let record = SignedRecord::read(name, &answer.body)?;
        Ok(NameRecord {
            root: root_in(&record.value),
            sequence: record.sequence,
            end: record.end.into(),
        })
    })
}

/// The newest of all accounts. Records count by their numbers; where there is none, the
/// node's answer counts, and without a node that of the most gateways.
pub fn newest(node: Published, accounts: &[GatewayAccount]) -> Published {
    let records = accounts.iter();
    let records = records.filter_map(|account| account.record.as_ref()?.as_ref().ok());
    let records = records.filter(|record| record.root.is_some());
    // The first of equal ones.
    let newer = |one, other| match is_newer(other, one) {
        true => other,
        false => one,
    };
    // Not every node reports the record of what it resolves, but a gateway may.
    let of_root = |record: &&NameRecord| {
        let roots = record.root.as_ref().zip(node.root.as_ref());
        roots.is_some_and(|(one, other)| is_same_content(one, other))
    };
    let own = node.record.as_ref();
    let own = own.or_else(|| records.clone().filter(of_root).reduce(newer));
    if node.root.is_some() && own.is_none() {
        return node;
    }
    match own.into_iter().chain(records).reduce(newer) {
        Some(record) => Published {
            root: record.root.or(node.root),
            record: Some(record.clone()),
        },
        None => Published {
            root: most(accounts.iter().filter_map(|account| account.root)),
            record: None,
        },
    }
}

fn is_newer(one: &NameRecord, other: &NameRecord) -> bool {
    (one.sequence, one.end) > (other.sequence, other.end)
}

/// The root that occurs most often, the first of those that do.
fn most(roots: impl Iterator<Item = Cid>) -> Option<Cid> {
    let roots: Vec<Cid> = roots.collect();
    let mut counts: HashMap<_, usize> = HashMap::new();
    for root in &roots {
        *counts.entry(root.hash()).or_default() += 1;
    }
    // Of equal ones, `max_by_key` takes the last.
    let backwards = roots.iter().rev();
    backwards.max_by_key(|root| counts[root.hash()]).copied()
}

/// The states of a name during a check: a gateway that is at any of them is not
/// behind.
#[derive(Clone, Debug)]
pub struct PublishedStates {
    /// The newest.
    pub last: Published,
    /// The roots, from the first one on.
    roots: Vec<Cid>,
    /// The number of the first record.
    sequence: Option<u64>,
}

impl PublishedStates {
    /// The states until now, and another.
    pub fn and(before: Option<Self>, last: Published) -> Self {
        let sequence = last.record.as_ref().map(|record| record.sequence);
        let mut states = before.unwrap_or(Self {
            last: Published::default(),
            roots: Vec::new(),
            sequence,
        });
        states.roots.extend(last.root);
        states.last = last;
        states
    }

    fn has(&self, root: &Cid) -> bool {
        self.roots.iter().any(|known| is_same_content(known, root))
    }

    /// Returns true for an account of an older state.
    pub fn is_newer_than(&self, account: &GatewayAccount) -> bool {
        let is_other = |root: &Cid| !self.roots.is_empty() && !self.has(root);
        let record = account.record.as_ref().and_then(|it| it.as_ref().ok());
        account.root.as_ref().is_some_and(is_other) || record.is_some_and(|it| self.is_after(it))
    }

    fn is_after(&self, record: &NameRecord) -> bool {
        self.sequence.is_some_and(|first| record.sequence < first)
    }

    /// Compares a gateway's account with what is published.
    pub fn compare(&self, at: &str, account: &GatewayAccount, now: SystemTime) -> Vec<Finding> {
        let (judgement, time) = match &account.cache_info {
            Err(error) => ((Verdict::Unreachable, error.to_string()), None),
            Ok(answer) => (self.compare_root(account, answer), Some(answer.first_byte)),
        };
        let mut findings = vec![Finding::new(at, Kind::Root, judgement).after(time)];
        if let Some(record) = &account.record {
            let judgement = self.compare_record(record, now);
            findings.push(Finding::new(at, Kind::Record, judgement));
        }
        findings
    }

    fn compare_root(&self, account: &GatewayAccount, answer: &HttpAnswer) -> Judgement {
        if answer.status != 200 {
            return (Verdict::Unreachable, status_text(answer));
        }
        let Some(root) = &account.root else {
            return (Verdict::Note, "it does not name the root".to_owned());
        };
        match &self.last.root {
            None => (Verdict::Good, format!("/ipfs/{root}")),
            Some(_) if self.has(root) => (Verdict::Good, format!("/ipfs/{root}, as published")),
            // An older one, unless it is made up: nobody keeps old records.
            Some(newest) => {
                let kept = kept_for(answer);
                let kept = kept.map(|time| format!("; it caches its answer for {time} s"));
                let kept = kept.unwrap_or_default();
                let text = format!("/ipfs/{root}, but /ipfs/{newest} is published{kept}");
                (Verdict::Stale, text)
            }
        }
    }

    fn compare_record(
        &self,
        record: &Result<NameRecord, RecordError>,
        now: SystemTime,
    ) -> Judgement {
        match record {
            Err(error @ RecordError::NoKey) => (Verdict::Note, error.to_string()),
            Err(error) => (Verdict::Wrong, error.to_string()),
            Ok(record) if self.is_after(record) => {
                let newest = self.last.record.as_ref();
                let newest = newest.map_or(0, |newest| newest.sequence);
                let text = format!("sequence {}, but {newest} is published", record.sequence);
                (Verdict::Stale, text)
            }
            Ok(record) => age(record, now),
        }
    }
}

/// The seconds for which others may keep an answer, and so may the gateway.
fn kept_for(answer: &HttpAnswer) -> Option<u64> {
    let mut parts = answer.header("cache-control")?.split(',');
    parts.find_map(|part| part.trim().strip_prefix("max-age=")?.parse().ok())
}

/// The age of a record, by its end.
fn age(record: &NameRecord, now: SystemTime) -> Judgement {
    let NameRecord { sequence, end, .. } = record;
    match end.system_time().duration_since(now) {
        Err(_) => (Verdict::Stale, format!("sequence {sequence}, ended {end}")),
        Ok(left) if left < RENEWED_BY => {
            let minutes = left.as_secs() / 60;
            let ends = format!("ends in {minutes} minutes, and is not renewed");
            (Verdict::Stale, format!("sequence {sequence}, {ends}"))
        }
        Ok(_) => {
            let text = format!("sequence {sequence}, valid until {end}");
            (Verdict::Good, text)
        }
    }
}
