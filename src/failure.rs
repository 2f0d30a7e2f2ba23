//! Why a run stopped, and with which exit code: the one place that decides.

use crate::embedded::EmbeddedError;
use crate::guix::HttpError;
use crate::node::{AddressError, AuthorizationError, NodeError};
use crate::publication::{LockError, PublicationError};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed; the name still points where it did.
    Failed = 1,
    /// An unknown option, or something that is no hash, store path or key.
    Usage = 2,
    /// Done, but some items could not be mirrored.
    Partly = 3,
    /// Another run holds the lock, or the node or the upstream is not reachable.
    TryLater = 75,
    /// Ended by SIGINT; what was whole is published.
    Interrupted = 130,
    /// Ended by SIGTERM; what was whole is published.
    Terminated = 143,
}

/// A run that stopped.
#[derive(Debug, Error)]
pub enum Failure {
    /// The node refused something, or is gone.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The publication cannot go on.
    #[error(transparent)]
    Publication(#[from] PublicationError),
    /// The embedded node does not start.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// `$IPFS_PATH/api` holds no address.
    #[error("in $IPFS_PATH/api: {0}")]
    Address(#[from] AddressError),
    /// The file or variable that should say who this program is does not.
    #[error(transparent)]
    Authorization(#[from] AuthorizationError),
    /// Another run is writing.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// No upstream gives what the run needs to begin.
    #[error(transparent)]
    Upstream(#[from] HttpError),
    /// The list of store paths cannot be read.
    #[error(
        "cannot read the store paths of {path}: {source}\nname a file that can be read, or - for standard input"
    )]
    Input {
        /// As given to `--from`.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file of trusted keys cannot be used.
    #[error(
        "cannot take trusted keys from {path}: {reason}\ngive a file such as `guix archive --authorize` takes"
    )]
    KeyFile {
        /// As given to `--trusted-keys`.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Neither `$HOME` nor the XDG variable that would replace it is set.
    #[error("neither ${0} nor $HOME is set, so there is nowhere to keep {1}\nset one of them")]
    NoHome(&'static str, &'static str),
    /// A name that does not resolve, or what it points to is not there.
    #[error("{0}")]
    NotFound(String),
    /// A key that should exist does not.
    #[error(
        "the node has no key named {0:?}\n`guix-ipfs init` makes it; another is named with --key"
    )]
    NoKey(String),
    /// `init` on a name that has been used.
    #[error("{0}")]
    AlreadyThere(String),
    /// The prototype's mirror is published under `self`.
    #[error(
        "there is no key {wanted:?} yet, but `self` already publishes a mirror, /ipfs/{root}\n\
         to go on with that one say `--key self`; to begin another run `guix-ipfs init` first"
    )]
    SelfIsAMirror {
        /// The key that was asked for.
        wanted: String,
        /// What `self` points to.
        root: String,
    },
    /// An item that published items refer to.
    #[error(
        "{item} is referred to by {by}{}, which clients could no longer substitute; nothing was \
         removed\nremove those too, or say --force",
        match others { 0 => String::new(), others => format!(" and {others} more") }
    )]
    InUse {
        /// The store path to be removed.
        item: String,
        /// One that refers to it.
        by: String,
        /// How many others do.
        others: usize,
    },
    /// Standard output is closed, or a signal cannot be waited for.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Failure {
    /// The exit code that scripts rely on.
    pub fn exit(&self) -> Exit {
        let later = match self {
            Self::Node(error) | Self::Publication(PublicationError::Node(error)) => {
                error.is_unreachable()
            }
            Self::Embedded(error) => error.is_busy(),
            Self::Lock(LockError::Held { .. }) => true,
            Self::Upstream(error) => error.is_transient(),
            _ => false,
        };
        match later {
            true => Exit::TryLater,
            false => Exit::Failed,
        }
    }

    /// Whether cron should not hear of it: another run is at work.
    pub fn is_silent(&self) -> bool {
        matches!(self, Self::Lock(LockError::Held { .. }))
    }
}
