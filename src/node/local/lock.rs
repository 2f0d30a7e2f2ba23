//! The lock that every change of the folder is made under.

use super::super::error::Problem;
use super::problem::file;
use crate::util::lock::{FileLock, LockFailure};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The longest wait for another process.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// The lock of a folder. Threads of one process queue for it.
#[derive(Debug)]
pub struct WriteLock {
    folder: PathBuf,
    patience: Duration,
    queue: Mutex<()>,
}

/// The right to change the folder, until it is dropped. The file's lock is released
/// before the next thread of the queue tries for it.
#[derive(Debug)]
pub struct Writing<'l> {
    _file: FileLock,
    _turn: MutexGuard<'l, ()>,
}

impl WriteLock {
    /// The lock of `folder`, not taken yet.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            patience: PATIENCE,
            queue: Mutex::new(()),
        }
    }

    /// Takes the lock. A process waits for it with the lock file of the queue, so one
    /// that takes the lock over and over lets it pass.
    ///
    /// # Errors
    /// [`Problem::Busy`] when another process holds either for longer than [`PATIENCE`].
    pub fn take(&self) -> Result<Writing<'_>, Problem> {
        let turn = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let _next = take_file(&self.folder, "lock.queue", self.patience)?;
        Ok(Writing {
            _file: take_file(&self.folder, "lock", self.patience)?,
            _turn: turn,
        })
    }
}

/// Takes the lock file `name` of `folder`. Errors as [`WriteLock::take`].
pub fn take_file(folder: &Path, name: &str, patience: Duration) -> Result<FileLock, Problem> {
    let path = folder.join(name);
    match FileLock::take(&path, patience) {
        Ok((lock, _)) => Ok(lock),
        Err(LockFailure::Io(error)) => Err(file(&path)(error)),
        Err(LockFailure::Held(holder)) => Err(Problem::Busy {
            path: folder.to_owned(),
            holder,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    #[test]
    fn a_writer_waits_for_another_and_then_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let patience = Duration::from_millis(100);
        let lock = |patience| WriteLock {
            patience,
            ..WriteLock::new(folder.path())
        };
        let other = lock(PATIENCE);
        let held = other.take().unwrap();
        let error = lock(patience).take().unwrap_err().to_string();
        assert!(error.ends_with(&format!("in use by process {}", std::process::id())));
        thread::scope(|scope| {
            let waiting = scope.spawn(|| lock(PATIENCE).take().map(drop));
            thread::sleep(patience);
            drop(held);
            waiting.join().unwrap().unwrap();
        });
    }

    #[test]
    fn a_writer_that_never_rests_lets_another_pass() {
        let folder = tempfile::tempdir().unwrap();
        let done = AtomicBool::new(false);
        let (taken, first_taken) = std::sync::mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                let restless = WriteLock::new(folder.path());
                while !done.load(Ordering::Relaxed) {
                    let _held = restless.take().unwrap();
                    let _ = taken.send(());
                    thread::sleep(Duration::from_millis(200));
                }
            });
            first_taken.recv().unwrap();
            let passed = WriteLock::new(folder.path()).take().is_ok();
            done.store(true, Ordering::Relaxed);
            assert!(passed);
        });
    }
}
