//! The first root of a name. Asking for it is a person's word that nothing was
//! published under the name, so it fails wherever something shows otherwise.

use super::failure::Failure;
use super::json;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::empty;
use crate::node::Node;
use crate::publication::{
    KeyAge, NameState, Publisher, PublisherOptions, create_first_root, ensure_published,
    read_name_state,
};
use serde::Serialize;

/// A request to publish a first root.
#[derive(Clone, Debug)]
pub struct InitRequest {
    /// The node's name of the key, which is made where there is none.
    pub key: String,
    /// The CID version of the mirror, for good.
    pub cid_version: CidVersion,
    /// The terms of publishing.
    pub publishing: PublisherOptions,
}

/// A first root that is published.
#[derive(Debug, Serialize)]
pub struct InitSummary {
    /// The node's name of the key.
    pub key: String,
    /// The IPNS name.
    pub name: String,
    /// The root.
    #[serde(serialize_with = "json::text")]
    pub root: Cid,
}

/// Publishes a first root.
///
/// # Errors
/// [`Failure::AlreadyPublished`], [`Failure::JournalExists`]; the reason why it
/// cannot be published.
pub fn initialize(node: &dyn Node, request: &InitRequest) -> Result<InitSummary, Failure> {
    let mut publisher = Publisher::open(node, &request.key, &request.publishing)?;
    let state = read_name_state(&publisher.view)?;
    let name = publisher.view.key.id.clone();
    if let Some(root) = state.published.filter(|root| !is_unused(root, &state)) {
        let root = root.to_string();
        return Err(Failure::AlreadyPublished { name, root });
    }
    if let (KeyAge::Existing, Some(journal)) = (publisher.key_age, state.journals.first()) {
        let root = journal.root.to_string();
        return Err(Failure::JournalExists { name, root });
    }
    let mut base = create_first_root(&mut publisher, state, request.cid_version)?;
    ensure_published(&publisher, &mut base)?;
    Ok(InitSummary {
        key: publisher.view.key.name.clone(),
        name,
        root: base.root,
    })
}

/// An older Kubo publishes the empty directory under `self` when it is set up.
fn is_unused(root: &Cid, state: &NameState) -> bool {
    let mut versions = [CidVersion::V0, CidVersion::V1].into_iter();
    versions.any(|version| empty(version).1.cid == *root) && state.journals.is_empty()
}
