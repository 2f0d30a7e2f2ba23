//! A read-only view of a publication: a node and one of its keys.

use super::error::PublicationError;
use super::publication_id::PublicationId;
use crate::ipfs::cid::Cid;
use crate::node::{Key, Node};

/// A node and one of its keys.
#[derive(Clone)]
pub struct PublicationView<'n> {
    /// The node that holds the blocks.
    pub node: &'n dyn Node,
    /// The key whose name is published.
    pub key: Key,
}

impl<'n> PublicationView<'n> {
    /// The view of the key named `name`, if the node has it.
    pub fn of_key(node: &'n dyn Node, name: &str) -> Result<Option<Self>, PublicationError> {
        let mut keys = node.keys()?.into_iter();
        let key = keys.find(|key| key.name == name);
        Ok(key.map(|key| Self { node, key }))
    }

    /// The view of the key whose IPNS name this is, if the node has it.
    pub fn of_name(node: &'n dyn Node, name: &str) -> Result<Option<Self>, PublicationError> {
        let mut keys = node.keys()?.into_iter();
        let key = keys.find(|key| key.id == name);
        Ok(key.map(|key| Self { node, key }))
    }

    /// The publication as files are named after it.
    pub fn id(&self) -> PublicationId {
        PublicationId {
            peer_id: self.node.description().peer_id.clone(),
            key_id: self.key.id.clone(),
        }
    }

    /// The root that the name points to now, past all caches.
    ///
    /// # Errors
    /// [`PublicationError::ForeignPath`] when it points to something else.
    pub fn resolve(&self) -> Result<Option<Cid>, PublicationError> {
        let path = self.node.resolve(&self.key.id)?;
        path.map(|path| root_of_path(&self.key.id, path))
            .transpose()
    }
}

/// The root in the path that a name points to.
///
/// # Errors
/// [`PublicationError::ForeignPath`] for the path of something else.
pub fn root_of_path(name: &str, path: String) -> Result<Cid, PublicationError> {
    root_in(&path).ok_or_else(|| PublicationError::ForeignPath {
        name: name.to_owned(),
        path,
    })
}

/// The root in `/ipfs/CID`.
pub fn root_in(path: &str) -> Option<Cid> {
    let cid = path.strip_prefix("/ipfs/")?;
    cid.trim_end_matches('/').parse().ok()
}
