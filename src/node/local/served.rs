//! The gateway of a folder: a process that serves one writes its address into the
//! file `gateway`, and holds a lock on it as long as it serves.

use super::super::error::{NodeError, Problem};
use super::lock::take_file;
use super::problem::file;
use crate::util::lock::{FileLock, held_lines};
use std::path::Path;
use std::time::Duration;

const NAME: &str = "gateway";

/// The longest wait for a reader, who holds the lock for a moment.
const PATIENCE: Duration = Duration::from_millis(200);

/// The announcement of a gateway, until it is dropped.
#[derive(Debug)]
pub struct ServedFolder {
    _lock: FileLock,
}

/// Announces to the users of `folder` the gateway at `url`, `http://HOST:PORT`.
///
/// # Errors
/// [`Problem::Busy`] when another process serves the folder.
pub fn announce_gateway(folder: &Path, url: &str) -> Result<ServedFolder, NodeError> {
    let announce = || {
        let mut lock = take_file(folder, NAME, PATIENCE)?;
        lock.note(url).map_err(file(&folder.join(NAME)))?;
        Ok(ServedFolder { _lock: lock })
    };
    announce().map_err(|problem| NodeError::new("announce the gateway", problem))
}

/// The gateway of `folder`, while a process serves it.
pub fn gateway_of(folder: &Path) -> Result<Option<String>, Problem> {
    let path = folder.join(NAME);
    // The first line is the process.
    let lines = held_lines(&path).map_err(file(&path))?;
    Ok(lines.and_then(|lines| lines.into_iter().nth(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_folder_has_one_gateway_for_as_long_as_it_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(gateway_of(folder).unwrap(), None);
        let url = "http://127.0.0.1:8080";
        let served = announce_gateway(folder, url).unwrap();
        assert_eq!(gateway_of(folder).unwrap().as_deref(), Some(url));
        let error = announce_gateway(folder, url).unwrap_err().to_string();
        assert!(
            error.contains(&format!("in use by process {}", std::process::id())),
            "{error}"
        );
        drop(served);
        // A child of another test has the lock, too, until it begins its program.
        let is_free = |_| {
            thread::sleep(Duration::from_millis(10));
            gateway_of(folder).unwrap().is_none()
        };
        assert!((0..500).any(is_free));
    }
}
