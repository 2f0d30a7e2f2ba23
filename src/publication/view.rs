//! A read-only view of a publication: a node and one of its keys.

use super::error::PublicationError;
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

    /// The root that the name points to now, past all caches.
    ///
    /// # Errors
    /// [`PublicationError::ForeignPath`] when it points to something else.
    pub fn resolve(&self) -> Result<Option<Cid>, PublicationError> {
        let Some(path) = self.node.resolve(&self.key.id)? else {
            return Ok(None);
        };
        match path.strip_prefix("/ipfs/").and_then(|cid| cid.parse().ok()) {
            Some(root) => Ok(Some(root)),
            None => Err(PublicationError::ForeignPath {
                name: self.key.id.clone(),
                path,
            }),
        }
    }
}
