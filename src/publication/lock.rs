//! One writer per node and key. The lock is the system's own on an open file,
//! so one left by a dead process does not hold.
//!
//! The file holds the process, and then the staging directories that its run
//! pins: `dag/import` cannot name a pin, so this is how the next run finds what
//! a killed one left.

use crate::ipfs::cid::Cid;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use thiserror::Error;

/// The right to write; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    file: Mutex<File>,
    /// The staging directories that the run before this one listed.
    pub left: Vec<Cid>,
}

/// Why the lock was not had.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another run has it.
    #[error("another run (process {holder}) is writing under this key\ntry again later")]
    Held {
        /// The process that has it, as it wrote itself down.
        holder: String,
    },
    /// The file cannot be made or locked.
    #[error("cannot lock {path}: {source}\nmake its folder writable, or set XDG_STATE_HOME")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl Lock {
    /// Takes the lock of a key on a node, in the folder `state`.
    pub fn take(state: &Path, peer_id: &str, key_id: &str) -> Result<Self, LockError> {
        let path = state.join(format!("{peer_id}-{key_id}.lock"));
        Self::open(state, &path).map_err(|failure| match failure {
            Failure::Held(holder) => LockError::Held { holder },
            Failure::Io(source) => LockError::Io { path, source },
        })
    }

    fn open(state: &Path, path: &Path) -> Result<Self, Failure> {
        std::fs::create_dir_all(state)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                file.read_to_string(&mut holder)?;
                let holder = holder.lines().next().unwrap_or_default();
                return Err(Failure::Held(holder.to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let left = text.lines().skip(1).filter_map(|line| line.parse().ok());
        let left = left.collect();
        Self::begin(&mut file)?;
        for cid in &left {
            writeln!(file, "{cid}")?;
        }
        let file = Mutex::new(file);
        Ok(Self { file, left })
    }

    /// Lists a staging directory that is about to be pinned.
    pub fn list(&self, staging: &Cid) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(file, "{staging}")
    }

    /// Forgets what was listed, once none of it is pinned any more.
    pub fn forget(&self) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        Self::begin(&mut file)
    }

    fn begin(file: &mut File) -> io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    }
}

enum Failure {
    Held(String),
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_is_told_who_holds_the_lock_until_it_is_given_back() {
        let state = tempfile::tempdir().unwrap();
        let lock = Lock::take(state.path(), "peer", "key").unwrap();
        let error = Lock::take(state.path(), "peer", "key").unwrap_err();
        assert!(error.to_string().contains(&std::process::id().to_string()));
        Lock::take(state.path(), "peer", "another-key").unwrap();
        drop(lock);
        Lock::take(state.path(), "peer", "key").unwrap();
    }
}
