//! The one transaction: find the root that is published, stage new files on the
//! node, graft them into a new root, pin it, publish it.
//!
//! Invariants, whatever fails and whenever this program is killed:
//! - the name points to the old root or to a complete new one, never to less;
//! - the root that the name points to is pinned: the older journal, which holds
//!   it, is unpinned only after the name was seen to point to the newer root;
//! - "could not resolve" is never taken for "nothing was published".

mod base;
mod commit;
mod error;
pub mod graft;
mod journal;
mod lock;
mod segment;
mod stage;
mod transaction;
mod tree;

pub use base::{Base, Found, KeyState, adopt, begin, chosen, find, name_of_new_key};
pub use commit::{Committed, republish};
use commit::{commit, follow};
pub use error::PublicationError;
pub use journal::Journal;
pub use lock::{Lock, LockError};
pub use stage::Stage;
pub use transaction::transact;
pub use tree::{Tree, join};

use crate::ipfs::cid::Cid;
use crate::node::{Key, Node, NodeError, Problem};
use std::time::Duration;

/// Where a publication takes place: a node and one of its keys.
#[derive(Debug)]
pub struct Site<'n> {
    /// The node that holds the blocks.
    pub node: &'n Node,
    /// The key whose name is published.
    pub key: Key,
    /// How long a record is valid.
    pub record_lifetime: Duration,
    /// Whether a node without a network may publish, for itself alone.
    pub allow_offline: bool,
    /// Whether the node is connected to others.
    pub online: bool,
    /// The right to write; `None` where nothing will be written.
    pub lock: Option<Lock>,
}

impl Site<'_> {
    /// Unpins the staging directories that a killed run left.
    pub fn drop_left_staging(&self) -> Result<(), PublicationError> {
        let Some(lock) = self.lock.as_ref().filter(|lock| !lock.left.is_empty()) else {
            return Ok(());
        };
        self.drop_staging(&lock.left)
    }

    /// Unpins the staging directories of this run, when something better keeps
    /// what they kept, or nothing needs it.
    pub fn drop_staging(&self, staging: &[Cid]) -> Result<(), PublicationError> {
        for directory in staging {
            self.node.pin_rm(directory)?;
        }
        // That they stay listed costs the next run a call each, no more.
        let _ = self.lock.as_ref().map(Lock::forget);
        Ok(())
    }

    /// Lists a staging directory before it is pinned, so that it is found again
    /// even when this run is killed.
    fn list_staging(&self, directory: &Cid) -> Result<(), NodeError> {
        let listed = self.lock.as_ref().map(|lock| lock.list(directory));
        listed.unwrap_or(Ok(())).map_err(|error| NodeError {
            doing: "note in the lock file what is about to be pinned".to_owned(),
            problem: Problem::Source(error),
        })
    }

    /// Tells the network that this node has `root`. A node without a network has
    /// nobody to tell.
    pub fn announce(&self, root: &Cid) -> Result<(), NodeError> {
        match self.online {
            true => self.node.announce(root),
            false => Ok(()),
        }
    }

    /// What the name points to now, past all caches.
    fn resolve(&self) -> Result<Option<Cid>, PublicationError> {
        let Some(path) = self.node.name_resolve(&self.key.id)? else {
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
