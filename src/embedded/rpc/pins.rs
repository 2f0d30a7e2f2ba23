//! Pins.

use super::options::unsupported;
use super::{Answer, Call, Fault, one, refused};
use crate::embedded::path;
use crate::embedded::walk::Walk;
use crate::ipfs::cid::Cid;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub fn add(call: &Call) -> Answer {
    recursive_only(call)?;
    call.options.arg(0, "ipfs-path")?;
    let name = call.options.text("name").unwrap_or_default();
    let _held = call.repo.writing();
    let mut pinned = Vec::new();
    for path in call.options.args() {
        let root = path::resolve(call.repo, path)?;
        let added = call.repo.pins.add(&call.repo.blocks, &root, name);
        added.map_err(|error| refused(format!("pin: {error}")))?;
        pinned.push(root);
    }
    answer(&pinned)
}

pub fn update(call: &Call) -> Answer {
    let old = path::resolve(call.repo, call.options.arg(0, "from-path")?)?;
    let new = path::resolve(call.repo, call.options.arg(1, "to-path")?)?;
    let unpin = call.options.flag("unpin", true)?;
    let _held = call.repo.writing();
    call.repo
        .pins
        .update(&call.repo.blocks, &old, &new, unpin)?;
    answer(&[old, new])
}

pub fn rm(call: &Call) -> Answer {
    recursive_only(call)?;
    call.options.arg(0, "ipfs-path")?;
    let mut removed = Vec::new();
    for path in call.options.args() {
        let root = path::resolve(call.repo, path)?;
        call.repo.pins.remove(&root)?;
        removed.push(root);
    }
    answer(&removed)
}

pub fn ls(call: &Call) -> Answer {
    let names = call.options.flag("names", false)?;
    let wanted = call.options.text("type").unwrap_or("all");
    if !["direct", "indirect", "recursive", "all"].contains(&wanted) {
        let types = "{direct, indirect, recursive, all}";
        let text = format!("invalid type '{wanted}', must be one of {types}");
        return Err(refused(text));
    }
    let paths: Vec<&str> = call.options.args().collect();
    let keys = match paths.is_empty() {
        true => list(call, wanted, names)?,
        false => ask(call, &paths, wanted, names)?,
    };
    match keys.is_empty() {
        true => one(&json!({})),
        false => one(&json!({ "Keys": keys })),
    }
}

/// The pins of some type, those whose name contains `name=`.
fn list(call: &Call, wanted: &str, names: bool) -> Result<Map<String, Value>, Fault> {
    let part = call.options.text("name");
    let mut keys = Map::new();
    let mut below = BTreeSet::new();
    for (root, name) in call.repo.pins.all() {
        if part.is_some_and(|part| !name.contains(part)) {
            continue;
        }
        if matches!(wanted, "recursive" | "all") {
            keys.insert(root.to_string(), row("recursive", &name, names));
        }
        if matches!(wanted, "indirect" | "all") && part.is_none() {
            for cid in Walk::new(&call.repo.blocks, [root]).skip(1) {
                below.insert(cid?.to_string());
            }
        }
    }
    for cid in below {
        keys.entry(cid)
            .or_insert_with(|| row("indirect", "", names));
    }
    Ok(keys)
}

/// How the named paths are pinned; one that is not is an error.
fn ask(
    call: &Call,
    paths: &[&str],
    wanted: &str,
    names: bool,
) -> Result<Map<String, Value>, Fault> {
    let mut keys = Map::new();
    for path in paths {
        let cid = path::resolve(call.repo, path)?;
        let recursive = call.repo.pins.name(&cid);
        let found = match recursive.filter(|_| matches!(wanted, "recursive" | "all")) {
            Some(name) => Some(row("recursive", &name, names)),
            None if matches!(wanted, "indirect" | "all") => {
                holder(call, &cid)?.map(|root| row(&format!("indirect through {root}"), "", names))
            }
            None => None,
        };
        let not_pinned = || refused(format!("path '{path}' is not pinned"));
        keys.insert(cid.to_string(), found.ok_or_else(not_pinned)?);
    }
    Ok(keys)
}

/// The first pin below which `wanted` stands.
fn holder(call: &Call, wanted: &Cid) -> Result<Option<Cid>, Fault> {
    for (root, _) in call.repo.pins.all() {
        for cid in Walk::new(&call.repo.blocks, [root]).skip(1) {
            if cid? == *wanted {
                return Ok(Some(root));
            }
        }
    }
    Ok(None)
}

fn row(kind: &str, name: &str, names: bool) -> Value {
    json!({"Type": kind, "Name": if names { name } else { "" }})
}

fn answer(roots: &[Cid]) -> Answer {
    let roots: Vec<String> = roots.iter().map(Cid::to_string).collect();
    one(&json!({ "Pins": roots }))
}

fn recursive_only(call: &Call) -> Result<(), Fault> {
    match call.options.flag("recursive", true)? {
        true => Ok(()),
        false => Err(unsupported("direct pins")),
    }
}
