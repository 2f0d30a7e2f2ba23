//! Pinning services, which a Kubo asks for this program. They are set up on the node with
//! `ipfs pin remote service add NAME ENDPOINT KEY`; the key stays there.

use super::super::error::{NodeError, Problem, Refusal};
use super::super::services::{RemotePin, RemoteQuery, RemoteStatus};
use super::call::{Call, Rpc};
use crate::ipfs::cid::{Cid, is_same_content};
use serde::Deserialize;
use std::time::Duration;

/// The longest wait for a service, which may be anywhere. Nothing depends on it now.
const LIMIT: Duration = Duration::from_secs(30);

/// The longest list of pins that is read, in bytes: some 10,000 pins.
const MAX_LIST_BYTES: u64 = 2 << 20;

/// The longest words of a service that are repeated, in characters.
const MAX_WORDS: usize = 300;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    #[serde(default)]
    status: String,
    cid: String,
    #[serde(default)]
    name: String,
}

impl Line {
    /// The pin; `None` for one whose CID nobody can read. A state that the API does not
    /// name is one on the way.
    fn pin(self) -> Option<RemotePin> {
        let mut known = RemoteStatus::ALL.into_iter();
        let status = known.find(|status| status.word() == self.status);
        Some(RemotePin {
            cid: self.cid.parse().ok()?,
            name: self.name,
            status: status.unwrap_or(RemoteStatus::Queued),
        })
    }
}

/// The names of the services that are set up.
pub fn names(rpc: &Rpc) -> Result<Vec<String>, NodeError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        #[serde(default)]
        remote_services: Vec<Service>,
    }
    // Its endpoint is not read: some hold a secret.
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Service {
        service: String,
    }
    let call = rpc.call("pin/remote/service/ls", "list the node's pinning services");
    let answer: Answer = call.json()?;
    let services = answer.remote_services.into_iter();
    Ok(services.map(|service| service.service).collect())
}

/// The pins at a service, the newest first. An error on a later page is not reported, so
/// the list may lack older ones.
pub fn pins(rpc: &Rpc, service: &str, query: RemoteQuery) -> Result<Vec<RemotePin>, NodeError> {
    let call = call(rpc, "pin/remote/ls", service, "ask for its pins");
    let call = match query {
        RemoteQuery::Named(name) => call.option("name", name),
        RemoteQuery::Of(cid) => call.option("cid", cid),
    };
    let pins = list(in_states(call, &RemoteStatus::ALL))?.into_iter();
    Ok(pins.filter(|pin| is_asked_for(pin, query)).collect())
}

/// Asks a service to hold a root, and returns at once.
pub fn add(rpc: &Rpc, service: &str, root: &Cid, name: &str) -> Result<RemoteStatus, NodeError> {
    let action = format!("ask for {root}");
    let call = call(rpc, "pin/remote/add", service, &action)
        .arg(root)
        .option("name", name)
        // Else the node waits until it is pinned.
        .option("background", true);
    let added: Line = call.json().map_err(of_service)?;
    Ok(added.pin().map_or(RemoteStatus::Queued, |pin| pin.status))
}

/// Removes the pins of `root` with exactly this name that are in one of these states.
///
/// The node removes whatever the service lists, and a service may list more than it is
/// asked for. So the same list is read before.
pub fn remove(
    rpc: &Rpc,
    service: &str,
    root: &Cid,
    name: &str,
    states: &[RemoteStatus],
) -> Result<(), NodeError> {
    let action = format!("unpin {root}");
    let filtered = |command| {
        let call = call(rpc, command, service, &action);
        let call = call.option("cid", root).option("name", name);
        in_states(call, states)
    };
    let listed = list(filtered("pin/remote/ls"))?;
    if listed.is_empty() {
        return Ok(());
    }
    let is_meant = |pin: &RemotePin| is_same_content(&pin.cid, root) && pin.name == name;
    if let Some(other) = listed.iter().find(|pin| !is_meant(pin)) {
        let text = format!(
            "the service lists {} named {:?}, too; nothing is removed there",
            other.cid, other.name
        );
        return Err(filtered("pin/remote/rm").failed(Problem::Unexpected(text)));
    }
    // Of one root there may be several.
    let call = filtered("pin/remote/rm").option("force", true);
    // The answer is empty.
    call.bytes(MAX_LIST_BYTES).map(drop).map_err(of_service)
}

/// Begins a call about a service.
fn call<'r>(rpc: &'r Rpc, command: &'static str, service: &str, action: &str) -> Call<'r> {
    rpc.call(command, format!("pinning service {service}: {action}"))
        .option("service", service)
        .limit(rpc.short.min(LIMIT))
}

/// Narrows a call to pins in these states. Unlike on the command line, one value holds
/// one state.
fn in_states<'r>(call: Call<'r>, states: &[RemoteStatus]) -> Call<'r> {
    let states = states.iter();
    states.fold(call, |call, status| call.option("status", status.word()))
}

/// Reads the pins that a call lists.
fn list(call: Call) -> Result<Vec<RemotePin>, NodeError> {
    let lines: Vec<Line> = call.json_lines(MAX_LIST_BYTES).map_err(of_service)?;
    Ok(lines.into_iter().filter_map(Line::pin).collect())
}

/// Returns true for a pin that the query means. A service may sort out less than it is
/// asked to.
fn is_asked_for(pin: &RemotePin, query: RemoteQuery) -> bool {
    match query {
        RemoteQuery::Named(name) => pin.name == name,
        RemoteQuery::Of(cid) => is_same_content(&pin.cid, cid),
    }
}

/// The error of a call about a service. Its message is the service's, not the node's:
/// a full disk there is not a full disk here.
fn of_service(error: NodeError) -> NodeError {
    let Problem::Refused { message, .. } = error.problem else {
        return error;
    };
    let refusal = match message.contains("service not known") {
        true => Refusal::UnknownService,
        false => Refusal::Service,
    };
    NodeError::refused(error.action, refusal, shortened(&message))
}

/// The words of a service on one line, cut where they are a page of HTML. The URL that
/// was asked is left out: that of some services holds a secret.
fn shortened(message: &str) -> String {
    let is_url = |word: &&str| word.starts_with("\"http://") || word.starts_with("\"https://");
    let words = message.split_whitespace().filter(|word| !is_url(word));
    let words: Vec<&str> = words.collect();
    let words = words.join(" ");
    match words.char_indices().nth(MAX_WORDS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_says_is_not_taken_for_the_nodes_own_words() {
        for (words, expected) in [
            ("service not known", Refusal::UnknownService),
            ("reason: \"no space left\", details: \"\"", Refusal::Service),
            ("Get \"x\": context deadline exceeded", Refusal::Service),
            ("reason: \"NOT_FOUND\": not found", Refusal::Service),
        ] {
            let problem = super::super::refusal::refusal(words.to_owned());
            let error = of_service(NodeError::new("ask", problem));
            assert!(error.is(expected), "{words}: {error:?}");
        }
        let page = format!("a\n{}", "é ".repeat(500));
        let short = shortened(&page);
        assert!(short.starts_with("a é") && short.ends_with('…') && short.len() < 700);
    }

    #[test]
    fn a_pin_in_an_unknown_state_is_on_the_way_and_one_without_a_cid_is_none() {
        let line = |status: &str, cid: &str| Line {
            status: status.to_owned(),
            cid: cid.to_owned(),
            name: String::new(),
        };
        let cid = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
        for (word, expected) in [
            ("pinned", RemoteStatus::Pinned),
            ("failed", RemoteStatus::Failed),
            ("", RemoteStatus::Queued),
            ("archived", RemoteStatus::Queued),
        ] {
            assert_eq!(line(word, cid).pin().map(|pin| pin.status), Some(expected));
        }
        assert!(line("pinned", "b").pin().is_none());
    }
}
