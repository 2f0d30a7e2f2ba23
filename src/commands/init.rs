//! `init`: publishes the first root. It is the human's word that nothing was
//! published under the name, so it refuses wherever something says otherwise.

use super::session::Session;
use super::upstreams::{trust, upstreams};
use crate::cli::{Global, Init};
use crate::failure::{Exit, Failure};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::empty;
use crate::publication::{KeyState, begin, find, republish};
use crate::report::Report;
use serde_json::json;

/// Runs `init`.
pub fn run(global: &Global, args: &Init, report: &Report) -> Result<Exit, Failure> {
    let upstreams = upstreams(global)?;
    let session = Session::open(global)?;
    let (mut site, key_state) = session.site(&global.key, &args.publish)?;
    let found = find(&site)?;
    let name = site.key.id.clone();
    // An older Kubo publishes the empty directory under `self` when it is set up.
    let is_unused = |root: &Cid| {
        let mut versions = [CidVersion::V0, CidVersion::V1].into_iter();
        versions.any(|version| empty(version).1.cid == *root) && found.journals.is_empty()
    };
    if let Some(root) = found.published.filter(|root| !is_unused(root)) {
        return Err(Failure::AlreadyThere(format!(
            "/ipns/{name} already points to /ipfs/{root}\n`guix-ipfs sync` goes on from there"
        )));
    }
    if let (KeyState::Old, Some(journal)) = (key_state, found.journals.first()) {
        return Err(Failure::AlreadyThere(format!(
            "/ipns/{name} does not resolve, but this node's journal knows its last root, /ipfs/{}\n\
             `guix-ipfs sync` publishes it again",
            journal.root
        )));
    }
    let mut base = begin(&mut site, found, key_state, args.cid_version)?;
    republish(&site, &mut base)?;
    let root = base.root;
    report.say(&format!("/ipns/{name} points to /ipfs/{root}"));
    trust(&upstreams).for_each(|line| report.say(&line));
    report.sum(&json!({
        "command": "init",
        "key": site.key.name,
        "name": name,
        "root": root.to_string(),
    }));
    Ok(Exit::Done)
}
