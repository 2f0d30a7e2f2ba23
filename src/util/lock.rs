//! Locks on files. A lock is the system's own on an open file, so one left by a
//! dead process does not hold. The file's first line is the process that holds it.

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// The pause between two tries for a lock.
const PAUSE: Duration = Duration::from_millis(20);

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

/// The ways in which a lock is not had.
#[derive(Debug)]
pub enum LockFailure {
    /// Another process has it; with its number, as it wrote itself down.
    Held(String),
    /// The file cannot be made, read or locked.
    Io(io::Error),
}

impl FileLock {
    /// Takes a lock, waiting for another process for as long as `patience`. Returns
    /// the lines that the last holder left after the first; they stay in the file.
    pub fn take(path: &Path, patience: Duration) -> Result<(Self, Vec<String>), LockFailure> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true).create(true).truncate(false);
        let mut file = open(options, path)?;
        let start = Instant::now();
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if start.elapsed() < patience => thread::sleep(PAUSE),
                Err(Errno::WOULDBLOCK) => return Err(LockFailure::Held(holder(&mut file)?)),
                Err(error) => return Err(io::Error::from(error).into()),
            }
        }
        let text = io::read_to_string(&file)?;
        let lines: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        let mut lock = Self { file };
        match lock.rewrite(&lines) {
            // The lock holds without its holder's number, and what follows may make room.
            Err(error) if is_of_a_full_disk(&error) => {}
            rewritten => rewritten?,
        }
        Ok((lock, lines))
    }

    /// Appends a line to the file.
    pub fn note(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.file, "{line}")
    }

    /// Replaces every line but the first. A process that is killed meanwhile leaves the
    /// old lines or the new ones, and perhaps the end of an old one after them.
    pub fn rewrite(&mut self, lines: &[String]) -> io::Result<()> {
        let mut text = format!("{}\n", std::process::id());
        text.extend(lines.iter().flat_map(|line| [line, "\n"]));
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)
    }
}

/// Returns the lines of the lock file at `path`, where a process holds it.
pub fn held_lines(path: &Path) -> io::Result<Option<Vec<String>>> {
    let file = match open(OpenOptions::new().read(true), path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(Errno::WOULDBLOCK) => {
            let text = io::read_to_string(&file)?;
            Ok(Some(text.lines().map(str::to_owned).collect()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens a file, but not where a symbolic link leads: what is written here belongs into
/// no other file.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let opened = options.custom_flags(flags).open(path);
    opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => io::Error::other("it is a symbolic link"),
        _ => error,
    })
}

fn is_of_a_full_disk(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn holder(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let text = io::read_to_string(file)?;
    let first = text.lines().next().filter(|line| !line.is_empty());
    Ok(first.unwrap_or("unknown").to_owned())
}

impl From<io::Error> for LockFailure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_learns_the_holder_until_the_lock_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (mut lock, _) = FileLock::take(&path, Duration::ZERO).unwrap();
        lock.note("a line").unwrap();
        let LockFailure::Held(holder) = FileLock::take(&path, Duration::ZERO).unwrap_err() else {
            panic!("not held");
        };
        assert_eq!(holder, std::process::id().to_string());
        assert_eq!(held_lines(&path).unwrap().unwrap()[1], "a line");
        drop(lock);
        assert_eq!(held_lines(&path).unwrap(), None);
        let (_, lines) = FileLock::take(&path, Duration::ZERO).unwrap();
        assert_eq!(lines, ["a line"]);
    }
}
