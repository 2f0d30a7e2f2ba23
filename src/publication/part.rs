//! A part of a mirror on its way to another node: whole files, and blocks of
//! directories.
//!
//! Its own directory links to both, and is pinned there once all of it came: the pin
//! proves that each file is whole, and it survives a kill, so the next run need not send
//! the part again. Blocks of directories are linked under the *raw* codec, because what
//! is below them may come with other parts.

use crate::ipfs::cid::{Cid, CidVersion, RAW};
use crate::ipfs::dag_pb::{Link, PbNode};
use crate::ipfs::directory::{Entry, PlainDirectory};

/// The files from which a part is full. Their links make a directory of some 50 KiB.
const MOST_UNITS: usize = 512;

/// The size from which a part is full, in bytes.
const PART_BYTES: u64 = 64 << 20;

/// First blocks that a part holds in memory, in bytes.
const MOST_HELD: usize = 8 << 20;

/// A file, or the block of a directory.
pub struct Unit {
    /// Its CID.
    pub cid: Cid,
    /// Its first block, of a directory the only one.
    pub block: Vec<u8>,
    /// The other blocks of a file.
    pub links: Vec<Link>,
}

/// A part that is being filled.
#[derive(Default)]
pub struct Part {
    /// In the order in which they came.
    pub units: Vec<Unit>,
    /// Bytes of all blocks.
    pub bytes: u64,
    held: usize,
    directory: PlainDirectory,
}

impl Part {
    /// Takes a file, of which this is the first block.
    pub fn file(&mut self, cid: Cid, size: u64, block: Vec<u8>, node: Option<PbNode>) {
        let links = node.map(|node| node.links).unwrap_or_default();
        let entry = Entry { cid, size };
        self.take(entry, Unit { cid, block, links });
    }

    /// Takes the block of a directory.
    pub fn directory(&mut self, cid: Cid, block: Vec<u8>) {
        let entry = Entry {
            cid: Cid::new_v1(RAW, *cid.hash()),
            size: block.len() as u64,
        };
        let links = Vec::new();
        self.take(entry, Unit { cid, block, links });
    }

    fn take(&mut self, entry: Entry, unit: Unit) {
        let name = entry.cid.to_string();
        if self.directory.entries.insert(name, entry).is_none() {
            self.bytes = self.bytes.saturating_add(entry.size);
            self.held += unit.block.len();
            self.units.push(unit);
        }
    }

    /// Returns true when it is time to send it.
    pub fn is_full(&self) -> bool {
        self.units.len() >= MOST_UNITS || self.bytes >= PART_BYTES || self.held >= MOST_HELD
    }

    /// The part's own directory.
    pub fn directory_block(&self) -> (Cid, Vec<u8>) {
        let (block, entry) = self.directory.encode(CidVersion::V1);
        (entry.cid, block)
    }
}
