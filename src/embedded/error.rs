//! What can go wrong in the embedded node. Where Kubo has words for it, these
//! are Kubo's, because programs compare them.

use crate::ipfs::cid::Cid;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why the embedded node cannot do something.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// A file of the node's folder cannot be read or written.
    #[error("{doing} {path}: {source}{hint}", hint = hint(source))]
    Io {
        /// "read", "write" …
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process serves the folder, and has not said where.
    #[error("the embedded node's folder {path} is in use by process {holder}\ntry again later")]
    Busy {
        /// The folder.
        path: PathBuf,
        /// The process that has it, as it wrote itself down.
        holder: String,
    },
    /// A port is taken.
    #[error(
        "cannot listen on 127.0.0.1:{port}: {source}\nchoose another with --rpc-port or --gateway-port"
    )]
    Listen {
        /// Which.
        port: u16,
        /// The system's reason.
        source: io::Error,
    },
    /// A block is not here, and this node knows nobody to ask.
    #[error("block was not found locally (offline): ipld: could not find {0}")]
    NotFound(Cid),
    /// A block's file does not hold what its name says.
    #[error("block {0} is damaged: its file does not hash to its name; remove it: {path}", path = .1.display())]
    Damaged(Cid, PathBuf),
    /// A refusal in Kubo's words.
    #[error("{0}")]
    Refused(String),
}

impl EmbeddedError {
    /// Whether another process has the folder.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    pub(super) fn refused(text: impl Into<String>) -> Self {
        Self::Refused(text.into())
    }

    /// Names what was being done to which file.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room, nothing half-written is kept"
        }
        _ => "",
    }
}
