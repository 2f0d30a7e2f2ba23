//! The version, identity, configuration, room and peers of a Kubo.

use super::super::contract::{Reach, Usage};
use super::super::error::{NodeError, Problem, Refusal};
use super::address::Address;
use super::call::{Rpc, is_alphanumeric};
use super::version::Version;
use crate::ipfs::cid::Cid;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;
use std::io::BufReader;
use std::time::Duration;

/// The longest wait for what nothing depends on.
const ADVISORY: Duration = Duration::from_secs(5);

/// The most providers that are looked for.
const MOST_PROVIDERS: usize = 20;

/// The number of the event that names providers (`routing.Provider` of go-libp2p).
const PROVIDER: u8 = 4;

/// The time for which a stream is waited for beyond the node's own limit.
const GRACE: Duration = Duration::from_secs(2);

/// The peer ID and the software. The ID becomes a part of a file's name.
pub fn identity(rpc: &Rpc) -> Result<(String, String), NodeError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "ID")]
        id: String,
        #[serde(rename = "AgentVersion")]
        agent: String,
    }
    let call = || rpc.call("id", "ask for the node's identity");
    let answer = call().json::<Answer>();
    let Answer { id, agent } = answer.map_err(|error| match error.problem {
        // A gateway answers 404 or 405.
        Problem::UnknownCommand(_) | Problem::Unexpected(_) => {
            call().failed(Problem::NotAnRpc(rpc.base.clone()))
        }
        _ => error,
    })?;
    match is_alphanumeric(&id) {
        true => Ok((id, agent)),
        false => Err(call().failed(Problem::Unexpected(format!("the peer ID {id:?}")))),
    }
}

/// The version, which must not be before `oldest`. It is part of the software's name,
/// such as `kubo/0.42.0`; where it does not, the node is asked.
pub fn version(rpc: &Rpc, agent: &str, oldest: Version) -> Result<Version, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        version: String,
    }
    let call = || rpc.call("version", "ask for the node's version");
    let version = agent.split('/').nth(1).and_then(|text| text.parse().ok());
    let version: Version = match version {
        Some(version) => version,
        None => {
            let text = call().json::<Answer>()?.version;
            let unreadable = |()| Problem::Unexpected(format!("the version {text:?}"));
            let read = text.parse().map_err(unreadable);
            read.map_err(|problem| call().failed(problem))?
        }
    };
    match version < oldest {
        false => Ok(version),
        true => Err(call().failed(Problem::TooOld {
            found: version.to_string(),
            oldest: oldest.to_string(),
        })),
    }
}

/// The gateway on this machine, `http://HOST:PORT`; `None` where there is none.
pub fn gateway(rpc: &Rpc) -> Result<Option<String>, NodeError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Addresses {
        One(String),
        Many(Vec<String>),
        None(()),
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        value: Addresses,
    }
    let answer: Answer = rpc
        .call("config", "ask for the gateway's address")
        .arg("Addresses.Gateway")
        .json()?;
    let addresses = match answer.value {
        Addresses::One(address) => vec![address],
        Addresses::Many(addresses) => addresses,
        Addresses::None(()) => Vec::new(),
    };
    let urls = addresses.iter().filter(|address| !address.is_empty());
    let mut urls = urls.filter_map(|address| Some(address.parse::<Address>().ok()?.url));
    // Every address includes this machine's own.
    Ok(urls.next().map(|url| {
        url.replace("//0.0.0.0:", "//127.0.0.1:")
            .replace("//[::]:", "//[::1]:")
    }))
}

/// The room that the node takes.
pub fn usage(rpc: &Rpc) -> Result<Usage, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        repo_size: u64,
        storage_max: u64,
    }
    let call = rpc.call("repo/stat", "ask how full the node is");
    let call = call.option("size-only", true);
    let answer: Answer = call.limit(rpc.short.min(ADVISORY)).json()?;
    Ok(Usage {
        bytes: answer.repo_size,
        // No limit, in Kubo's spelling.
        limit: (answer.storage_max != u64::MAX).then_some(answer.storage_max),
    })
}

/// The bytes that are free on the disk of the node's repository, if the node reports
/// it.
pub fn free_bytes(rpc: &Rpc) -> Result<Option<u64>, NodeError> {
    #[derive(Deserialize)]
    struct Answer {
        diskinfo: Option<Disk>,
    }
    #[derive(Deserialize)]
    struct Disk {
        free_space: Option<u64>,
    }
    let call = rpc.call("diag/sys", "ask for the room on the node's disk");
    let answer: Answer = call.limit(rpc.short.min(ADVISORY)).json()?;
    Ok(answer.diskinfo.and_then(|disk| disk.free_space))
}

/// The peers that the node is connected to.
pub fn reach(rpc: &Rpc) -> Result<Reach, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        peers: Option<Vec<IgnoredAny>>,
    }
    let call = rpc.call("swarm/peers", "ask for the node's peers");
    match call.json::<Answer>() {
        Ok(answer) => Ok(Reach::Peers(answer.peers.map_or(0, |peers| peers.len()))),
        Err(error) if error.is(Refusal::Offline) => Ok(Reach::Offline),
        Err(error) => Err(error),
    }
}

/// The others that announce a block, of at most [`MOST_PROVIDERS`].
pub fn providers(
    rpc: &Rpc,
    own_id: &str,
    cid: &Cid,
    limit: Duration,
) -> Result<Option<usize>, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Event {
        #[serde(rename = "Type")]
        kind: u8,
        responses: Option<Vec<Peer>>,
    }
    #[derive(Deserialize)]
    struct Peer {
        #[serde(rename = "ID")]
        id: String,
    }
    let call = rpc.call("routing/findprovs", format!("look for others with {cid}"));
    let call = call.arg(cid).option("num-providers", MOST_PROVIDERS);
    let stream = match call.limit(limit).pause(limit + GRACE).stream() {
        Ok(stream) => stream,
        Err(error) if error.is(Refusal::Offline) => return Ok(None),
        // Nobody was found in time.
        Err(error) if error.is_missing() || error.is(Refusal::NotFound) => return Ok(Some(0)),
        Err(error) => return Err(error),
    };
    let mut others = BTreeSet::new();
    let events = serde_json::Deserializer::from_reader(BufReader::new(stream));
    // The end of the time comes as an error, like that of a connection: who was found by
    // then was found.
    for event in events.into_iter::<Event>().map_while(Result::ok) {
        let peers = event.responses.unwrap_or_default().into_iter();
        if event.kind == PROVIDER {
            others.extend(peers.map(|peer| peer.id).filter(|id| id != own_id));
        }
    }
    Ok(Some(others.len()))
}
