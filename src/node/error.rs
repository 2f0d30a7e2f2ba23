//! The failures of a node. The text names the action, the item and the node's own
//! message; see [`Diagnosis`] for the rest.

use crate::ipfs::file::AddError;
use crate::util::diagnosis::{Diagnosis, Retry};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// A call to a node that failed.
#[derive(Debug, Error)]
#[error("{action}: {problem}")]
pub struct NodeError {
    /// The action, such as "pin Qm…".
    pub action: String,
    /// The reason.
    #[source]
    pub problem: Problem,
}

/// The failure to add a file: reading the content and writing it to the node are
/// different matters all the way up.
pub type AddFileError = AddError<NodeError>;

/// The reasons why a call fails.
#[derive(Debug, Error)]
pub enum Problem {
    /// The node answered with an error of its own.
    #[error("the node reports: {message}")]
    Refused {
        /// The kind of refusal.
        refusal: Refusal,
        /// The node's message.
        message: String,
    },
    /// No connection: no daemon runs there, or the address is wrong.
    #[error("no node answers at {url} ({reason})")]
    Unreachable {
        /// The RPC's address.
        url: String,
        /// The system's reason.
        reason: String,
    },
    /// The port speaks no TLS, or the node's certificate is not accepted.
    #[error("no secure connection to {url} ({reason})")]
    Tls {
        /// The RPC's address.
        url: String,
        /// The message of TLS.
        reason: String,
    },
    /// The node took longer than the call's limit.
    #[error("the node did not answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// Nobody on the network sent a block within the call's limit.
    #[error("nobody sent it within {} seconds", .0.as_secs())]
    Unfetched(Duration),
    /// The node does not have the command.
    #[error("this node has no command {0}")]
    UnknownCommand(String),
    /// Something else listens there, such as the node's gateway.
    #[error("{0} is not a node's RPC; it may be its gateway")]
    NotAnRpc(String),
    /// The RPC asks for a user or a token, or refuses the one given.
    #[error("the node refuses access (HTTP {0})")]
    Forbidden(u16),
    /// A Kubo whose answers are not known.
    #[error("Kubo {found} is too old")]
    TooOld {
        /// Its version.
        found: String,
        /// The oldest version that is known.
        oldest: String,
    },
    /// The connection broke, or the answer ended before it was whole.
    #[error("the answer was cut short ({0})")]
    Cut(String),
    /// The bytes of a block do not hash to its CID.
    #[error(
        "the answer was cut short, or the node keeps the block damaged: {bytes} bytes that are not \
         this block"
    )]
    WrongBlock {
        /// The number of bytes.
        bytes: usize,
    },
    /// The answer is whole but not what the call gives.
    #[error("the node gave an unexpected answer: {0}")]
    Unexpected(String),
    /// Another process holds the lock of the local store.
    #[error("the local store {path} is in use by process {holder}", path = path.display())]
    Busy {
        /// The store's folder.
        path: PathBuf,
        /// The process, as it wrote itself down.
        holder: String,
    },
    /// A file of the local store, or the lock file, cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file of the local store holds something else than it should.
    #[error("{path} is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
        /// The way out.
        advice: String,
    },
    /// A dry run was asked to write.
    #[error("a dry run changes nothing")]
    DryRun,
}

/// The kinds of refusal that make a difference. A back end that has words of its
/// own reads them once, into one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The node lacks a block.
    Missing,
    /// The node keeps a block damaged.
    DamagedBlock,
    /// The CID has no recursive pin.
    NotPinned,
    /// The CID has a recursive pin already.
    AlreadyPinned,
    /// A node without a network publishes only with permission.
    Offline,
    /// The node has no such key.
    NoSuchKey,
    /// There is a key of that name already.
    KeyExists,
    /// A link can be added to plain directories only.
    NotPlain,
    /// The node's disk is full.
    StorageFull,
    /// A name or its record was not found, which proves nothing.
    NotFound,
    /// The node searched the network until its time was over.
    SearchedInVain,
    /// No pinning service of that name, or none at all, is set up on the node.
    UnknownService,
    /// A pinning service refuses, fails, or does not answer.
    Service,
    /// Anything else.
    Other,
}

impl NodeError {
    /// The failure of `action`.
    pub fn new(action: impl Into<String>, problem: Problem) -> Self {
        let action = action.into();
        Self { action, problem }
    }

    /// A refusal of `action`, in these words.
    pub fn refused(
        action: impl Into<String>,
        refusal: Refusal,
        message: impl Into<String>,
    ) -> Self {
        let message = message.into();
        Self::new(action, Problem::Refused { refusal, message })
    }

    /// Returns true for a refusal of this kind.
    pub fn is(&self, kind: Refusal) -> bool {
        matches!(&self.problem, Problem::Refused { refusal, .. } if *refusal == kind)
    }

    /// Returns true when the node answered with a refusal: by a message, or because a
    /// file of the local store is damaged.
    pub fn is_refusal(&self) -> bool {
        let problem = &self.problem;
        matches!(problem, Problem::Refused { .. } | Problem::Damaged { .. })
    }

    /// Returns true when the node lacks a block: it reports that, or searched the
    /// network for it until its time limit.
    pub fn is_missing(&self) -> bool {
        matches!(self.problem, Problem::TimedOut(_))
            || self.is(Refusal::Missing)
            || self.is(Refusal::SearchedInVain)
    }

    /// Returns true for a damaged block that the node keeps and would not replace.
    pub fn is_of_kept_block(&self) -> bool {
        matches!(self.problem, Problem::WrongBlock { .. })
    }

    /// Returns true for the fault of one block, which the node lacks or keeps damaged.
    pub fn is_of_block(&self) -> bool {
        matches!(
            self.problem,
            Problem::WrongBlock { .. } | Problem::Damaged { .. }
        ) || self.is(Refusal::Missing)
            || self.is(Refusal::DamagedBlock)
    }

    /// Returns true when the node requires authorization, or rejects the one given.
    pub fn is_forbidden(&self) -> bool {
        matches!(self.problem, Problem::Forbidden(_))
    }

    /// Returns true when the node cannot be used now and a later run may.
    pub fn is_unavailable(&self) -> bool {
        matches!(
            self.problem,
            Problem::Unreachable { .. } | Problem::Busy { .. } | Problem::Unfetched(_)
        )
    }
}

impl Diagnosis for NodeError {
    fn advice(&self) -> Option<String> {
        let text = match &self.problem {
            Problem::Unreachable { .. } => {
                "start one with `ipfs daemon`, give its address with --api, or use none: --api \
                 embedded"
            }
            Problem::Tls { url, .. } => {
                let plain = url.replacen("https", "http", 1);
                return Some(format!(
                    "an RPC has no TLS unless a proxy before it adds it: try --api {plain}"
                ));
            }
            Problem::TimedOut(_) => "it is busy, or searches the network; run again later",
            Problem::Unfetched(_) => {
                "its publisher may be away, or this node reaches nobody who has it; run again \
                 later, or wait longer with --read-timeout"
            }
            Problem::NotAnRpc(_) => {
                "`ipfs config Addresses.API` prints the RPC's address, for --api"
            }
            Problem::Forbidden(_) => {
                "write bearer:TOKEN or basic:USER:PASSWORD into $GUIX_IPFS_API_AUTH or into a file \
                 for --api-auth-file, and let the node's API.Authorizations allow its whole RPC"
            }
            Problem::TooOld { oldest, .. } => {
                return Some(format!("update it to {oldest} or newer"));
            }
            Problem::Refused {
                refusal: Refusal::StorageFull,
                ..
            } => {
                "make room on the node's disk, or remove unpinned blocks with `guix-ipfs gc`; then \
                 run again"
            }
            Problem::Refused {
                refusal: Refusal::Service,
                ..
            } => {
                "the next run tries again; `ipfs pin remote service ls --stat` shows whether the \
                 node reaches it; replace a key that it rejects with `ipfs pin remote service rm` \
                 and `add`"
            }
            Problem::Refused {
                refusal: Refusal::UnknownService,
                ..
            } => "`ipfs pin remote service add NAME ENDPOINT KEY` sets one up on a Kubo",
            Problem::Busy { .. } => "try again later",
            Problem::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull
                | io::ErrorKind::QuotaExceeded
                | io::ErrorKind::FileTooLarge => "make room; no partly written file is kept",
                _ => return None,
            },
            Problem::Damaged { advice, .. } => return Some(advice.clone()),
            Problem::WrongBlock { .. }
            | Problem::Refused {
                refusal: Refusal::DamagedBlock,
                ..
            } => {
                "`ipfs repo verify --drop` removes damaged blocks; then `guix-ipfs verify \
                 --repair` rebuilds them"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn retry(&self) -> Retry {
        match self.is_unavailable() {
            true => Retry::Soon,
            false => Retry::Never,
        }
    }
}
