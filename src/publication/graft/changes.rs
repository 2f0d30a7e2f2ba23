//! Changes to a tree, sorted by directory.

use crate::ipfs::directory::{Changes, Entry, LostShard};
use std::collections::BTreeMap;

/// A file that was staged, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// The names from the root down, each already validated.
    pub path: Vec<String>,
    /// The staged file.
    pub entry: Entry,
}

/// The changes in one directory and in those below it.
#[derive(Default)]
pub struct FolderChanges {
    /// New files, and names to be removed.
    pub entries: Changes,
    /// Directories with changes.
    pub folders: BTreeMap<String, FolderChanges>,
    /// Shards that are not read, and are gone with all below them.
    pub lost: Vec<LostShard>,
}

impl FolderChanges {
    /// The addition of these files.
    pub fn adding(files: &[NewFile]) -> Self {
        let mut top = Self::default();
        for file in files {
            if let Some((folder, name)) = top.folder_of(&file.path) {
                folder.entries.insert(name.clone(), Some(file.entry));
            }
        }
        top
    }

    /// The removal of the files at these paths.
    pub fn removing(paths: &[Vec<String>]) -> Self {
        let mut top = Self::default();
        paths.iter().for_each(|path| top.remove(path));
        top
    }

    /// Removes what is at `path`.
    pub fn remove(&mut self, path: &[String]) {
        if let Some((folder, name)) = self.folder_of(path) {
            folder.entries.insert(name.clone(), None);
        }
    }

    /// The changes of the directory at `path`.
    pub fn folder(&mut self, path: &[String]) -> &mut Self {
        let mut folder = self;
        for name in path {
            folder = folder.folders.entry(name.clone()).or_default();
        }
        folder
    }

    /// The folder of the file at `path`, and its name there.
    fn folder_of<'p>(&mut self, path: &'p [String]) -> Option<(&mut Self, &'p String)> {
        let (name, above) = path.split_last()?;
        Some((self.folder(above), name))
    }
}
