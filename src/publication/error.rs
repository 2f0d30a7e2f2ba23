//! The reasons why a publication stops.

use super::moved::Moved;
use super::writer_lock::WriterLockError;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::TreeError;
use crate::node::NodeError;
use crate::util::diagnosis::{Diagnosis, Retry};
use thiserror::Error;

/// A publication that stopped. The name still points where it did.
#[derive(Debug, Error)]
pub enum PublicationError {
    /// A call to the node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The right to write was not obtained.
    #[error(transparent)]
    Lock(#[from] WriterLockError),
    /// A directory of the tree cannot be read or patched.
    #[error("the published tree cannot be read: {0}")]
    Tree(TreeError<NodeError>),
    /// A file of the tree cannot be read as one.
    #[error("{0} cannot be read as a file: {1}")]
    File(String, String),
    /// A file of the ledger cannot be read as one.
    #[error("the ledger's {0} cannot be read: {1}")]
    Ledger(String, String),
    /// add-link cannot make the directory that is needed.
    #[error(
        "the directory {0:?} is or would become sharded, which add-link does not support; nothing \
         was changed"
    )]
    Sharded(String),
    /// The node built another root than this program did.
    #[error("the node grafted {node}, but the same files make {ours}; nothing was published")]
    Disagreement {
        /// The node's root.
        node: Box<Cid>,
        /// Ours.
        ours: Box<Cid>,
    },
    /// Neither the name nor a journal shows what was published.
    #[error(
        "nothing is known of /ipns/{0}: it does not resolve, and this node has no journal of it"
    )]
    Unknown(String),
    /// The name points to a root that is not in the journal.
    #[error(
        "/ipns/{name} points to /ipfs/{resolved}, but this node last published /ipfs/{journal}: \
         another writer uses the key, or the record is old"
    )]
    Diverged {
        /// The name, `k51…`.
        name: String,
        /// The root that the name points to.
        resolved: Box<Cid>,
        /// The root that the journal holds.
        journal: Box<Cid>,
    },
    /// The name that a new key has until its first root exists belongs to a key that
    /// already publishes something.
    #[error(
        "the key {key:?}, whose name is needed for a new key for a moment, already publishes {path}"
    )]
    KeyInUse {
        /// The node's name of the key.
        key: String,
        /// The path that it publishes.
        path: String,
    },
    /// The name does not resolve, and two journals of the same number differ.
    #[error(
        "/ipns/{name} does not resolve, and two writers left /ipfs/{one} and /ipfs/{other} on this \
         node: it is unknown which of them was published"
    )]
    Undecided {
        /// The name, `k51…`.
        name: String,
        /// The root that the newest journal holds.
        one: Box<Cid>,
        /// The root that the other one holds.
        other: Box<Cid>,
    },
    /// The name does not resolve, and the node has lost the journal.
    #[error(
        "/ipns/{name} does not resolve, and the node has lost the blocks of its journal, \
         /ipfs/{journal}"
    )]
    JournalLost {
        /// The name, `k51…`.
        name: String,
        /// The journal's directory.
        journal: Box<Cid>,
    },
    /// The name points to something else than a mirror.
    #[error(
        "/ipfs/{0} is not a directory of substitutes (no nix-cache-info, no narinfo in it); it is \
         left unchanged"
    )]
    NotAMirror(Box<Cid>),
    /// The root to adopt is not whole on this node.
    #[error("/ipfs/{root} is not whole on this node ({source})")]
    NotWhole {
        /// The root. Its name may still stand for an older one in a node's cache.
        root: Box<Cid>,
        /// The node's message.
        source: NodeError,
    },
    /// The root to adopt was not made by one `ipfs add -r`.
    #[error("/ipfs/{root} mixes CIDv0 and CIDv1 ({path} is not of the root's version)")]
    Mixed {
        /// The root.
        root: Box<Cid>,
        /// An entry of the other version.
        path: String,
    },
    /// The name points below a root, or to another name.
    #[error("/ipns/{name} points to {path}, which is not a root")]
    ForeignPath {
        /// The name, `k51…`.
        name: String,
        /// Its path.
        path: String,
    },
    /// The node would publish for nobody.
    #[error("the node is {0}, so a publication would reach nobody else")]
    Offline(&'static str),
    /// The mirror was moved to another node, or is on its way.
    #[error(
        "/ipns/{name} {} the node at {}, and is no longer published from here",
        match moved.is_done { true => "was moved to", false => "is being moved to" },
        moved.address
    )]
    MovedAway {
        /// The name.
        name: String,
        /// Its last root on this node.
        root: Box<Cid>,
        /// The other node.
        moved: Box<Moved>,
    },
    /// The name was republished by somebody else during the run.
    #[error(
        "/ipns/{name} was moved to /ipfs/{now} by another writer during this run; the new root \
         /ipfs/{root} is pinned"
    )]
    Moved {
        /// The name, `k51…`.
        name: String,
        /// Its root.
        now: Box<Cid>,
        /// The root that was not published.
        root: Box<Cid>,
    },
    /// The node reported success, but the name resolves to another root.
    #[error(
        "the node reported that it published /ipfs/{root}, but /ipns/{name} resolves to \
         /ipfs/{now}: the network holds a record with a higher sequence number; the new root is \
         pinned"
    )]
    NotFollowed {
        /// The name, `k51…`.
        name: String,
        /// Its root.
        now: Box<Cid>,
        /// The root whose publication had no effect.
        root: Box<Cid>,
        /// The node can report the number of the network's record.
        sequence_is_known: bool,
    },
    /// The node reported success, but no record is found, not even by the node itself.
    #[error(
        "the node reported that it published /ipfs/{root}, but /ipns/{name} does not resolve: no \
         record of it is found, not even by this node; the new root is pinned"
    )]
    NoRecord {
        /// The name, `k51…`.
        name: String,
        /// The root whose publication had no effect.
        root: Box<Cid>,
    },
}

impl PublicationError {
    /// Returns true for the fault of one block, which the node lacks or keeps damaged, or
    /// which has other content than it should: others may be intact.
    pub fn is_of_block(&self) -> bool {
        match self {
            Self::Node(error) => error.is_of_block(),
            Self::Tree(_) | Self::File(..) | Self::Ledger(..) => true,
            _ => false,
        }
    }
}

impl Diagnosis for PublicationError {
    fn advice(&self) -> Option<String> {
        let text: &str = match self {
            Self::Node(error) => return error.advice(),
            Self::Lock(error) => return error.advice(),
            Self::Tree(_) | Self::File(..) | Self::Ledger(..) => return None,
            Self::Sharded(_) => "omit --graft, or use `--graft car`",
            Self::Disagreement { .. } => "use `--graft car`",
            Self::Unknown(_) => {
                "if it was never published, run `guix-ipfs init`; if it was, name the root it \
                 pointed to with `--base CID`"
            }
            Self::Diverged {
                resolved: one,
                journal: other,
                ..
            }
            | Self::Undecided { one, other, .. } => {
                &format!("choose which to continue from with `--base {one}` or `--base {other}`")
            }
            Self::KeyInUse { key, .. } => &format!(
                "give that key another name with `ipfs key rename {key} NAME`, or use another key \
                 with `--key NAME`"
            ),
            Self::JournalLost { .. } => {
                "name the root that it pointed to with `--base CID`; if its files are lost, start \
                 over under the same name with `guix-ipfs init --anew`"
            }
            Self::NotAMirror(_) => "use another key with `--key NAME`",
            Self::ForeignPath { .. } => {
                "name another key with `--key NAME`, or another name to resolve; to publish a \
                 mirror in its place, name its root with `--base CID`"
            }
            Self::NotWhole { root, .. } => &format!(
                "fetch it first with `ipfs pin add /ipfs/{root}`; if nobody has it anymore, start \
                 over under the same name with `guix-ipfs init --anew`"
            ),
            Self::Mixed { root, .. } => &format!(
                "add it again with `ipfs add -r` and name that root with --base, or continue with \
                 it as it is with `--base {root}`"
            ),
            Self::Offline(_) => {
                "connect it, or use `--allow-offline` to publish for this machine only"
            }
            Self::MovedAway { moved, root, .. } => &advice_on_moved(moved, root),
            Self::Moved { .. } => "run again to continue, and use a key with one writer only",
            Self::NotFollowed {
                sequence_is_known: false,
                ..
            } => {
                "this node is too old to report that number: Kubo 0.40 or newer publishes above it \
                 by itself"
            }
            Self::NotFollowed { .. } => "run again when the network has settled",
            Self::NoRecord { .. } => {
                "a node without routing keeps none: if `ipfs config Routing.Type` prints `none`, \
                 set it to `auto` and restart the node; otherwise run again when the network has \
                 settled"
            }
        };
        Some(text.to_owned())
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Node(error) => error.retry(),
            Self::Lock(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}

/// The advice for a mirror that left its node.
fn advice_on_moved(moved: &Moved, root: &Cid) -> String {
    let Moved { address, key, .. } = moved;
    match moved.is_done {
        true => format!(
            "continue there, with `--api {address} --key {key}`; to move it back, run `guix-ipfs \
             --api {address} --key {key} move --to` with the address of this node; if that node is \
             lost, `guix-ipfs sync --base {root}` publishes from here again"
        ),
        false => format!(
            "`guix-ipfs move --to {address}` continues it; to cancel the move and stay here, run \
             `guix-ipfs sync --base {root}`"
        ),
    }
}

impl From<TreeError<NodeError>> for PublicationError {
    fn from(error: TreeError<NodeError>) -> Self {
        match error {
            TreeError::Blocks(error) => Self::Node(error),
            malformed => Self::Tree(malformed),
        }
    }
}

/// A path as a person reads it.
pub fn join<S: AsRef<str>>(path: &[S]) -> String {
    path.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("/")
}
