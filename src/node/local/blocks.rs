//! The block store: a file a block, in up to 256 folders by the hash's last byte.
//!
//! A block is written under another name and renamed when it is whole, so a kill
//! leaves it whole or absent. It is hashed when it is read, so a file that a power
//! cut or a bad disk left damaged is never taken for the block.
//!
//! As files the blocks take less room and are written faster than in redb, fjall
//! or SQLite, when tried with 20,000 blocks.

use super::super::error::Problem;
use super::problem::{file, missing};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, inlined, matches};
use crate::ipfs::dag_pb::{MAX_HEAD_BYTES, PbNode};
use crate::util::durable::{self, Durability, Readers};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use multihash::Multihash;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// One call makes all blocks durable on Linux ([`BlockStore::sync`]); elsewhere each
/// is when it is written.
const DURABILITY: Durability = match cfg!(target_os = "linux") {
    true => Durability::Later,
    false => Durability::Now,
};

/// Blocks in a folder. Threads and processes may share it.
#[derive(Debug)]
pub struct BlockStore {
    folder: PathBuf,
    /// The bytes that were written and not asked for yet.
    written: AtomicU64,
}

/// The file of a block. Another process may remove it at any time.
#[derive(Debug)]
pub struct BlockFile {
    path: PathBuf,
    /// The multihash of the block.
    pub hash: Multihash<64>,
}

impl BlockFile {
    /// The size in bytes; 0 when it is gone.
    pub fn size(&self) -> Result<u64, Problem> {
        match fs::metadata(&self.path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(file(&self.path)(error)),
        }
    }

    /// Removes it. Returns false when it is gone already.
    pub fn remove(&self) -> Result<bool, Problem> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(file(&self.path)(error)),
        }
    }
}

impl BlockStore {
    /// The store in `folder`, which is made where it is missing.
    pub fn open(folder: PathBuf) -> Result<Self, Problem> {
        fs::create_dir_all(&folder).map_err(file(&folder))?;
        let written = AtomicU64::new(0);
        Ok(Self { folder, written })
    }

    /// Stores a block that has been hashed. A file that is damaged is replaced.
    pub fn put(&self, cid: &Cid, block: &[u8]) -> Result<(), Problem> {
        let path = self.path(cid);
        if inlined(cid).is_some() || fs::read(&path).is_ok_and(|stored| stored == block) {
            return Ok(());
        }
        let write = || durable::write(&path, block, Readers::Umask, DURABILITY);
        let written = match write() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let shelf = path.parent().unwrap_or(&self.folder);
                fs::create_dir_all(shelf).and_then(|()| write())
            }
            written => written,
        };
        written.map_err(file(&path))?;
        self.written
            .fetch_add(block.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// The bytes that were written since this was last asked.
    pub fn take_written(&self) -> u64 {
        self.written.swap(0, Ordering::Relaxed)
    }

    /// The block's size in bytes; `None` when it is not there.
    pub fn size(&self, cid: &Cid) -> Result<Option<u64>, Problem> {
        if let Some(content) = inlined(cid) {
            return Ok(Some(content.len() as u64));
        }
        let path = self.path(cid);
        match fs::metadata(&path) {
            // After a power cut a file can be empty that was never synced.
            Ok(metadata) if metadata.len() == 0 && !matches(cid, &[]) => Ok(None),
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file(&path)(error)),
        }
    }

    /// The size in bytes of a dag-pb block that is all data, as it begins; `None` for any
    /// other. Under CIDv0 such are the leaves of all nars, and only the links of a block
    /// are of interest here.
    pub fn size_of_leaf(&self, cid: &Cid) -> Option<u64> {
        let file = fs::File::open(self.path(cid)).ok()?;
        let size = file.metadata().ok()?.len();
        let mut beginning = Vec::new();
        let most = MAX_HEAD_BYTES as u64;
        file.take(most).read_to_end(&mut beginning).ok()?;
        PbNode::is_all_data(&beginning, size).then_some(size)
    }

    /// Makes every block that was written until now survive a power cut.
    pub fn sync(&self) -> Result<(), Problem> {
        #[cfg(target_os = "linux")]
        fs::File::open(&self.folder)
            .and_then(|folder| Ok(rustix::fs::syncfs(folder)?))
            .map_err(file(&self.folder))?;
        Ok(())
    }

    /// The size of all blocks, in bytes.
    pub fn bytes(&self) -> Result<u64, Problem> {
        let mut bytes = 0;
        for shelf in self.shelves()? {
            for file in self.files(&shelf)? {
                bytes += file.size()?;
            }
        }
        Ok(bytes)
    }

    /// The folders that hold the blocks.
    pub fn shelves(&self) -> Result<Vec<PathBuf>, Problem> {
        let entries = fs::read_dir(&self.folder).map_err(file(&self.folder))?;
        let shelves = entries.map(|entry| entry.map(|entry| entry.path()));
        shelves
            .collect::<io::Result<_>>()
            .map_err(file(&self.folder))
    }

    /// The files of the blocks in one of these folders.
    pub fn files(&self, shelf: &Path) -> Result<Vec<BlockFile>, Problem> {
        let mut files = Vec::new();
        for entry in fs::read_dir(shelf).map_err(file(shelf))? {
            let entry = entry.map_err(file(shelf))?;
            if let Some(hash) = entry.file_name().to_str().and_then(hash_of) {
                let path = entry.path();
                files.push(BlockFile { path, hash });
            }
        }
        Ok(files)
    }

    /// The file of a block, by its multihash, as Kubo keys its blocks: CIDv0 and
    /// CIDv1 of one content are one block.
    pub(super) fn path(&self, cid: &Cid) -> PathBuf {
        let name = HEXLOWER.encode(&cid.hash().to_bytes());
        let shelf = &name[name.len() - 2..];
        self.folder.join(shelf).join(&name)
    }
}

impl Blocks for BlockStore {
    type Error = Problem;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, Problem> {
        if let Some(content) = inlined(cid) {
            return Ok(content.to_vec());
        }
        let path = self.path(cid);
        match fs::read(&path) {
            Ok(block) if matches(cid, &block) => Ok(block),
            Ok(_) => Err(damaged(&path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(missing(cid)),
            Err(error) => Err(file(&path)(error)),
        }
    }
}

fn damaged(path: &Path) -> Problem {
    Problem::Damaged {
        path: path.to_owned(),
        reason: "the block in it does not hash to its name".to_owned(),
        advice: "remove the file, and rebuild the block with `guix-ipfs verify --repair`"
            .to_owned(),
    }
}

fn hash_of(name: &str) -> Option<Multihash<64>> {
    Multihash::from_bytes(&HEXLOWER_PERMISSIVE.decode(name.as_bytes()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{CidVersion, DAG_PB, RAW, cid_of};

    fn store() -> (tempfile::TempDir, BlockStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = BlockStore::open(folder.path().join("blocks")).unwrap();
        (folder, store)
    }

    #[test]
    fn a_block_comes_back_under_either_version_of_its_cid() {
        let (_folder, store) = store();
        let v0 = cid_of(CidVersion::V0, DAG_PB, b"block");
        let v1 = cid_of(CidVersion::V1, RAW, b"block");
        assert_eq!(store.size(&v0).unwrap(), None);
        store.put(&v0, b"block").unwrap();
        assert_eq!(store.get(&v1).unwrap(), b"block");
        assert_eq!(
            (store.size(&v1).unwrap(), store.bytes().unwrap()),
            (Some(5), 5)
        );
    }

    #[test]
    fn half_a_block_is_never_read_back_and_is_replaced() {
        let (_folder, store) = store();
        let cid = cid_of(CidVersion::V1, RAW, b"block");
        store.put(&cid, b"block").unwrap();
        for left in ["blo", ""] {
            fs::write(store.path(&cid), left).unwrap();
            let error = store.get(&cid).unwrap_err();
            assert!(matches!(error, Problem::Damaged { .. }), "{error}");
        }
        assert_eq!(store.size(&cid).unwrap(), None);
        store.put(&cid, b"block").unwrap();
        assert_eq!(store.get(&cid).unwrap(), b"block");
    }
}
