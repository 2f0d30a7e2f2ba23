//! Pins on a Kubo, and its collector. A CID has one pin, and a pin one name.

use super::super::contract::KnownBlocks;
use super::super::error::{NodeError, Refusal};
use super::call::{PATIENCE, Rpc};
use super::refusal::refusal;
use crate::ipfs::cid::Cid;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Deserializer;
use std::collections::BTreeMap;
use std::io::BufReader;
use std::time::Duration;

/// The limit of a walk of the whole tree; a first pin of a million entries took 3 s,
/// on a machine that did nothing else.
const LONG: Duration = Duration::from_secs(1800);

/// The limit of a collection, which reads every block that has links and removes
/// millions one by one.
const COLLECTION: Duration = Duration::from_secs(24 * 3600);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PinList {
    #[serde(default)]
    keys: BTreeMap<String, PinEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PinEntry {
    #[serde(default)]
    name: String,
}

/// Pins `root` and all below it. Nothing but its time limit ends the search for a
/// block that an online node lacks.
pub fn add(rpc: &Rpc, root: &Cid, name: &str, known: KnownBlocks) -> Result<(), NodeError> {
    rpc.call("pin/add", format!("pin {root}"))
        .arg(root)
        .option("name", name)
        .limit(match known {
            KnownBlocks::All => LONG,
            KnownBlocks::Unsure => pin_limit(rpc),
        })
        .json::<IgnoredAny>()
        .map(drop)
}

/// Pins `new` beside `old`, walking only what differs.
pub fn update(rpc: &Rpc, old: &Cid, new: &Cid) -> Result<(), NodeError> {
    let updated = rpc
        .call("pin/update", format!("pin {new}"))
        .arg(old)
        .arg(new)
        .option("unpin", false)
        .limit(pin_limit(rpc))
        .json::<IgnoredAny>();
    let error = match updated {
        Ok(_) => return Ok(()),
        Err(error) if error.is(Refusal::NotPinned) => error,
        Err(error) => return Err(error),
    };
    // Two calls at the same moment pin a CID twice. Kubo shows such a pin and keeps
    // what is below it, but takes it for none here, and for ever.
    match name(rpc, old)? {
        None => Err(error),
        Some(_) if contain(rpc, new)? => {
            let message = format!("{new} is pinned already");
            Err(NodeError::refused(
                error.action,
                Refusal::AlreadyPinned,
                message,
            ))
        }
        Some(name) => add(rpc, new, &name, KnownBlocks::All),
    }
}

/// The name of the recursive pin of `root`; `None` where it has none.
fn name(rpc: &Rpc, root: &Cid) -> Result<Option<String>, NodeError> {
    let list = rpc
        .call("pin/ls", format!("ask for the pin of {root}"))
        .arg(root)
        .option("type", "recursive")
        .option("names", true)
        .json::<PinList>();
    match list {
        Ok(list) => Ok(list.keys.into_values().next().map(|pin| pin.name)),
        Err(error) if error.is(Refusal::NotPinned) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes a recursive pin, if there is one.
pub fn remove(rpc: &Rpc, root: &Cid) -> Result<(), NodeError> {
    let call = rpc.call("pin/rm", format!("unpin {root}")).arg(root);
    match call.json::<IgnoredAny>() {
        Err(error) if !error.is(Refusal::NotPinned) => Err(error),
        _ => Ok(()),
    }
}

/// Returns true when `root` is pinned recursively.
pub fn contain(rpc: &Rpc, root: &Cid) -> Result<bool, NodeError> {
    Ok(name(rpc, root)?.is_some())
}

/// The recursive pins with exactly this name.
pub fn named(rpc: &Rpc, name: &str) -> Result<Vec<Cid>, NodeError> {
    let pins = beginning(rpc, name)?.into_iter();
    let named = pins.filter(|(of_pin, _)| of_pin == name);
    Ok(named.map(|(_, root)| root).collect())
}

/// The recursive pins whose names begin so. (The node matches parts of names.)
pub fn beginning(rpc: &Rpc, name: &str) -> Result<Vec<(String, Cid)>, NodeError> {
    let list: PinList = rpc
        .call("pin/ls", format!("list the pins named {name}"))
        .option("type", "recursive")
        .option("name", name)
        .option("names", true)
        .limit(pin_limit(rpc))
        .json()?;
    let pins = list.keys.into_iter();
    let named = pins.filter(|(_, pin)| pin.name.starts_with(name));
    let parsed = named.filter_map(|(root, pin)| Some((pin.name, root.parse().ok()?)));
    Ok(parsed.collect())
}

/// Runs the collector to its end, and returns the number of blocks that it removed.
///
/// # Errors
/// The first of the node's own, such as that of a damaged block below a pin, which
/// keeps it from removing anything.
pub fn collect_garbage(rpc: &Rpc) -> Result<u64, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Line {
        #[serde(default)]
        error: String,
    }
    let call = || rpc.call("repo/gc", "collect garbage");
    let answer = call()
        // Else an error comes in a trailer, which the client drops.
        .option("stream-errors", true)
        .limit(COLLECTION)
        // It sends nothing before it has looked at all that is pinned.
        .pause(COLLECTION)
        .stream()?;
    let mut removed = 0;
    let mut failure = None;
    for line in Deserializer::from_reader(BufReader::new(answer)).into_iter::<Line>() {
        match line {
            Ok(line) if line.error.is_empty() => removed += 1,
            Ok(line) => failure = failure.or(Some(line.error)),
            Err(error) => return Err(call().unreadable(&error)),
        }
    }
    match failure {
        None => Ok(removed),
        Some(message) => Err(call().failed(refusal(message))),
    }
}

fn pin_limit(rpc: &Rpc) -> Duration {
    rpc.short * PATIENCE
}
