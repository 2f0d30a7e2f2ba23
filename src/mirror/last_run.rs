//! The last run of a mirror, as this user's runs on this machine note it: in a file beside
//! the lock, because a run with nothing new writes nothing to the node.

use super::exit::Exit;
use crate::publication::PublicationId;
use crate::util::durable::{Durability, Readers, write};
use crate::util::timestamp::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A run that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastRun {
    /// The verb.
    pub command: String,
    /// The time of its end.
    pub end: Timestamp,
    /// Its exit code.
    pub exit: u8,
    /// The end of the last run that did not fail, where one is known.
    pub last_success: Option<Timestamp>,
}

impl LastRun {
    /// The last run that was noted in the folder `state`. A file that cannot be read is
    /// the same as none.
    pub fn read(state: &Path, id: &PublicationId) -> Option<Self> {
        let text = fs::read(file(state, id)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Notes a run that has ended now. One that failed keeps the last success.
    pub fn note(state: &Path, id: &PublicationId, command: &str, exit: Exit) -> io::Result<()> {
        fs::create_dir_all(state)?;
        // Another run may end at this moment, whose success must be kept. A network file
        // system may have no locks on folders; then that is left to chance.
        let folder = File::open(state)?;
        let _ = flock(&folder, FlockOperation::LockExclusive);
        let end = Timestamp::from(SystemTime::now());
        let last_success = match exit.is_success() {
            true => Some(end),
            false => Self::read(state, id).and_then(|before| before.last_success),
        };
        let run = Self {
            command: command.to_owned(),
            end,
            exit: exit as u8,
            last_success,
        };
        let text = serde_json::to_vec(&run)?;
        write(&file(state, id), &text, Readers::Umask, Durability::Later)
    }
}

fn file(state: &Path, id: &PublicationId) -> PathBuf {
    id.file(state, "last-run.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_runs_that_end_at_once_a_success_is_kept() {
        let state = tempfile::tempdir().unwrap();
        let id = PublicationId {
            peer_id: "peer".to_owned(),
            key_id: "key".to_owned(),
        };
        for _ in 0..100 {
            let _ = fs::remove_file(file(state.path(), &id));
            let note = |exit| LastRun::note(state.path(), &id, "sync", exit).unwrap();
            std::thread::scope(|threads| {
                threads.spawn(|| note(Exit::TryLater));
                threads.spawn(|| note(Exit::Done));
                threads.spawn(|| note(Exit::Failed));
            });
            let run = LastRun::read(state.path(), &id).unwrap();
            assert!(run.last_success.is_some(), "{run:?}");
        }
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1);
    }
}
