//! The reasons why a run stops, and their exit codes: the one place that decides.

use super::advice;
use super::encoding::Encoding;
use super::exit::Exit;
use super::follow::failure::FollowFailure;
use super::move_failure::MoveFailure;
use crate::guix::HttpError;
use crate::ipfs::cid::Cid;
use crate::node::{NodeError, OpenError, Refusal};
use crate::publication::{PublicationError, WriterLockError};
use crate::util::diagnosis::{Diagnosis, Retry};
use crate::util::home::NoHome;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// The way out for a reader of a mirror that is damaged.
const ONLY_ITS_PUBLISHER: &str = "only its publisher can repair it: report it to them";

/// A run that stopped.
#[derive(Debug, Error)]
pub enum Failure {
    /// The publication cannot continue, or the node failed.
    #[error(transparent)]
    Publication(#[from] PublicationError),
    /// The node cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No upstream gives the data that the run begins with.
    #[error(transparent)]
    Upstream(#[from] HttpError),
    /// A mirror cannot be moved to another node.
    #[error(transparent)]
    Move(Box<MoveFailure>),
    /// A name is not followed to its root.
    #[error(transparent)]
    Follow(Box<FollowFailure>),
    /// The list of store paths cannot be read.
    #[error("cannot read the store paths of {path}: {source}", path = path.display())]
    Input {
        /// The file, or `-`.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A list of store paths that holds something else.
    #[error("{0} contains no store path and no store hash")]
    NoItems(String),
    /// A file of trusted keys cannot be used.
    #[error("cannot read trusted keys from {path}: {reason}", path = path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// There is no folder to use.
    #[error(transparent)]
    NoHome(#[from] NoHome),
    /// A name that does not resolve.
    #[error("/ipns/{0} does not resolve")]
    Unresolved(String),
    /// A path that does not name a root.
    #[error("{0} is not an /ipfs/CID")]
    NotARoot(String),
    /// A key that should exist does not.
    #[error("the node has no key named {name:?}")]
    NoKey {
        /// The name that was given.
        name: String,
        /// The keys under which the node publishes mirrors.
        others: Vec<String>,
    },
    /// A word that is neither a name nor a key.
    #[error("{word:?} is neither an IPNS name nor a key of this node")]
    NotAName {
        /// The word.
        word: String,
        /// The keys under which the node publishes mirrors.
        others: Vec<String>,
    },
    /// `init` on a name that points to a root.
    #[error("/ipns/{name} already points to /ipfs/{root}")]
    AlreadyPublished {
        /// The name.
        name: String,
        /// Its root.
        root: String,
    },
    /// `init` on a name with a journal.
    #[error(
        "/ipns/{name} does not resolve, but this node's journal has its last root, /ipfs/{root}"
    )]
    JournalExists {
        /// The name.
        name: String,
        /// The journal's root.
        root: String,
    },
    /// The prototype's mirror is published under `self`.
    #[error("there is no key {wanted:?} yet, but `self` already publishes a mirror, /ipfs/{root}")]
    SelfIsAMirror {
        /// The key that was asked for.
        wanted: String,
        /// The root of `self`.
        root: String,
    },
    /// An item that published items refer to.
    #[error(
        "{item} is referred to by {by}{others}, which clients could no longer substitute; nothing \
         was removed",
        others = match others { 0 => String::new(), others => format!(" and {others} more") }
    )]
    InUse {
        /// The store path to be removed.
        item: String,
        /// One that refers to it.
        by: String,
        /// The number of others that do.
        others: usize,
    },
    /// A part of the tree that this node publishes cannot be read.
    #[error("{0}")]
    DamagedTree(PublicationError),
    /// A directory of the published tree that must be read as a whole and cannot.
    #[error("the published directory {0} cannot be read as a whole: {1}")]
    Unreadable(String, String),
    /// A published narinfo that must be read and cannot.
    #[error("the published {name} cannot be read, so what it refers to is not known: {reason}")]
    UnreadableNarinfo {
        /// Its name in the root.
        name: String,
        /// The reason.
        reason: String,
    },
    /// Pinning services for a node that asks none.
    #[error("--pin-at: a local store cannot use pinning services")]
    NoServices,
    /// A pinning service that is not set up on the node.
    #[error("--pin-at: no pinning service named {service:?} is set up on the node")]
    UnknownService {
        /// The service.
        service: String,
        /// Those that are set up.
        known: Vec<String>,
    },
    /// A mirror that began with another encoding than the one that is asked for.
    #[error(
        "--encoding {}: this mirror was created with the encoding {} and keeps it; nothing was \
         changed",
        asked.option(),
        kept.option()
    )]
    OtherEncoding {
        /// The mirror's.
        kept: Encoding,
        /// The one that is asked for.
        asked: Encoding,
    },
    /// A mirror in an encoding that this program does not support.
    #[error(
        "this mirror keeps its nars in the encoding {0:?}, which this version of guix-ipfs does \
         not support"
    )]
    UnknownEncoding(String),
    /// Grafting by add-link in a mirror of delta nars.
    #[error("--graft add-link: a mirror in the encoding delta can only be grafted with CAR")]
    AddLinkOfDelta,
    /// A prune without a rule.
    #[error("no rule is given for which items to keep")]
    NoRule,
    /// A prune of all of so many items.
    #[error("this rule would prune all {0} items; nothing was pruned")]
    NothingLeft(usize),
    /// A part of a mirror that this node does not publish cannot be read.
    #[error("{part} of /ipfs/{root} cannot be read: {source}")]
    Foreign {
        /// The part, in words.
        part: String,
        /// The mirror's root.
        root: Box<Cid>,
        /// The reason.
        source: Box<Failure>,
    },
    /// Something else than a mirror.
    #[error("/ipfs/{0} is not a mirror: it has no nix-cache-info and no narinfo")]
    NoMirror(Box<Cid>),
    /// A check without anything to look through.
    #[error("there is no gateway to check")]
    NoGateway,
    /// Standard output or a port cannot be used, or a signal cannot be waited for.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A port cannot be listened on.
    #[error("cannot listen on 127.0.0.1:{port}: {source}")]
    Listen {
        /// The port.
        port: u16,
        /// The system's reason.
        source: io::Error,
    },
}

impl Failure {
    /// The exit code that scripts rely on.
    pub fn exit(&self) -> Exit {
        match self.retry() {
            Retry::Never if self.is_usage() => Exit::Usage,
            Retry::Never => Exit::Failed,
            Retry::Soon | Retry::After(_) => Exit::TryLater,
        }
    }

    fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoItems(_)
                | Self::NotAName { .. }
                | Self::NoRule
                | Self::NoServices
                | Self::OtherEncoding { .. }
                | Self::AddLinkOfDelta
                | Self::UnknownService { .. }
        ) || matches!(self, Self::Follow(failure) if matches!(**failure, FollowFailure::NotAName(_)))
    }

    /// The same failure, where it is due to a block of the tree that this node publishes,
    /// with the way out.
    #[must_use]
    pub fn of_own_tree(self) -> Self {
        match self {
            Self::Publication(error) if error.is_of_block() && error.advice().is_none() => {
                Self::DamagedTree(error)
            }
            other => other,
        }
    }

    /// Returns true where cron need not hear of it: another run is at work.
    pub fn is_silent(&self) -> bool {
        match self {
            Self::Publication(PublicationError::Lock(error)) => {
                matches!(error, WriterLockError::Held { .. })
            }
            Self::Follow(failure) => matches!(**failure, FollowFailure::Held { .. }),
            _ => false,
        }
    }

    /// Returns true for the failure of a node, as opposed to an upstream's or a
    /// person's.
    pub fn is_of_node(&self) -> bool {
        matches!(self, Self::Publication(_))
    }
}

impl From<MoveFailure> for Failure {
    fn from(error: MoveFailure) -> Self {
        Self::Move(Box::new(error))
    }
}

impl From<FollowFailure> for Failure {
    fn from(error: FollowFailure) -> Self {
        Self::Follow(Box::new(error))
    }
}

impl From<NodeError> for Failure {
    fn from(error: NodeError) -> Self {
        Self::Publication(error.into())
    }
}

impl Diagnosis for Failure {
    fn advice(&self) -> Option<String> {
        let text = match self {
            Self::Publication(error) => return error.advice(),
            Self::Open(error) => return error.advice(),
            Self::Upstream(error) => return error.advice(),
            Self::Move(error) => return error.advice(),
            Self::Follow(error) => return error.advice(),
            Self::NoHome(error) => return error.advice(),
            Self::Io(_) => return None,
            Self::Input { .. } => "name a file that can be read, or - for standard input",
            Self::NoItems(_) => {
                "give it the output of `guix gc -R` or `ls /gnu/store`: lines of \
                 /gnu/store/HASH-NAME, HASH-NAME or HASH"
            }
            Self::KeyFile { .. } => "give a file in the format of `guix archive --authorize`",
            Self::Unresolved(_) => {
                "its publisher may be away, and a record that is not renewed expires after two \
                 days; run again later, or publish with `guix-ipfs sync`"
            }
            Self::NotARoot(_) => "give the CID of a whole root, without a path below it",
            Self::NoKey { name, others } => return Some(advice::on_key(name, others)),
            Self::NotAName { word, others } => return Some(advice::on_name(word, others)),
            Self::AlreadyPublished { .. } => {
                "`guix-ipfs sync` continues from it; if its files are lost, `guix-ipfs init \
                 --anew` abandons all that was published"
            }
            Self::JournalExists { .. } => {
                "`guix-ipfs sync` publishes it again; if its files are lost, `guix-ipfs init \
                 --anew` abandons all that was published"
            }
            Self::SelfIsAMirror { .. } => {
                "to continue that mirror, use `--key self`; to start another, run `guix-ipfs init` \
                 first"
            }
            Self::InUse { .. } => "remove those too, or use --force",
            Self::DamagedTree(_) | Self::Unreadable(..) | Self::UnreadableNarinfo { .. } => {
                "`guix-ipfs verify --repair` rebuilds it from what can be read"
            }
            Self::NoServices => "omit --pin-at, or publish from a Kubo node, given with --api",
            Self::UnknownService { service, known } => {
                return Some(advice::on_service(service, known));
            }
            Self::OtherEncoding { kept, asked } => return Some(advice::on_encoding(*kept, *asked)),
            Self::UnknownEncoding(_) => {
                "use the newer version of guix-ipfs that created this mirror"
            }
            Self::AddLinkOfDelta => "omit --graft, or use --graft car",
            Self::NoRule => "give --keep-for 90d, --max-size 200G, or both",
            Self::NothingLeft(_) => {
                "check that the clock is right, that `guix-ipfs sync` ran recently, and that \
                 --max-size has room for an item with all that it refers to; --force prunes anyway"
            }
            Self::Foreign { source, .. } => return advice_on_foreign(source),
            Self::NoMirror(_) => {
                "check that the name is the one that its publisher gave: `guix-ipfs resolve NAME` \
                 prints its root"
            }
            Self::NoGateway => {
                "`guix-ipfs node` serves a local store while it runs; name another gateway with \
                 --gateway https://HOST"
            }
            Self::Listen { .. } => "choose another port with --gateway-port",
        };
        Some(text.to_owned())
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Publication(error) => error.retry(),
            Self::Open(error) => error.retry(),
            Self::Upstream(error) => error.retry(),
            Self::Move(error) => error.retry(),
            Self::Follow(error) => error.retry(),
            Self::Foreign { source, .. } => source.retry(),
            _ => Retry::Never,
        }
    }
}

/// The way out for a reader, who cannot repair the mirror.
fn advice_on_foreign(source: &Failure) -> Option<String> {
    let text = match source {
        Failure::Publication(PublicationError::Node(error)) => match error {
            error if error.is(Refusal::Offline) => {
                "read it through a node that has a network, given with --api"
            }
            error if error.is_of_kept_block() => {
                "`ipfs repo verify --drop` removes blocks that are damaged here; then run again"
            }
            error => return error.advice(),
        },
        Failure::Publication(error) if error.is_of_block() => ONLY_ITS_PUBLISHER,
        Failure::DamagedTree(_) | Failure::Unreadable(..) | Failure::UnreadableNarinfo { .. } => {
            ONLY_ITS_PUBLISHER
        }
        other => return other.advice(),
    };
    Some(text.to_owned())
}
