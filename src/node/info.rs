//! What a node says of itself: its version, identity, configuration, room, peers.

use super::error::{NodeError, Problem};
use super::{Node, OLDEST};
use serde::Deserialize;
use std::fmt;
use std::str::FromStr;

/// A version of Kubo, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 0 so far.
    pub major: u32,
    /// 44 in 0.44.
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = ();

    /// Reads the first two numbers; what follows (`.0-dev`) does not matter.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut numbers = text.split('.');
        let mut next = || numbers.next()?.parse().ok();
        match (next(), next()) {
            (Some(major), Some(minor)) => Ok(Self { major, minor }),
            _ => Err(()),
        }
    }
}

/// Who a node is.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Identity {
    /// The peer ID, `12D3Koo…`.
    #[serde(rename = "ID")]
    pub peer_id: String,
    /// Its software, `kubo/0.40.0` or `guix-ipfs/…` for the embedded node.
    #[serde(rename = "AgentVersion")]
    pub agent: String,
}

/// How full a node is, in bytes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RepoStat {
    /// What the repository takes.
    pub repo_size: u64,
    /// Where the node begins to collect garbage; it refuses nothing.
    pub storage_max: u64,
}

impl Node {
    pub(super) fn ask_version(&self) -> Result<Version, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            version: String,
        }
        let call = || self.call("version", "ask the node's version");
        let answer = call()
            .json::<Answer>()
            .map_err(|error| match error.problem {
                // Whatever answers, it is no RPC: a gateway says 404 or 405.
                Problem::NoSuchCommand(_) | Problem::Unexpected(_) => {
                    call().failed(Problem::NotAnRpc(self.base.clone()))
                }
                _ => error,
            });
        let text = answer?.version;
        let version = text
            .parse()
            .map_err(|()| call().failed(Problem::Unexpected(format!("the version {text:?}"))))?;
        if version < OLDEST {
            return Err(call().failed(Problem::TooOld(version)));
        }
        Ok(version)
    }

    pub(super) fn ask_identity(&self) -> Result<Identity, NodeError> {
        self.call("id", "ask who the node is").json()
    }

    /// The addresses of the node's gateway, as multiaddrs; none where it has no gateway.
    pub fn gateways(&self) -> Result<Vec<String>, NodeError> {
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
        let answer: Answer = self
            .call("config", "ask for the gateway's address")
            .arg("Addresses.Gateway")
            .json()?;
        Ok(match answer.value {
            Addresses::One(address) if !address.is_empty() => vec![address],
            Addresses::Many(addresses) => addresses,
            _ => Vec::new(),
        })
    }

    /// How full the node is.
    pub fn repo_stat(&self) -> Result<RepoStat, NodeError> {
        self.call("repo/stat", "ask how full the node is")
            .option("size-only", true)
            .json()
    }

    /// How many peers the node is connected to; `None` when it runs offline.
    pub fn peers(&self) -> Result<Option<usize>, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            #[serde(default)]
            peers: Option<Vec<serde::de::IgnoredAny>>,
        }
        match self
            .call("swarm/peers", "ask for the node's peers")
            .json::<Answer>()
        {
            Ok(answer) => Ok(Some(answer.peers.map_or(0, |peers| peers.len()))),
            Err(error) if error.says("must be run in online mode") => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_ignore_what_follows() {
        let version = |text: &str| text.parse::<Version>();
        assert!(version("0.9.1").unwrap() < version("0.44.0-dev").unwrap());
        assert_eq!(version("0.40.1").unwrap().to_string(), "0.40");
        assert_eq!(version("go-ipfs"), Err(()));
    }
}
