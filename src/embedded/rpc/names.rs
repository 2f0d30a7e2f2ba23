//! Keys and the names that belong to them.

use super::options::unsupported;
use super::{Answer, Call, Fault, one, refused};
use crate::embedded::keys::{Key, SELF};
use crate::embedded::names::duration;
use crate::embedded::path;
use serde_json::json;
use std::time::Duration;

/// How long a record is valid where nothing is said, as in Kubo.
const LIFETIME: &str = "48h";
pub fn key_list(call: &Call) -> Answer {
    let keys = call.repo.keys.all()?;
    let keys: Vec<_> = keys
        .iter()
        .map(|key| json!({"Name": key.name, "Id": key.id()}))
        .collect();
    one(&json!({ "Keys": keys }))
}

pub fn key_gen(call: &Call) -> Answer {
    let name = call.options.arg(0, "name")?;
    if let Some(kind) = call.options.text("type").filter(|kind| *kind != "ed25519") {
        return Err(unsupported(&format!("{kind} keys")));
    }
    let key = call.repo.keys.generate(name)?;
    one(&json!({"Name": key.name, "Id": key.id()}))
}

pub fn key_rename(call: &Call) -> Answer {
    let was = call.options.arg(0, "name")?;
    let now = call.options.arg(1, "newName")?;
    call.options.only("force", "false")?;
    let key = call.repo.keys.rename(was, now)?;
    one(&json!({"Was": was, "Now": now, "Id": key.id(), "Overwrite": false}))
}

pub fn publish(call: &Call) -> Answer {
    let path = call.options.arg(0, "ipfs-path")?;
    let wanted = call.options.text("key").unwrap_or(SELF);
    if !call.options.flag("allow-offline", false)? {
        return Err(refused(
            "can't publish while offline: pass `--allow-offline` to override or \
             `--allow-delegated` if Ipns.DelegatedPublishers are set up",
        ));
    }
    call.options.only("sequence", "")?;
    let lifetime = call.options.text("lifetime").unwrap_or(LIFETIME);
    let Some(lifetime) = duration(lifetime) else {
        let text = format!("error parsing lifetime option: time: invalid duration {lifetime:?}");
        return Err(refused(text));
    };
    // Without one, Kubo takes its default or the lifetime, whichever is shorter.
    if let Some(ttl) = call.options.text("ttl").and_then(duration)
        && ttl > lifetime
    {
        return Err(refused(format!(
            "ttl ({}) must not be greater than lifetime ({})",
            go(ttl),
            go(lifetime)
        )));
    }
    let cid = path::resolve(call.repo, path)?;
    if call.options.flag("resolve", true)? {
        call.repo.blocks.size(&cid)?;
    }
    let value = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/ipfs/{path}"),
    };
    let key = find(call, wanted)?;
    let _held = call.repo.writing();
    call.repo.names.publish(&key.id(), &value, lifetime)?;
    one(&json!({"Name": key.id(), "Value": value}))
}

pub fn resolve(call: &Call) -> Answer {
    let own = || call.repo.keys.find(SELF).map(|key| key.map(|key| key.id()));
    let name = match call.options.args().next() {
        Some(name) => name.to_owned(),
        None => own()?.unwrap_or_default(),
    };
    let value = path::resolve_name(call.repo, &name)?;
    one(&json!({ "Path": value }))
}

/// A duration of whole seconds as Go writes it.
fn go(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{}s", seconds % 60),
        _ => format!("{hours}h{minutes}m{}s", seconds % 60),
    }
}

/// A key by its name, or by the name that it publishes under.
fn find(call: &Call, wanted: &str) -> Result<Key, Fault> {
    let mut keys = call.repo.keys.all()?.into_iter();
    keys.find(|key| key.name == wanted || key.id() == wanted)
        .ok_or_else(|| refused("no key by the given name was found"))
}
