//! The roots that a run published, whatever became of the run afterwards.

use crate::ipfs::cid::Cid;
use std::sync::{Arc, Mutex, PoisonError};

/// The publications of a run. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct PublicationLog(Arc<Mutex<Option<Publication>>>);

/// The publications of a run together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The IPNS name.
    pub name: String,
    /// The root that it pointed to before the first of them.
    pub previous: Option<Cid>,
    /// The root that it points to since the last.
    pub root: Cid,
}

impl PublicationLog {
    /// Takes note of a root that was published, and of the one before it.
    pub(super) fn note(&self, name: &str, previous: Option<Cid>, root: Cid) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *log {
            Some(publication) => publication.root = root,
            None => {
                *log = Some(Publication {
                    name: name.to_owned(),
                    previous,
                    root,
                });
            }
        }
    }

    /// The publications so far; `None` where nothing was published.
    pub fn publication(&self) -> Option<Publication> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.clone()
    }
}
