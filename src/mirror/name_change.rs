//! The effect of a run on a name that was published before.

use super::json;
use crate::ipfs::cid::Cid;
use crate::node::Key;
use crate::publication::Committed;
use serde::Serialize;

/// The root that a name points to now, and the one before.
#[derive(Clone, Debug, Serialize)]
pub struct NameChange {
    /// The node's name of the key.
    pub key: String,
    /// The IPNS name.
    pub name: String,
    /// The root that the name points to now.
    #[serde(serialize_with = "json::text")]
    pub root: Cid,
    /// The root that it pointed to before.
    #[serde(serialize_with = "json::text")]
    pub before: Cid,
    /// A root was published.
    pub published: bool,
}

impl NameChange {
    /// The change from one root to another, under a key.
    pub fn new(key: &Key, before: Cid, root: Cid, committed: Committed) -> Self {
        Self {
            key: key.name.clone(),
            name: key.id.clone(),
            root,
            before,
            published: committed == Committed::Published,
        }
    }
}
