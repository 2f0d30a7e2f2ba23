//! What the node says of itself, and its collector.

use super::options::unsupported;
use super::{Answer, Call, agent, many, one, refused};
use crate::embedded::keys::SELF;
use crate::ipfs::cid::{Cid, RAW};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// The Kubo whose answers these are.
const KUBO_VERSION: &str = "0.40.0";

pub fn version() -> Answer {
    let system = format!("{}/{}", std::env::consts::ARCH, std::env::consts::OS);
    one(&json!({
        "Version": KUBO_VERSION,
        "Commit": "",
        "Repo": "guix-ipfs",
        "System": system,
        "Golang": "",
    }))
}

pub fn id(call: &Call) -> Answer {
    let Some(key) = call.repo.keys.find(SELF)? else {
        return Err(refused("the key of the node itself is gone"));
    };
    one(&json!({
        "ID": key.peer_id(),
        "PublicKey": STANDARD.encode(key.public_message()),
        "Addresses": null,
        "AgentVersion": agent(),
        "Protocols": null,
    }))
}

pub fn config(call: &Call) -> Answer {
    let key = call.options.arg(0, "key")?;
    if call.options.args().nth(1).is_some() {
        return Err(unsupported("setting its configuration"));
    }
    let value = match key {
        "Addresses.Gateway" => match call.gateway {
            Some(port) => json!(format!("/ip4/127.0.0.1/tcp/{port}")),
            None => json!([]),
        },
        _ => {
            // Kubo names the first part of the key that it does not find.
            let mut parts = key.split('.').skip_while(|part| *part == "Addresses");
            let part = parts.next().unwrap_or(key);
            let text = format!("failed to get config value: \"{part} not found\"");
            return Err(refused(text));
        }
    };
    one(&json!({"Key": key, "Value": value}))
}

pub fn repo_stat(call: &Call) -> Answer {
    let (count, bytes) = call.repo.blocks.stat()?;
    let size_only = call.options.flag("size-only", false)?;
    one(&json!({
        "RepoSize": bytes,
        // No limit, as Kubo says it.
        "StorageMax": u64::MAX,
        "NumObjects": if size_only { 0 } else { count },
        "RepoPath": if size_only { "".into() } else { call.repo.folder.to_string_lossy() },
        "Version": if size_only { "" } else { "guix-ipfs" },
    }))
}

pub fn repo_gc(call: &Call) -> Answer {
    let removed = call.repo.collect_garbage()?;
    let lines: Vec<_> = removed
        .into_iter()
        .map(|hash| json!({"Key": {"/": Cid::new_v1(RAW, hash).to_string()}}))
        .collect();
    many(&lines)
}
