//! The collector. Content that another process is just adding has no pin yet, and
//! may go; pinning it then says so, as on Kubo.

use super::super::error::Problem;
use super::blocks::BlockStore;
use super::lock::Writing;
use super::pins::Pins;
use super::problem::file;
use super::walk::Walk;
use crate::util::durable::TEMPORARY;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::Duration;

/// The age from which a temporary file was left behind, even where its writer's
/// number is that of a process. Writing a block takes seconds at most.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Removes every block that no pin reaches, and returns their number. Removes
/// nothing when a block below a pin cannot be read.
pub fn collect(_: &Writing, blocks: &BlockStore, pins: &Pins) -> Result<u64, Problem> {
    let mut keep = HashSet::new();
    let roots = pins.all()?.into_iter().map(|(root, _)| root);
    for cid in Walk::new(blocks, roots) {
        keep.insert(*cid?.hash());
    }
    blocks.sweep(|hash| keep.contains(hash))
}

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
