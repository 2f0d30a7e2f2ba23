//! A request to move a mirror to another node, and its result.

use super::failure::Failure;
use super::json;
use super::move_failure::MoveFailure;
use crate::ipfs::cid::Cid;
use crate::node::{Key, Node, PrivateKey};
use crate::publication::{Copied, CopyError, PublicationError, PublicationView, PublisherOptions};
use serde::Serialize;
use std::path::PathBuf;

/// The key's name on the new node where the mirror was published under the node's own.
const INSTEAD_OF_SELF: &str = "guix-ipfs";

/// A request to move a mirror.
#[derive(Clone, Debug)]
pub struct MoveRequest {
    /// The old node's name of the key.
    pub key: String,
    /// The address of the new node, as `--api` takes it, without a secret.
    pub address: String,
    /// A file with the private key, where the old node does not hand it out.
    pub private_key: Option<(PathBuf, PrivateKey)>,
    /// The terms of publishing.
    pub publishing: PublisherOptions,
}

/// The result of a move.
#[derive(Debug, Serialize)]
pub struct MoveSummary {
    /// The IPNS name.
    pub name: String,
    /// The root that it points to.
    #[serde(serialize_with = "json::text")]
    pub root: Cid,
    /// The old node's name of the key.
    pub key: String,
    /// The address of the new node.
    pub to: String,
    /// The new node's name of the key.
    pub key_there: String,
    /// False where the mirror was moved before.
    pub moved: bool,
    /// The blocks that were sent.
    #[serde(flatten)]
    pub copied: Copied,
}

impl MoveRequest {
    /// The result of work on the new node.
    pub(super) fn there<T>(
        &self,
        done: Result<T, impl Into<PublicationError>>,
    ) -> Result<T, Failure> {
        done.map_err(|error| {
            let failure = MoveFailure::Target {
                address: self.address.clone(),
                source: error.into(),
            };
            failure.into()
        })
    }

    /// The result of work on both nodes.
    pub(super) fn on_both<T>(&self, done: Result<T, CopyError>) -> Result<T, Failure> {
        done.or_else(|error| match error {
            CopyError::Source(error) => Err(Failure::from(error).of_own_tree()),
            CopyError::Target(error) => self.there(Err(error)),
        })
    }

    /// The key on the new node, and its private half where the new node lacks it.
    pub(super) fn key_there(
        &self,
        view: &PublicationView,
        there: &dyn Node,
    ) -> Result<(Key, Option<PrivateKey>), Failure> {
        let Key { name, id } = view.key.clone();
        let keys = self.there(there.keys())?;
        if let Some(key) = keys.iter().find(|key| key.id == id) {
            return Ok((key.clone(), None));
        }
        let named = match name.as_str() {
            "self" => INSTEAD_OF_SELF.to_owned(),
            _ => name.clone(),
        };
        let address = self.address.clone();
        if let Some(Key { name: key, id }) = keys.into_iter().find(|key| key.name == named) {
            return Err(MoveFailure::KeyTaken { address, key, id }.into());
        }
        let private = match &self.private_key {
            Some((path, private)) if private.id() != id => {
                return Err(MoveFailure::OtherKey {
                    path: path.clone(),
                    found: private.id(),
                    wanted: id,
                }
                .into());
            }
            Some((_, private)) => Some(private.clone()),
            None => view.node.export_key(&view.key)?,
        };
        let Some(private) = private else {
            return Err(MoveFailure::KeyStays {
                key: name,
                address,
                to_local: !there.description().capabilities.network,
            }
            .into());
        };
        Ok((Key { name: named, id }, Some(private)))
    }
}
