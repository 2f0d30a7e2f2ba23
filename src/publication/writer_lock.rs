//! The lock that lets one writer at a time work with a key of a node.
//!
//! The lock file also lists the staging directories that its run pins: a pin of an
//! import has no name, so this is how the next run finds those of a killed one.

use super::publication_id::PublicationId;
use crate::ipfs::cid::Cid;
use crate::util::diagnosis::{Diagnosis, Retry};
use crate::util::lock::{FileLock, LockFailure};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;

/// The right to write under a key, given back when dropped.
#[derive(Debug)]
pub struct WriterLock {
    /// The lock file.
    pub path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: FileLock,
    /// The staging directories that the file lists.
    staging: BTreeSet<Cid>,
}

/// The reasons why the lock cannot be taken.
#[derive(Debug, Error)]
pub enum WriterLockError {
    /// Another run has it.
    #[error("another run (process {holder}) is writing under this key")]
    Held {
        /// The process, as it wrote itself down.
        holder: String,
    },
    /// The file cannot be made or locked.
    #[error("cannot lock {path}: {source}", path = path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl WriterLock {
    /// Takes the lock of a key of a node, in the folder `state`.
    pub fn take(state: &Path, id: &PublicationId) -> Result<Self, WriterLockError> {
        let path = id.file(state, "lock");
        let taken = std::fs::create_dir_all(state)
            .map_err(LockFailure::Io)
            .and_then(|()| FileLock::take(&path, Duration::ZERO));
        let (file, lines) = match taken {
            Ok(taken) => taken,
            Err(LockFailure::Held(holder)) => return Err(WriterLockError::Held { holder }),
            Err(LockFailure::Io(source)) => return Err(WriterLockError::Io { path, source }),
        };
        let staging = lines.iter().filter_map(|line| line.parse().ok()).collect();
        let state = Mutex::new(State { file, staging });
        Ok(Self { path, state })
    }

    /// The staging directories that are listed: when the lock was just taken, those
    /// of the run before.
    pub fn listed(&self) -> Vec<Cid> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.staging.iter().copied().collect()
    }

    /// Lists a staging directory that is about to be pinned.
    pub fn list(&self, staging: &Cid) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.staging.insert(*staging);
        state.file.note(&staging.to_string())
    }

    /// Drops staging directories that are not pinned any more from the list. Where
    /// that fails they stay listed, which costs the next run a call each.
    pub fn forget(&self, staging: &[Cid]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.staging.retain(|listed| !staging.contains(listed));
        let left: Vec<String> = state.staging.iter().map(Cid::to_string).collect();
        let _ = state.file.rewrite(&left);
    }
}

impl Diagnosis for WriterLockError {
    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Held { .. } => "try again later".to_owned(),
            Self::Io { .. } => "make its folder writable, or set XDG_STATE_HOME".to_owned(),
        })
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Held { .. } => Retry::Soon,
            Self::Io { .. } => Retry::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{CidVersion, RAW, cid_of};

    #[test]
    fn staging_that_was_not_unpinned_is_listed_for_the_next_run() {
        let state = tempfile::tempdir().unwrap();
        let id = |key_id: &str| PublicationId {
            peer_id: "peer".to_owned(),
            key_id: key_id.to_owned(),
        };
        let take = || WriterLock::take(state.path(), &id("key"));
        let lock = take().unwrap();
        assert!(matches!(take(), Err(WriterLockError::Held { .. })));
        WriterLock::take(state.path(), &id("another-key")).unwrap();
        let [kept, dropped] = [b"kept", b"drop"].map(|it| cid_of(CidVersion::V1, RAW, it));
        lock.list(&kept).unwrap();
        lock.list(&dropped).unwrap();
        lock.forget(&[dropped]);
        drop(lock);
        assert_eq!(take().unwrap().listed(), [kept]);
        // If a run does not get to it, the next one does it.
        assert_eq!(take().unwrap().listed(), [kept]);
    }
}
