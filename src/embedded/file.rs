//! Files that are whole or absent.

use super::EmbeddedError;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the name of a file begins with until it is whole.
const TEMPORARY: &str = ".tmp-";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Writes a file under another name and renames it when all of it is there.
pub fn write_whole(path: &Path, content: &[u8]) -> Result<(), EmbeddedError> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{TEMPORARY}{}-{number}", std::process::id());
    let temporary = path.with_file_name(name);
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(content))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        EmbeddedError::io("write", path)(error)
    })
}

/// Writes a small file that must survive a power cut: what names and pins are
/// kept in.
pub fn write_durably(path: &Path, content: &[u8]) -> Result<(), EmbeddedError> {
    write_whole(path, content)?;
    let folder = path.parent().unwrap_or(path);
    File::open(path)
        .and_then(|file| file.sync_all())
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(EmbeddedError::io("write", path))
}

/// Removes what a killed writer left in a folder.
pub fn remove_temporaries(folder: &Path) -> Result<(), EmbeddedError> {
    let entries = fs::read_dir(folder).map_err(EmbeddedError::io("list", folder))?;
    for entry in entries {
        let entry = entry.map_err(EmbeddedError::io("list", folder))?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            let path = entry.path();
            fs::remove_file(&path).map_err(EmbeddedError::io("remove", &path))?;
        }
    }
    Ok(())
}
