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

impl NarIndex {
    /// The nars of a root, and the directories of nars that cannot be read. Reads the first
    /// block of each nar where `with_sizes` is set.
    ///
    /// # Errors
    /// The node fails.
    pub fn read(
        tree: &Tree,
        jobs: u16,
        with_sizes: bool,
    ) -> Result<(Self, Vec<DamagedPart>), PublicationError> {
        let mut index = Self::default();
        let damaged =
            nars::for_each_readable(tree, jobs, |nars| {
                let parts = nars.chunks(AT_ONCE).collect();
                let sizes = parallel::map(tree.readers(jobs), parts, |nars: &[PublishedNar]| {
                    match with_sizes {
                        true => sizes(tree, nars),
                        false => vec![None; nars.len()],
                    }
                });
                let digests = nars.iter().map(|nar| index.keys.hash_one(&nar.path));
                index.nars.extend(digests.zip(sizes.into_iter().flatten()));
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
        self.nars[self.place(path)?].1
    }
}

fn sizes(tree: &Tree, nars: &[PublishedNar]) -> Vec<Option<u64>> {
    let files: Vec<Entry> = nars.iter().map(|nar| nar.entry).collect();
    tree.file_sizes(&files)
        .into_iter()
        .map(Result::ok)
        .collect()
}
