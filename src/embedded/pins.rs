//! Recursive pins with their names. A CID has one pin, and a pin one name.

use super::EmbeddedError;
use super::store::BlockStore;
use super::table::Table;
use super::walk::{Walk, find_new};
use crate::ipfs::cid::Cid;
use std::path::Path;

/// The pins of a node.
#[derive(Debug)]
pub struct Pins {
    /// CID to name; the name is empty where a pin has none.
    table: Table<String>,
}

impl Pins {
    /// Reads the pins kept in the file `path`.
    pub fn open(path: &Path) -> Result<Self, EmbeddedError> {
        let table = Table::open(path)?;
        Ok(Self { table })
    }

    /// Every pinned root with its pin's name.
    pub fn all(&self) -> Vec<(Cid, String)> {
        let rows = self.table.rows().into_iter();
        rows.filter_map(|(cid, name)| Some((cid.parse().ok()?, name)))
            .collect()
    }

    /// The name of the pin of `root`, if it has one.
    pub fn name(&self, root: &Cid) -> Option<String> {
        self.table.get(&root.to_string())
    }

    /// Pins `root`, or gives its pin another name, once all below it is found here.
    pub fn add(&self, blocks: &BlockStore, root: &Cid, name: &str) -> Result<(), EmbeddedError> {
        if self.name(root).is_none() {
            Walk::new(blocks, [*root]).finish()?;
        }
        self.put(root, name)
    }

    /// Pins `new` under the name of `old`'s pin, looking only at what differs.
    pub fn update(
        &self,
        blocks: &BlockStore,
        old: &Cid,
        new: &Cid,
        unpin: bool,
    ) -> Result<(), EmbeddedError> {
        let Some(name) = self.name(old) else {
            let text = "'from' cid was not recursively pinned already";
            return Err(EmbeddedError::refused(text));
        };
        if old == new {
            return Ok(());
        }
        if self.name(new).is_some() {
            let text = "'to' cid was already recursively pinned";
            return Err(EmbeddedError::refused(text));
        }
        find_new(blocks, old, new)
            .map_err(|error| EmbeddedError::refused(format!("get {new}: {error}")))?;
        self.table.change(|rows| {
            if unpin {
                rows.remove(&old.to_string());
            }
            rows.insert(new.to_string(), name);
        })
    }

    /// Removes the pin of `root`.
    pub fn remove(&self, root: &Cid) -> Result<(), EmbeddedError> {
        if self.name(root).is_none() {
            return Err(EmbeddedError::refused("not pinned or pinned indirectly"));
        }
        self.table.change(|rows| rows.remove(&root.to_string()))?;
        Ok(())
    }

    fn put(&self, root: &Cid, name: &str) -> Result<(), EmbeddedError> {
        self.table
            .change(|rows| rows.insert(root.to_string(), name.to_owned()))?;
        Ok(())
    }
}
