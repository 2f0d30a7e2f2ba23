//! IPNS names and the keys they belong to.

use super::error::{NodeError, Problem};
use super::{Node, SHORT, Version};
use crate::ipfs::cid::Cid;
use serde::Deserialize;
use std::time::Duration;

/// How long a publication may take on the node: on the public network, minutes.
const PUBLISH: Duration = Duration::from_secs(600);

/// How long others may keep an answer.
const TTL: Duration = Duration::from_secs(300);

/// The longest record, in bytes (<https://specs.ipfs.tech/ipns/ipns-record/#record-size-limit>).
const MAX_RECORD_BYTES: u64 = 10 << 10;

/// The longest account of an announcement, a line a peer, in bytes.
const MAX_ANNOUNCEMENT_BYTES: u64 = 4 << 20;

/// The Kubo that can tell a name's record, and so can publish above a higher one.
pub const TELLS_RECORDS: Version = Version {
    major: 0,
    minor: 40,
};

/// A key on the node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Key {
    /// What the node calls it.
    pub name: String,
    /// The IPNS name, `k51…`.
    pub id: String,
}

/// How a name is published.
#[derive(Clone, Debug)]
pub struct Publish {
    /// How long the record is valid, in whole seconds.
    pub lifetime: Duration,
    /// Whether a node without a network may publish, for itself alone.
    pub allow_offline: bool,
    /// The record's sequence number, where the node's own count is behind the
    /// network's.
    pub sequence: Option<u64>,
}

/// What the network holds of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `/ipfs/CID`, or another path.
    pub value: String,
    /// The record with the highest number is the one that counts.
    pub sequence: u64,
    /// When it ends, as RFC 3339 writes it.
    pub validity: String,
}

impl Node {
    /// The keys of the node, `self` included.
    pub fn keys(&self) -> Result<Vec<Key>, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            keys: Vec<Key>,
        }
        let answer: Answer = self.call("key/list", "list the node's keys").json()?;
        Ok(answer.keys)
    }

    /// Makes an Ed25519 key.
    pub fn key_gen(&self, name: &str) -> Result<Key, NodeError> {
        self.call("key/gen", format!("make the key {name:?}"))
            .arg(name)
            .option("type", "ed25519")
            .json()
    }

    /// Gives a key another name on the node. Its IPNS name stays.
    pub fn key_rename(&self, key: &Key, name: &str) -> Result<(), NodeError> {
        self.call("key/rename", format!("name the new key {name:?}"))
            .arg(&key.name)
            .arg(name)
            .json::<serde::de::IgnoredAny>()
            .map(|_| ())
    }

    /// What a name points to, past all caches. `None` when the node cannot say,
    /// which never proves that nothing was published.
    pub fn name_resolve(&self, id: &str) -> Result<Option<String>, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            path: String,
        }
        let resolved = self
            .call("name/resolve", format!("resolve /ipns/{id}"))
            .arg(format!("/ipns/{id}"))
            .option("nocache", true)
            .limit(SHORT)
            .json::<Answer>();
        match resolved {
            Ok(answer) => Ok(Some(answer.path)),
            Err(error) if error.says("could not resolve name") => Ok(None),
            // It searched the network until its time was over.
            Err(error) if error.says("context deadline exceeded") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The record that the network (offline: the node) holds of a name; `None`
    /// where the node finds none or is older than [`TELLS_RECORDS`].
    pub fn name_record(&self, id: &str) -> Result<Option<Record>, NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            entry: Entry,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Entry {
            value: String,
            sequence: u64,
            validity: String,
        }
        let doing = || format!("read the record of /ipns/{id}");
        let got = self.call("name/get", doing()).arg(format!("/ipns/{id}"));
        let record = match got.bytes(MAX_RECORD_BYTES) {
            Ok(record) => record,
            Err(error) if matches!(error.problem, Problem::NoSuchCommand(_)) => return Ok(None),
            // Offline there are no records but the node's own.
            Err(error) if error.says("not found") || error.says("online mode") => return Ok(None),
            Err(error) => return Err(error),
        };
        let inspect = self.call("name/inspect", doing()).option("dump", false);
        let answer: Vec<Answer> = inspect.upload(&mut record.as_slice())?;
        Ok(answer.into_iter().next().map(|answer| Record {
            value: answer.entry.value,
            sequence: answer.entry.sequence,
            validity: answer.entry.validity,
        }))
    }

    /// Tells the network that this node has `root`, so that it is found at once.
    pub fn announce(&self, root: &Cid) -> Result<(), NodeError> {
        let doing = || format!("announce {root} to the network");
        let answer = self.call("routing/provide", doing()).arg(root);
        match answer.bytes(MAX_ANNOUNCEMENT_BYTES) {
            // What it was called later.
            Err(error) if matches!(error.problem, Problem::NoSuchCommand(_)) => self
                .call("provide/once", doing())
                .arg(root)
                .bytes(MAX_ANNOUNCEMENT_BYTES)
                .map(|_| ()),
            done => done.map(|_| ()),
        }
    }

    /// Publishes `root` under a key. That the node says so does not mean that
    /// the name now resolves to it: a lower sequence number loses silently.
    pub fn name_publish(&self, key: &Key, root: &Cid, how: &Publish) -> Result<(), NodeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            name: String,
            value: String,
        }
        let value = format!("/ipfs/{root}");
        let call = || {
            self.call(
                "name/publish",
                format!("publish {value} under the key {:?}", key.name),
            )
        };
        let mut publish = call()
            .arg(&value)
            .option("key", &key.name)
            // The node would search the network for a root it has not got.
            .option("resolve", false)
            .option("lifetime", seconds(how.lifetime))
            // The node refuses one that is longer than the lifetime.
            .option("ttl", seconds(how.lifetime.min(TTL)))
            .option("allow-offline", how.allow_offline)
            .limit(PUBLISH);
        if let Some(sequence) = how.sequence {
            publish = publish.option("sequence", sequence);
        }
        let answer: Answer = publish.json()?;
        if answer.name != key.id || answer.value != value {
            let text = format!("it published {} as {}", answer.value, answer.name);
            return Err(call().failed(Problem::Unexpected(text)));
        }
        Ok(())
    }
}

/// As Kubo (Go) reads a duration.
fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}
