//! IPNS names and the keys they belong to.

use super::error::{NodeError, Problem};
use super::{Node, SHORT};
use crate::ipfs::cid::Cid;
use serde::Deserialize;
use std::time::Duration;

/// How long a publication may take on the node: on the public network, minutes.
const PUBLISH: Duration = Duration::from_secs(600);

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
pub struct Publish<'a> {
    /// How long the record is valid, as Kubo reads a duration: `48h`.
    pub lifetime: &'a str,
    /// Whether a node without a network may publish, for itself alone.
    pub allow_offline: bool,
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
            Err(error) => Err(error),
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
        let answer: Answer = call()
            .arg(&value)
            .option("key", &key.name)
            // The node would search the network for a root it has not got.
            .option("resolve", false)
            .option("lifetime", how.lifetime)
            .option("ttl", "5m")
            .option("allow-offline", how.allow_offline)
            .limit(PUBLISH)
            .json()?;
        if answer.name != key.id || answer.value != value {
            let text = format!("it published {} as {}", answer.value, answer.name);
            return Err(call().failed(Problem::Unexpected(text)));
        }
        Ok(())
    }
}
