//! The reasons why a mirror is not moved.

use crate::ipfs::cid::Cid;
use crate::node::OpenError;
use crate::publication::PublicationError;
use crate::util::diagnosis::{Diagnosis, Retry};
use std::path::PathBuf;
use thiserror::Error;

/// A move that stopped. When run again, it continues where it stopped.
#[derive(Debug, Error)]
pub enum MoveFailure {
    /// Both addresses are of one node.
    #[error("{0} is the node that the mirror is on")]
    SameNode(String),
    /// The other node cannot be opened.
    #[error("the node that the mirror is moved to: {0}")]
    NotOpened(OpenError),
    /// The other node failed.
    #[error("the node at {address}: {source}")]
    Target {
        /// Its address.
        address: String,
        /// The reason.
        source: PublicationError,
    },
    /// The other node has another key of that name.
    #[error("the node at {address} has another key named {key:?}, {id}")]
    KeyTaken {
        /// Its address.
        address: String,
        /// The name.
        key: String,
        /// The IPNS name of its key.
        id: String,
    },
    /// The node does not hand out the key.
    #[error(
        "the node does not export keys over its RPC, so the key {key:?} must be exported by hand"
    )]
    KeyStays {
        /// The name.
        key: String,
        /// The address of the other node.
        address: String,
        /// The other node is a local store.
        to_local: bool,
    },
    /// The file holds the key of another name.
    #[error("{path} holds the key of /ipns/{found}, but the mirror is /ipns/{wanted}", path = path.display())]
    OtherKey {
        /// The file.
        path: PathBuf,
        /// The name of its key.
        found: String,
        /// The name of the mirror.
        wanted: String,
    },
    /// The file that should hold the private key does not.
    #[error("cannot read a private key from {path}: {reason}", path = path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The other node publishes under the same key.
    #[error(
        "the node at {address} publishes under the same key, /ipfs/{there}, and this one /ipfs/{here}"
    )]
    TwoPublishers {
        /// The address of the other node.
        address: String,
        /// Its root.
        there: Box<Cid>,
        /// The root of this node.
        here: Box<Cid>,
    },
    /// Other writers were at work all the time.
    #[error("other writers keep using the key {0:?} on this node")]
    Busy(String),
}

impl Diagnosis for MoveFailure {
    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::SameNode(_) => "name another node with --to".to_owned(),
            Self::NotOpened(OpenError::Node(error)) if error.is_unavailable() => {
                "start it, or name another one with --to".to_owned()
            }
            Self::NotOpened(OpenError::Node(error)) if error.is_forbidden() => {
                "write bearer:TOKEN or basic:USER:PASSWORD into a file for --to-auth-file, and let \
                 the node's API.Authorizations allow its whole RPC"
                    .to_owned()
            }
            Self::NotOpened(error) => return error.advice(),
            Self::Target { source, .. } => return source.advice(),
            Self::KeyTaken { address, key, .. } => match address.starts_with("embedded") {
                true => "name another folder with `--to embedded:DIR`".to_owned(),
                false => format!(
                    "give that key another name there with `ipfs key rename {key} NAME`, and run \
                     again"
                ),
            },
            Self::KeyStays { key, to_local, .. } => {
                let export = format!("`ipfs key export {key} -o {key}.key`");
                match to_local {
                    true => format!(
                        "run {export} on this node's machine, then repeat this command with \
                         `--key-file {key}.key`; remove that file afterwards"
                    ),
                    false => format!(
                        "run {export} on this node's machine, then `ipfs key import {key} \
                         {key}.key` on the other one's, or repeat this command with `--key-file \
                         {key}.key`; remove that file afterwards"
                    ),
                }
            }
            Self::OtherKey { .. } => {
                "name the file of this mirror's key, or another key with --key NAME".to_owned()
            }
            Self::KeyFile { .. } => "give a file that `ipfs key export KEY` wrote".to_owned(),
            Self::TwoPublishers { address, there, .. } => format!(
                "a name has one publisher: to keep what the other node has, continue there with \
                 `--api {address}`; to abandon it, unpin its journal, the pin named guix-ipfs/ and \
                 the IPNS name, which holds /ipfs/{there}"
            ),
            Self::Busy(_) => "stop them, and run again".to_owned(),
        })
    }

    fn retry(&self) -> Retry {
        match self {
            Self::NotOpened(error) => error.retry(),
            Self::Target { source, .. } => source.retry(),
            Self::Busy(_) => Retry::Soon,
            _ => Retry::Never,
        }
    }
}
