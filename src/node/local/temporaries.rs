//! Temporary files that killed writers left behind.

use super::super::error::Problem;
use super::problem::file;
use crate::util::durable::TEMPORARY;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::Duration;

/// The age from which a temporary file was left behind, even where its writer's
/// number is that of a process. Writing a block takes seconds at most.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Removes the temporary files that killed writers left in `folder`.
pub fn remove_temporaries(folder: &Path) -> Result<(), Problem> {
    for entry in fs::read_dir(folder).map_err(file(folder))? {
        let entry = entry.map_err(file(folder))?;
        if is_abandoned(&entry) {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(file(&entry.path()))?,
            }
        }
    }
    Ok(())
}

fn is_abandoned(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(TEMPORARY)) else {
        return false;
    };
    let number = rest.split('-').next().and_then(|pid| pid.parse().ok());
    let writer = number.and_then(Pid::from_raw);
    let is_running = writer.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH));
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|time| time.elapsed().ok());
    !is_running || age.is_some_and(|age| age > ABANDONED)
}
