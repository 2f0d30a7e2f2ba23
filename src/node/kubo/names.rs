//! IPNS names and keys on a Kubo.

use super::super::contract::{Key, PublishOptions, Record};
use super::super::error::{NodeError, Problem, Refusal};
use super::super::private_key::PrivateKey;
use super::call::{Rpc, is_alphanumeric};
use crate::ipfs::cid::Cid;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::time::Duration;

/// The time for which a name may be searched for on the network: Kubo's own limit.
const SEARCH: Duration = Duration::from_secs(60);

/// The time that a publication may take on the node: on the public network, minutes.
const PUBLISH: Duration = Duration::from_secs(600);

/// The time for which others may keep using a record that they have looked up; Kubo's
/// own default.
const TTL: Duration = Duration::from_secs(300);

/// The longest record, in bytes (<https://specs.ipfs.tech/ipns/ipns-record/#record-size-limit>).
const MAX_RECORD_BYTES: u64 = 10 << 10;

/// The longest account of an announcement, a line a peer, in bytes.
const MAX_ANNOUNCEMENT_BYTES: u64 = 4 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyAnswer {
    name: String,
    id: String,
}

impl KeyAnswer {
    /// The key. Its ID becomes a part of a file's name.
    fn checked(self) -> Result<Key, Problem> {
        let Self { name, id } = self;
        match is_alphanumeric(&id) {
            true => Ok(Key { name, id }),
            false => Err(Problem::Unexpected(format!("the ID {id:?} of a key"))),
        }
    }
}

/// The keys of the node, `self` included.
pub fn keys(rpc: &Rpc) -> Result<Vec<Key>, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        keys: Vec<KeyAnswer>,
    }
    let call = || rpc.call("key/list", "list the node's keys");
    let answer: Answer = call().json()?;
    let keys = answer.keys.into_iter().map(KeyAnswer::checked).collect();
    let keys: Result<_, Problem> = keys;
    keys.map_err(|problem| call().failed(problem))
}

/// Makes an Ed25519 key.
pub fn create_key(rpc: &Rpc, name: &str) -> Result<Key, NodeError> {
    let call = || rpc.call("key/gen", format!("make the key {name:?}"));
    let answer: KeyAnswer = call().arg(name).option("type", "ed25519").json()?;
    answer.checked().map_err(|problem| call().failed(problem))
}

/// Takes a key that was made elsewhere.
pub fn import_key(rpc: &Rpc, name: &str, private: &PrivateKey) -> Result<Key, NodeError> {
    let call = || rpc.call("key/import", format!("import the key {name:?}"));
    let import = call().arg(name);
    let import = import.option("format", "libp2p-protobuf-cleartext");
    let answers: Vec<KeyAnswer> = import.upload_bytes(&private.to_protobuf())?;
    let Some(answer) = answers.into_iter().next() else {
        return Err(call().failed(Problem::Cut("no line names the key".to_owned())));
    };
    match answer.id == private.id() {
        true => answer.checked().map_err(|problem| call().failed(problem)),
        false => {
            let text = format!("it imported {} as {}", private.id(), answer.id);
            Err(call().failed(Problem::Unexpected(text)))
        }
    }
}

/// Gives a key another name on the node.
pub fn rename_key(rpc: &Rpc, key: &Key, name: &str) -> Result<(), NodeError> {
    let call = rpc.call("key/rename", format!("rename the new key to {name:?}"));
    call.arg(&key.name).arg(name).json::<IgnoredAny>().map(drop)
}

/// The path that a name points to, past all caches.
pub fn resolve(rpc: &Rpc, name: &str) -> Result<Option<String>, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        path: String,
    }
    let resolved = rpc
        .call("name/resolve", format!("resolve /ipns/{name}"))
        .arg(format!("/ipns/{name}"))
        .option("nocache", true)
        .limit(SEARCH)
        .json::<Answer>();
    match resolved {
        Ok(answer) => Ok(Some(answer.path)),
        Err(error) if error.is(Refusal::NotFound) => Ok(None),
        // It searched the network until its time was over.
        Err(error) if error.is(Refusal::SearchedInVain) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The record that the network (offline: the node) holds of a name.
pub fn record(rpc: &Rpc, name: &str) -> Result<Option<Record>, NodeError> {
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
    let action = || format!("read the record of /ipns/{name}");
    let call = rpc.call("name/get", action()).arg(format!("/ipns/{name}"));
    let record = match call.bytes(MAX_RECORD_BYTES) {
        Ok(record) => record,
        Err(error) if matches!(error.problem, Problem::UnknownCommand(_)) => return Ok(None),
        // Offline there are no records but the node's own.
        Err(error) if error.is(Refusal::NotFound) || error.is(Refusal::Offline) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let inspect = rpc.call("name/inspect", action()).option("dump", false);
    let answer: Vec<Answer> = inspect.upload_bytes(&record)?;
    Ok(answer.into_iter().next().map(|answer| Record {
        value: answer.entry.value,
        sequence: answer.entry.sequence,
        validity: answer.entry.validity,
    }))
}

/// Announces to the network that this node has `root`.
pub fn announce(rpc: &Rpc, root: &Cid) -> Result<(), NodeError> {
    let action = || format!("announce {root} to the network");
    let call = rpc.call("routing/provide", action()).arg(root);
    match call.bytes(MAX_ANNOUNCEMENT_BYTES) {
        // Its later name.
        Err(error) if matches!(error.problem, Problem::UnknownCommand(_)) => {
            let call = rpc.call("provide/once", action()).arg(root);
            call.bytes(MAX_ANNOUNCEMENT_BYTES).map(drop)
        }
        done => done.map(drop),
    }
}

/// Publishes `root` under a key.
pub fn publish(
    rpc: &Rpc,
    key: &Key,
    root: &Cid,
    options: &PublishOptions,
) -> Result<(), NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        name: String,
        value: String,
    }
    let value = format!("/ipfs/{root}");
    let action = format!("publish {value} under the key {:?}", key.name);
    let call = || rpc.call("name/publish", action.clone());
    let mut publish = call()
        .arg(&value)
        .option("key", &key.name)
        // The node would search the network for a root that it does not hold.
        .option("resolve", false)
        .option("lifetime", seconds(options.lifetime))
        // A record must not be kept for longer than it is valid.
        .option("ttl", seconds(options.lifetime.min(TTL)))
        .option("allow-offline", options.allow_offline)
        .limit(PUBLISH);
    if let Some(sequence) = options.sequence {
        publish = publish.option("sequence", sequence);
    }
    let answer: Answer = publish.json()?;
    if answer.name != key.id || answer.value != value {
        let text = format!("it published {} as {}", answer.value, answer.name);
        return Err(call().failed(Problem::Unexpected(text)));
    }
    Ok(())
}

/// A duration as Kubo (Go) reads it.
fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs())
}
