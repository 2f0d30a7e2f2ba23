//! Files that survive a power cut: whole or absent, and never empty.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// The beginning of the name of a file that is not whole yet.
pub const TEMPORARY: &str = ".tmp-";

/// The bytes from which a file is worth a write of its own.
const LARGE: usize = 64 << 10;

/// The moment from which a file survives a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// When the function returns.
    Now,
    /// When the file system is told to write what it holds.
    Later,
}

/// The users that may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    Owner,
    /// Those that the umask leaves.
    Umask,
    /// Everybody, whatever the umask.
    Everybody,
}

/// Writes a file under a temporary name and renames it when all of it is there.
pub fn write(
    path: &Path,
    content: &[u8],
    readers: Readers,
    durability: Durability,
) -> io::Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{TEMPORARY}{}-{number}", std::process::id());
    let temporary = path.with_file_name(name);
    let written = write_temporary(&temporary, content, readers, durability)
        .and_then(|()| fs::rename(&temporary, path));
    match (written, durability) {
        (Err(error), _) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
        (Ok(()), Durability::Later) => Ok(()),
        (Ok(()), Durability::Now) => sync_folder_of(path),
    }
}

/// Makes a rename or a removal in the folder of `path` durable.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(path))?.sync_all()
}

/// Asks Linux to begin writing a large file, so that a later sync waits for less. The
/// advice starts the write of what is not on the disk yet (`mm/fadvise.c`).
fn start_writing(file: &File, length: usize) {
    #[cfg(target_os = "linux")]
    if length >= LARGE {
        let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
    }
}

fn write_temporary(
    path: &Path,
    content: &[u8],
    readers: Readers,
    durability: Durability,
) -> io::Result<()> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Umask | Readers::Everybody => 0o644,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    if readers == Readers::Everybody {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.write_all(content)?;
    match durability {
        Durability::Now => file.sync_all(),
        Durability::Later => {
            start_writing(&file, content.len());
            Ok(())
        }
    }
}
