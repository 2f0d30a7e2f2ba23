//! The file that `--metrics` names.

use super::terminal::Report;
use crate::util::durable::{Durability, Readers, write};
use rustix::fs::OFlags;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

impl Report {
    /// Prints the reason why the file was not written, if there is one.
    pub(super) fn metrics_written(&self, path: &Path, written: io::Result<()>) {
        if let Err(error) = written {
            self.warn(
                &format!("cannot write {}: {error}", path.display()),
                Some("give --metrics a file in a folder that this user may write to"),
            );
        }
    }
}

/// The figures of an earlier run. A file that was damaged holds what can be read of it.
pub(super) fn read_figures(path: &Path) -> io::Result<String> {
    if is_stream(path) {
        return Ok(String::new());
    }
    match fs::read(path) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error),
    }
}

/// Replaces the file as a whole, since its collector may read it at any moment. A link to
/// it stays. A device or a pipe is written to, and not waited for.
pub(super) fn write_figures(path: &Path, text: &str) -> io::Result<()> {
    if is_stream(path) {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let mut stream = OpenOptions::new();
        let stream = stream.write(true).custom_flags(flags);
        return stream.open(path)?.write_all(text.as_bytes());
    }
    let target = fs::canonicalize(path);
    let path = target.as_deref().unwrap_or(path);
    // The collector is another user.
    write(path, text.as_bytes(), Readers::Everybody, Durability::Later)
}

fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| !it.is_file() && !it.is_dir())
}
