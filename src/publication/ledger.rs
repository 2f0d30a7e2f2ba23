//! The ledger below a journal: small files by their paths, such as `owed` or
//! `wanted/2026-11-27`. The engine gives them their meaning; here they are bytes.

use super::error::PublicationError;
use super::journal::NewBlocks;
use crate::ipfs::blocks::each;
use crate::ipfs::cid::{Cid, CidVersion, RAW};
use crate::ipfs::directory::{Entry, PlainDirectory};
use crate::ipfs::file::file_blocks;
use crate::node::Node;
use std::collections::{BTreeMap, HashSet};
use std::io::Read;

/// The longest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// The files of a ledger. What was read is kept, so each file is read once.
#[derive(Clone, Debug, Default)]
pub struct LedgerFiles {
    files: BTreeMap<String, LedgerFile>,
    /// Lost blocks are to be stored again.
    restores: bool,
}

/// A file by its path, of one or two names.
#[derive(Clone, Debug)]
struct LedgerFile {
    entry: Entry,
    /// `None` until it is read.
    content: Option<Vec<u8>>,
    is_stored: bool,
}

impl LedgerFiles {
    /// The ledger in the directory `top`; empty without one. Reads directories, and the
    /// files beside them.
    ///
    /// # Errors
    /// A directory of it is not on the node, or is not one.
    pub fn load(node: &dyn Node, top: Option<&Entry>) -> Result<Self, PublicationError> {
        let mut ledger = Self::default();
        let Some(top) = top else {
            return Ok(ledger);
        };
        let unreadable = |error| PublicationError::Ledger(top.cid.to_string(), error);
        let block = node.block(&top.cid)?;
        let directory =
            PlainDirectory::decode(&block).map_err(|error| unreadable(error.to_string()))?;
        let entries: Vec<(String, Entry)> = directory.entries.into_iter().collect();
        let cids: Vec<Cid> = entries.iter().map(|(_, entry)| entry.cid).collect();
        for ((name, entry), block) in entries.into_iter().zip(each(node, &cids)) {
            if entry.cid.codec() == RAW {
                // One that is lost is missed where it is read.
                ledger.insert_stored(name, entry, block.ok());
                continue;
            }
            match PlainDirectory::decode(&block?) {
                Ok(folder) => {
                    for (file, entry) in folder.entries {
                        ledger.insert_stored(format!("{name}/{file}"), entry, None);
                    }
                }
                // A file of more than one block.
                Err(_) => ledger.insert_stored(name, entry, None),
            }
        }
        Ok(ledger)
    }

    fn insert_stored(&mut self, path: String, entry: Entry, content: Option<Vec<u8>>) {
        let file = LedgerFile {
            entry,
            content,
            is_stored: true,
        };
        self.files.insert(path, file);
    }

    /// The content of the file at `path`; empty where there is none.
    ///
    /// # Errors
    /// It is not whole on the node.
    pub fn read(&mut self, node: &dyn Node, path: &str) -> Result<&[u8], PublicationError> {
        let Some(file) = self.files.get_mut(path) else {
            return Ok(&[]);
        };
        if file.content.is_none() {
            file.content = Some(read_file(node, &file.entry)?);
        }
        Ok(file.content.as_deref().unwrap_or_default())
    }

    /// Calls `visit` with the name and content of each file in a folder, the last name
    /// first. A file with the content of one before is skipped. Nothing is kept.
    ///
    /// # Errors
    /// A file is not whole on the node.
    pub fn for_each_new_in(
        &self,
        node: &dyn Node,
        folder: &str,
        mut visit: impl FnMut(&str, &[u8]),
    ) -> Result<(), PublicationError> {
        let mut visited = HashSet::new();
        for (path, file) in self.files.iter().rev() {
            let Some(name) = name_in(folder, path) else {
                continue;
            };
            if visited.insert(file.entry.cid) {
                match &file.content {
                    Some(content) => visit(name, content),
                    None => visit(name, &read_file(node, &file.entry)?),
                }
            }
        }
        Ok(())
    }

    /// The paths of the files that are lost or damaged on the node, with the reasons.
    /// Reads all.
    pub fn unreadable(
        &self,
        node: &dyn Node,
    ) -> Result<Vec<(String, PublicationError)>, PublicationError> {
        let mut unreadable = Vec::new();
        for (path, file) in &self.files {
            match read_file(node, &file.entry) {
                Ok(_) => {}
                Err(error) if error.is_of_block() => unreadable.push((path.clone(), error)),
                Err(error) => return Err(error),
            }
        }
        Ok(unreadable)
    }

    /// Writes a file, or removes it where `content` is empty.
    pub fn write(&mut self, path: &str, content: Vec<u8>) {
        if content.is_empty() {
            self.files.remove(path);
            return;
        }
        let (entry, _) = file_blocks(CidVersion::V1, &content);
        let known = self.files.get(path);
        if known.is_none_or(|known| known.entry.cid != entry.cid) {
            let file = LedgerFile {
                entry,
                content: Some(content),
                is_stored: false,
            };
            self.files.insert(path.to_owned(), file);
        }
    }

    /// Removes a file.
    pub fn remove(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// Returns true where there is a file at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Returns true where the file at `path` has this content. Reads nothing.
    pub fn holds(&self, path: &str, content: &[u8]) -> bool {
        let known = self.files.get(path);
        known.is_some_and(|known| known.entry.cid == file_blocks(CidVersion::V1, content).0.cid)
    }

    /// The names of the files in a folder, in their order.
    pub fn names_in<'l>(&'l self, folder: &'l str) -> impl Iterator<Item = &'l str> {
        let paths = self.files.keys();
        paths.filter_map(move |path| name_in(folder, path))
    }

    /// Returns true for a ledger without files, as beside a journal of an older
    /// program.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes a file whose blocks were lost: they are stored again, also where the file
    /// stays the same.
    pub fn restore(&mut self, path: &str, content: Vec<u8>) {
        self.files.remove(path);
        self.write(path, content);
        self.restores = true;
    }

    /// Returns true where lost blocks are to be stored again.
    pub(super) fn restores(&self) -> bool {
        self.restores
    }

    /// The same once its blocks are stored.
    pub(super) fn stored(self) -> Self {
        let restores = false;
        Self { restores, ..self }
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        let sizes = self.files.values().map(|file| file.entry.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// The directory of the ledger, and the blocks that are not stored yet; `None`
    /// for a ledger without files.
    pub(super) fn encode(&self) -> Option<(Entry, NewBlocks)> {
        if self.files.is_empty() {
            return None;
        }
        let mut blocks = NewBlocks::new();
        let mut top = PlainDirectory::default();
        let mut folders: BTreeMap<&str, PlainDirectory> = BTreeMap::new();
        for (path, file) in &self.files {
            if let (false, Some(content)) = (file.is_stored, &file.content) {
                blocks.extend(file_blocks(CidVersion::V1, content).1);
            }
            let (directory, name) = match path.split_once('/') {
                Some((folder, name)) => (folders.entry(folder).or_default(), name),
                None => (&mut top, path.as_str()),
            };
            directory.entries.insert(name.to_owned(), file.entry);
        }
        for (name, folder) in folders {
            let (block, entry) = folder.encode(CidVersion::V1);
            blocks.push((entry.cid, block));
            top.entries.insert(name.to_owned(), entry);
        }
        let (block, entry) = top.encode(CidVersion::V1);
        blocks.push((entry.cid, block));
        Some((entry, blocks))
    }
}

/// The name of a file in a folder, by its path.
fn name_in<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    path.strip_prefix(folder)?.strip_prefix('/')
}

fn read_file(node: &dyn Node, entry: &Entry) -> Result<Vec<u8>, PublicationError> {
    if entry.cid.codec() == RAW {
        return Ok(node.block(&entry.cid)?);
    }
    let mut content = Vec::new();
    let mut reader = node.read_file(&entry.cid)?.take(MAX_FILE_BYTES);
    let read = reader.read_to_end(&mut content);
    let unreadable = |error: String| PublicationError::Ledger(entry.cid.to_string(), error);
    read.map_err(|error| unreadable(error.to_string()))?;
    // A node that fails on the way cuts the stream.
    match file_blocks(CidVersion::V1, &content).0.cid == entry.cid {
        true => Ok(content),
        false => Err(unreadable("it was cut".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::local::LocalNode;

    #[test]
    fn files_come_back_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(folder.path()).unwrap();
        let mut ledger = LedgerFiles::default();
        assert!(ledger.encode().is_none());
        let large = vec![7; 600_000];
        ledger.write("owed", b"one".to_vec());
        ledger.write("wanted/2026-11-27", large.clone());
        ledger.write("wanted/2026-11-26", b"two".to_vec());
        let (top, blocks) = ledger.encode().unwrap();
        for (cid, block) in blocks {
            node.put_block(&cid, &block).unwrap();
        }
        let mut read = LedgerFiles::load(&node, Some(&top)).unwrap();
        assert!(read.unreadable(&node).unwrap().is_empty());
        assert_eq!(read.read(&node, "owed").unwrap(), b"one");
        assert_eq!(read.read(&node, "wanted/2026-11-27").unwrap(), large);
        assert_eq!(read.read(&node, "seen").unwrap(), b"");
        let days: Vec<&str> = read.names_in("wanted").collect();
        assert_eq!(days, ["2026-11-26", "2026-11-27"]);
        // Only directories, because all files are stored.
        assert_eq!(read.encode().unwrap().1.len(), 2);
        assert!(read.holds("owed", b"one"));
        read.write("owed", Vec::new());
        assert_ne!(read.encode().unwrap().0.cid, top.cid);
        assert!(!read.holds("owed", b"one"));
    }
}
