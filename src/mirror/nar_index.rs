//! The nars of a mirror with their sizes, small in memory: there may be millions.

use super::damage::DamagedPart;
use super::nars::{self, PublishedNar};
use crate::ipfs::directory::Entry;
use crate::publication::{PublicationError, Tree};
use crate::util::parallel;
use std::hash::{BuildHasher, RandomState};

/// Nars whose first blocks are read together.
const AT_ONCE: usize = 256;

/// The nars of a root, 24 bytes each. A path that has no nar is taken for one that has
/// with a chance of their number in 2^64, which nobody can contrive.
#[derive(Debug, Default)]
pub struct NarIndex {
    keys: RandomState,
    /// A digest of the path, and the size in bytes where it is known.
    nars: Vec<(u64, Option<u64>)>,
}

/// The sizes that an index holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NarSizes {
    /// None.
    Unknown,
    /// That of the content, as the first block of each nar states it.
    Content,
    /// The cumulative size, as the directory states it.
    Cumulative,
}

impl NarIndex {
    /// The nars of a root, and the directories of nars that cannot be read. Reads the first
    /// block of each nar for the size of its content.
    ///
    /// # Errors
    /// The node fails.
    pub fn read(
        tree: &Tree,
        jobs: u16,
        sizes: NarSizes,
    ) -> Result<(Self, Vec<DamagedPart>), PublicationError> {
        let mut index = Self::default();
        let damaged = nars::for_each_readable(tree, jobs, |nars| {
            let parts = nars.chunks(AT_ONCE).collect();
            let found = parallel::map(
                tree.readers(jobs),
                parts,
                |nars: &[PublishedNar]| match sizes {
                    NarSizes::Unknown => vec![None; nars.len()],
                    NarSizes::Content => content_sizes(tree, nars),
                    NarSizes::Cumulative => nars.iter().map(|nar| Some(nar.entry.size)).collect(),
                },
            );
            let digests = nars.iter().map(|nar| index.keys.hash_one(&nar.path));
            index.nars.extend(digests.zip(found.into_iter().flatten()));
        })?;
        index.nars.sort_unstable();
        Ok((index, damaged))
    }

    /// The number of nars.
    pub fn len(&self) -> usize {
        self.nars.len()
    }

    /// The place of a nar among the others.
    pub fn place(&self, path: &[String]) -> Option<usize> {
        let digest = self.keys.hash_one(path);
        let place = self
            .nars
            .binary_search_by_key(&digest, |(digest, _)| *digest);
        place.ok()
    }

    /// The size of a nar, where it was read.
    pub fn size(&self, path: &[String]) -> Option<u64> {
        self.size_at(self.place(path)?)
    }

    /// The size of the nar in this place, where it was read.
    pub fn size_at(&self, place: usize) -> Option<u64> {
        self.nars[place].1
    }
}

fn content_sizes(tree: &Tree, nars: &[PublishedNar]) -> Vec<Option<u64>> {
    let files: Vec<Entry> = nars.iter().map(|nar| nar.entry).collect();
    tree.file_sizes(&files)
        .into_iter()
        .map(Result::ok)
        .collect()
}
