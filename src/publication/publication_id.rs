//! A publication as the files of this machine are named after it.

use std::path::{Path, PathBuf};

/// A node and one of its keys. Both IDs were checked to be no more than IDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicationId {
    /// The ID of the node.
    pub peer_id: String,
    /// The IPNS name of the key.
    pub key_id: String,
}

impl PublicationId {
    /// The file about it with this ending in a folder.
    pub fn file(&self, folder: &Path, ending: &str) -> PathBuf {
        let Self { peer_id, key_id } = self;
        folder.join(format!("{peer_id}-{key_id}.{ending}"))
    }
}
