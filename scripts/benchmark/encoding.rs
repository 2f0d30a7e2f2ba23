//! The blocks of all items of a year in one encoding, and the bytes that they make.

use crate::year::{Cause, Year};
use std::collections::{HashMap, HashSet};

/// A block's name and its size.
pub type Block = (String, u64);

/// A way to keep nars.
pub struct Encoding {
    pub name: String,
    /// The blocks of each item's nar.
    pub blocks: HashMap<String, Vec<Block>>,
    /// Seconds of one processor for all nars, where somebody's program was measured.
    pub seconds: Option<f64>,
    /// Bytes of narinfos and directories, in all months.
    pub around: Option<u64>,
}

/// The bytes of one encoding.
pub struct Bytes {
    pub first: u64,
    /// At the end of the year, with all that was ever mirrored.
    pub stored: u64,
    /// Fetched by a user in the course of the year, who has all packages and keeps the
    /// last generation.
    pub rebuilds: u64,
    pub updates: u64,
}

impl Encoding {
    pub fn bytes(&self, year: &Year) -> Bytes {
        let mut stored = HashSet::new();
        let mut all = 0;
        let mut bytes = Bytes {
            first: 0,
            stored: 0,
            rebuilds: 0,
            updates: 0,
        };
        for item in &year.items {
            for (name, size) in &self.blocks[&item.hash] {
                if stored.insert(name) {
                    all += size;
                }
            }
            if item.cause == Cause::First {
                bytes.first = all;
            }
        }
        bytes.stored = all;
        for pair in year.generations.windows(2) {
            let mut held: HashSet<&String> = HashSet::new();
            for &item in &pair[0] {
                let blocks = &self.blocks[&year.items[item].hash];
                held.extend(blocks.iter().map(|(name, _)| name));
            }
            for &item in &pair[1] {
                let item = &year.items[item];
                let sum = match item.cause {
                    Cause::Update => &mut bytes.updates,
                    _ => &mut bytes.rebuilds,
                };
                for (name, size) in &self.blocks[&item.hash] {
                    if held.insert(name) {
                        *sum += size;
                    }
                }
            }
        }
        bytes
    }
}
