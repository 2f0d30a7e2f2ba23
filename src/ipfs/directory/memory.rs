//! Blocks in memory, for the tests of directories.

use super::{Changes, Entry, TreeError, patch_around};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::directory::LostShard;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;

#[derive(Default)]
pub struct Memory {
    pub blocks: RefCell<HashMap<Cid, Vec<u8>>>,
    /// Blocks that were read.
    pub read: Cell<usize>,
}

impl Blocks for Memory {
    type Error = String;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, String> {
        self.read.set(self.read.get() + 1);
        let block = self.blocks.borrow().get(cid).cloned();
        block.ok_or_else(|| format!("{cid} is missing"))
    }
}

impl Memory {
    pub fn insert(&self, (block, entry): (Vec<u8>, Entry)) -> Cid {
        self.blocks.borrow_mut().insert(entry.cid, block);
        entry.cid
    }

    pub fn put(&self, node: &PbNode) -> Cid {
        self.insert(node.seal(CidVersion::V0))
    }

    pub fn remove(&self, cid: &Cid) {
        self.blocks.borrow_mut().remove(cid);
    }

    pub fn patch(
        &self,
        directory: Option<&Cid>,
        lost: &[LostShard],
        changes: Changes,
    ) -> Result<Entry, TreeError<String>> {
        let mut put = |cid, block| {
            self.blocks.borrow_mut().insert(cid, block);
            Ok(())
        };
        patch_around(self, directory, lost, changes, CidVersion::V0, &mut put)
    }
}
