//! The keys that a run writes under and the roots that it published, whatever became of
//! the run afterwards.

use super::publication_id::PublicationId;
use crate::ipfs::cid::Cid;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The publications of a run. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct PublicationLog(Arc<Mutex<Log>>);

#[derive(Debug, Default)]
struct Log {
    writers: Vec<PublicationId>,
    publication: Option<Publication>,
    /// The root that the name pointed to when the run began.
    found: Option<Cid>,
}

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
    /// Records a key that the run is to write under, before it has the right to.
    pub fn note_writer(&self, id: PublicationId) {
        let mut log = self.lock();
        if !log.writers.contains(&id) {
            log.writers.push(id);
        }
    }

    /// Records a root that was published, and the one before it.
    pub(super) fn note(&self, id: PublicationId, previous: Option<Cid>, root: Cid) {
        let first = Publication {
            name: id.key_id.clone(),
            previous,
            root,
        };
        self.note_writer(id);
        self.lock().publication.get_or_insert(first).root = root;
    }

    /// Records the root that the name was found to point to.
    pub(super) fn note_found(&self, root: Option<Cid>) {
        self.lock().found = root;
    }

    /// The root that the name points to after the run, as far as the run has seen.
    pub fn root(&self) -> Option<Cid> {
        let log = self.lock();
        let published = log.publication.as_ref().map(|it| it.root);
        published.or(log.found)
    }

    /// The keys that the run writes under: two where it moves a mirror to another node.
    pub fn writers(&self) -> Vec<PublicationId> {
        self.lock().writers.clone()
    }

    /// The publications so far; `None` where nothing was published.
    pub fn publication(&self) -> Option<Publication> {
        self.lock().publication.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
