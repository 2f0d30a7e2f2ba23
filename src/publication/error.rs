//! Why a publication stops. Each text names the item and the way out.

use crate::ipfs::cid::Cid;
use crate::ipfs::directory::TreeError;
use crate::node::NodeError;
use thiserror::Error;

/// A publication that stopped. The name still points where it did.
#[derive(Debug, Error)]
pub enum PublicationError {
    /// A call to the node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A directory of the tree cannot be read or patched.
    #[error("the published tree cannot be read: {0}")]
    Tree(TreeError<NodeError>),
    /// A file of the tree cannot be read as one.
    #[error("{0} is no file that can be read: {1}")]
    File(String, String),
    /// add-link cannot make the directory that is needed.
    #[error(
        "the directory {0:?} is or would become sharded, which add-link cannot do; \
         nothing was changed\nleave --graft away, or say `--graft car`"
    )]
    Sharded(String),
    /// A file or link stands where a directory is needed, or the other way round.
    #[error("{0:?} is already there with other content; nothing was changed")]
    Occupied(String),
    /// The node built another root than this program did.
    #[error(
        "the node grafted {node}, but the same files make {ours}; nothing was published\nsay `--graft car`"
    )]
    Disagreement {
        /// The node's root.
        node: Box<Cid>,
        /// Ours.
        ours: Box<Cid>,
    },
    /// Neither the name nor a journal tells what was published.
    #[error(
        "nothing is known of /ipns/{name}: it does not resolve, and this node keeps no journal \
         of it\nif it was never published, run `guix-ipfs init`; if it was, say what it pointed \
         to with `--base CID`"
    )]
    Unknown {
        /// The name, `k51…`.
        name: String,
    },
    /// The name points to a root that the journal has never heard of.
    #[error(
        "/ipns/{name} points to /ipfs/{resolved}, but this node last published /ipfs/{journal}: \
         another writer uses the key, or the record is old\nsay which to go on from with \
         `--base {resolved}` or `--base {journal}`"
    )]
    Diverged {
        /// The name, `k51…`.
        name: String,
        /// What the name points to.
        resolved: Box<Cid>,
        /// What the journal holds.
        journal: Box<Cid>,
    },
    /// The name points to something that is no mirror.
    #[error(
        "/ipfs/{root} is not a directory of substitutes (no nix-cache-info, no narinfo in it); \
         it is left alone\nuse another key with `--key NAME`"
    )]
    NotAMirror {
        /// What was found.
        root: Box<Cid>,
    },
    /// The root to adopt is not whole on this node.
    #[error(
        "/ipfs/{root} is not whole on this node ({source})\nfetch it first with \
         `ipfs pin add /ipfs/{root}`"
    )]
    NotWhole {
        /// The root. Its name may still stand for an older one in a node's cache.
        root: Box<Cid>,
        /// The node's own words.
        source: NodeError,
    },
    /// The root to adopt was not made by one `ipfs add -r`.
    #[error(
        "/ipfs/{root} mixes CIDv0 and CIDv1 ({path} is not of the root's version)\nadd it anew with \
         `ipfs add -r` and name that root with --base, or go on as it is with `--base {root}`"
    )]
    Mixed {
        /// The root.
        root: Box<Cid>,
        /// An entry of the other version.
        path: String,
    },
    /// The name points below a root, or to another name.
    #[error("/ipns/{name} points to {path}, which is no root\nuse another key with `--key NAME`")]
    ForeignPath {
        /// The name, `k51…`.
        name: String,
        /// What it points to.
        path: String,
    },
    /// The node would publish for nobody.
    #[error(
        "the node is {0}, so a publication would reach nobody else\nconnect it, or say \
         `--allow-offline` to publish for this machine alone"
    )]
    Offline(&'static str),
    /// The name was republished by somebody else during the run.
    #[error(
        "/ipns/{name} was moved to /ipfs/{now} by another writer during this run; the new root \
         /ipfs/{root} is pinned\nrun again to go on, and let only one writer use a key"
    )]
    Moved {
        /// The name, `k51…`.
        name: String,
        /// Where it points.
        now: Box<Cid>,
        /// The root that was not published.
        root: Box<Cid>,
    },
    /// The node said "published", but the name does not follow.
    #[error(
        "the node says it published /ipfs/{root}, but /ipns/{name} resolves to {now}: the network \
         holds a record with a higher sequence number; the new root is pinned\n{way_out}"
    )]
    NotFollowed {
        /// The name, `k51…`.
        name: String,
        /// Where it points.
        now: String,
        /// The root that was published in vain.
        root: Box<Cid>,
        /// What can be done.
        way_out: &'static str,
    },
}

impl From<TreeError<NodeError>> for PublicationError {
    fn from(error: TreeError<NodeError>) -> Self {
        match error {
            TreeError::Blocks(error) => Self::Node(error),
            malformed => Self::Tree(malformed),
        }
    }
}
