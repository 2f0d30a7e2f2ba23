//! Recursive pins with their names. A CID has one pin, and a pin one name.

use super::super::error::{Problem, Refusal};
use super::blocks::BlockStore;
use super::lock::Writing;
use super::problem::refused;
use super::table::Table;
use super::walk::{Walk, walk_new};
use crate::ipfs::cid::Cid;
use std::path::Path;
use std::sync::Arc;

const ADVICE: &str = "restore a copy of it, or remove it: then nothing is pinned until the next \
                      `guix-ipfs sync` pins the published root again; do not collect garbage \
                      before that";

/// The pins of a node.
#[derive(Debug)]
pub struct Pins {
    /// CID to name, which is empty where a pin has none.
    table: Table<String>,
    blocks: Arc<BlockStore>,
}

impl Pins {
    /// The pins kept in `folder`, of blocks in this store.
    pub fn new(folder: &Path, blocks: Arc<BlockStore>) -> Self {
        let table = Table::new(folder.join("pins.json"), ADVICE);
        Self { table, blocks }
    }

    /// Every pinned root with its pin's name.
    pub fn all(&self) -> Result<Vec<(Cid, String)>, Problem> {
        let rows = self.table.rows()?.into_iter();
        rows.map(|(cid, name)| match cid.parse() {
            Ok(cid) => Ok((cid, name)),
            Err(_) => Err(self.table.damaged(format!("{cid:?} is not a CID"))),
        })
        .collect()
    }

    /// Returns true when `root` has a pin of its own.
    pub fn contains(&self, root: &Cid) -> Result<bool, Problem> {
        Ok(self.table.rows()?.contains_key(&root.to_string()))
    }

    /// Pins `root`, or gives its pin another name, once all below it is known to be
    /// there.
    pub fn add(&self, lock: &Writing, root: &Cid, name: &str) -> Result<(), Problem> {
        if !self.contains(root)? {
            Walk::new(&self.blocks).below(root)?;
        }
        self.put(lock, root, name)
    }

    /// Pins `root` without a look at what is below it.
    pub fn put(&self, lock: &Writing, root: &Cid, name: &str) -> Result<(), Problem> {
        self.table.change(lock, |rows| {
            rows.insert(root.to_string(), name.to_owned());
            Ok(())
        })
    }

    /// Pins `new` under the name of `old`'s pin, once all that is not below `old` is
    /// known to be there.
    pub fn update(&self, lock: &Writing, old: &Cid, new: &Cid) -> Result<(), Problem> {
        self.table.change(lock, |rows| {
            let Some(name) = rows.get(&old.to_string()).cloned() else {
                let message = format!("{old} is not pinned");
                return Err(refused(Refusal::NotPinned, message));
            };
            if old == new {
                return Ok(());
            }
            if rows.contains_key(&new.to_string()) {
                let message = format!("{new} is pinned already");
                return Err(refused(Refusal::AlreadyPinned, message));
            }
            walk_new(&self.blocks, old, new)?;
            rows.insert(new.to_string(), name);
            Ok(())
        })
    }

    /// Removes the pin of `root`, if there is one, and returns its name.
    pub fn remove(&self, lock: &Writing, root: &Cid) -> Result<Option<String>, Problem> {
        self.table
            .change(lock, |rows| Ok(rows.remove(&root.to_string())))
    }
}
