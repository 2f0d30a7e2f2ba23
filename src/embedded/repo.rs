//! The node's folder, which one process has at a time.

use super::EmbeddedError;
use super::keys::Keys;
use super::names::Names;
use super::pins::Pins;
use super::store::BlockStore;
use super::walk::Walk;
use multihash::Multihash;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

/// Everything that a node keeps.
#[derive(Debug)]
pub struct Repo {
    /// Where.
    pub folder: PathBuf,
    /// Blocks by hash.
    pub blocks: BlockStore,
    /// What the collector keeps.
    pub pins: Pins,
    /// What names belong to.
    pub keys: Keys,
    /// What names point to.
    pub names: Names,
    /// Shared by all who write or pin; the collector wants it for itself.
    collecting: RwLock<()>,
    /// Locked as long as the process lives.
    _lock: File,
}

impl Repo {
    /// Opens the folder, and makes it where there is none.
    ///
    /// # Errors
    /// [`EmbeddedError::Busy`] when another process has it.
    pub fn open(folder: &Path) -> Result<Self, EmbeddedError> {
        fs::create_dir_all(folder).map_err(EmbeddedError::io("make", folder))?;
        let lock = take_lock(folder)?;
        remove_if_there(&api_file(folder))?;
        Ok(Self {
            folder: folder.to_owned(),
            blocks: BlockStore::open(&folder.join("blocks"))?,
            pins: Pins::open(&folder.join("pins.json"))?,
            keys: Keys::open(&folder.join("keys"))?,
            names: Names::open(&folder.join("names.json"))?,
            collecting: RwLock::new(()),
            _lock: lock,
        })
    }

    /// Holds the collector off until dropped.
    pub fn writing(&self) -> RwLockReadGuard<'_, ()> {
        let held = self.collecting.read();
        held.unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes every block that no pin reaches, and names each. Removes nothing
    /// when something below a pin is missing.
    pub fn collect_garbage(&self) -> Result<Vec<Multihash<64>>, EmbeddedError> {
        let _alone = self.collecting.write();
        let mut keep = HashSet::new();
        let roots = self.pins.all().into_iter().map(|(root, _)| root);
        for cid in Walk::new(&self.blocks, roots) {
            keep.insert(*cid?.hash());
        }
        self.blocks.sweep(|hash| keep.contains(hash))
    }
}

/// The file that says where a node in the foreground answers.
pub fn api_file(folder: &Path) -> PathBuf {
    folder.join("api")
}

/// Removes a file that may not be there.
pub fn remove_if_there(path: &Path) -> Result<(), EmbeddedError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(EmbeddedError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Whether some process, perhaps this one, has the folder open.
pub fn is_open(folder: &Path) -> Result<bool, EmbeddedError> {
    let path = lock_file(folder);
    match File::open(&path) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(EmbeddedError::io("lock", path)(error)),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(EmbeddedError::io("open", path)(error)),
    }
}

/// That another process has the folder.
pub fn busy(folder: &Path) -> EmbeddedError {
    let holder = fs::read_to_string(lock_file(folder)).unwrap_or_default();
    EmbeddedError::Busy {
        path: folder.to_owned(),
        holder: holder.trim().to_owned(),
    }
}

fn lock_file(folder: &Path) -> PathBuf {
    folder.join("lock")
}

fn take_lock(folder: &Path) -> Result<File, EmbeddedError> {
    let path = lock_file(folder);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(EmbeddedError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(busy(folder)),
        Err(TryLockError::Error(error)) => return Err(EmbeddedError::io("lock", path)(error)),
    }
    let written = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(EmbeddedError::io("write", path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{CidVersion, RAW, cid_of};

    #[test]
    fn one_process_has_the_folder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::open(folder.path()).unwrap();
        assert!(is_open(folder.path()).unwrap());
        let error = Repo::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains(&std::process::id().to_string()));
        drop(repo);
        assert!(!is_open(folder.path()).unwrap());
        Repo::open(folder.path()).unwrap();
    }

    #[test]
    fn the_collector_keeps_exactly_what_is_pinned() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::open(folder.path()).unwrap();
        let [kept, gone] = [b"kept", b"gone"].map(|content| {
            let cid = cid_of(CidVersion::V1, RAW, content);
            repo.blocks.put(&cid, content).unwrap();
            cid
        });
        repo.pins.add(&repo.blocks, &kept, "").unwrap();
        assert_eq!(repo.collect_garbage().unwrap(), [*gone.hash()]);
        assert!(repo.blocks.size(&kept).is_ok() && repo.blocks.size(&gone).is_err());
    }
}
