//! The items of a mirror with their sizes, references and nars, small in memory: some
//! 100 bytes an item.

use crate::guix::HashPart;
use crate::ipfs::directory::Entry;
use crate::mirror::failure::Failure;
use crate::mirror::nar_index::{NarIndex, NarSizes};
use crate::mirror::narinfos::{self, PublishedNarinfo, item_of, nar_paths};
use crate::mirror::nars::NAR;
use crate::publication::Tree;
use std::ops::Range;

/// All items of a mirror. An item is known by its place, and so is a nar.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The items' hashes, sorted.
    hashes: Vec<[u8; 20]>,
    /// Bytes of each item's narinfo.
    pub narinfo_bytes: Vec<u64>,
    /// The published items that each item refers to.
    pub references: Lists,
    /// The nars that each item's narinfo lists and that are there.
    pub nars: Lists,
    index: NarIndex,
    /// Those of the nars that an item lists.
    is_listed: Vec<bool>,
    /// Bytes of the directories.
    directory_bytes: u64,
    /// Bytes of what belongs to no item.
    other_bytes: u64,
    /// The number of nars that no item lists.
    other_nars: u64,
}

/// A list of places for each item. A place fits into 32 bits: more items or nars would not
/// fit into memory.
#[derive(Debug, Default)]
pub struct Lists {
    ranges: Vec<Range<u32>>,
    places: Vec<u32>,
}

impl Lists {
    /// The list of an item.
    pub fn of(&self, item: usize) -> impl Iterator<Item = usize> + '_ {
        let Range { start, end } = self.ranges[item];
        let places = &self.places[start as usize..end as usize];
        places.iter().map(|place| *place as usize)
    }

    fn set(&mut self, item: usize, places: impl IntoIterator<Item = u32>) {
        let start = self.places.len() as u32;
        self.places.extend(places);
        self.ranges[item] = start..self.places.len() as u32;
    }
}

/// The part of a narinfo that the inventory holds.
struct Found {
    item: usize,
    references: Vec<u32>,
    nars: Vec<u32>,
}

impl Inventory {
    /// Reads every directory and narinfo of a mirror.
    ///
    /// # Errors
    /// [`Failure::Unreadable`] for a directory or a narinfo that cannot be read: what it
    /// refers to is not known, so nothing may go.
    pub fn read(tree: &Tree, jobs: u16) -> Result<Self, Failure> {
        let mut inventory = Self::default();
        let others = inventory.read_names(tree, jobs)?;
        let (index, damaged) = NarIndex::read(tree, jobs, NarSizes::Cumulative)?;
        if let Some(damaged) = damaged.into_iter().next() {
            return Err(Failure::Unreadable(damaged.path, damaged.reason));
        }
        inventory.index = index;
        inventory.read_narinfos(tree, jobs)?;
        inventory.measure(tree.whole()?, others);
        Ok(inventory)
    }

    /// Reads the names of the items. Returns the bytes of other files beside the narinfos.
    fn read_names(&mut self, tree: &Tree, jobs: u16) -> Result<u64, Failure> {
        let mut items = Vec::new();
        let mut others = 0;
        let lost = tree.for_each_part(&tree.root, jobs, |entries| {
            for (name, Entry { size, .. }) in entries {
                match item_of(&name) {
                    Some(hash) => items.push((hash.bytes(), size)),
                    None if name == NAR => {}
                    None => others += size,
                }
            }
            Ok::<_, Failure>(())
        })?;
        if let Some((_, reason)) = lost.into_iter().next() {
            return Err(Failure::Unreadable("/".to_owned(), reason.to_string()));
        }
        items.sort_unstable();
        (self.hashes, self.narinfo_bytes) = items.into_iter().unzip();
        Ok(others)
    }

    fn read_narinfos(&mut self, tree: &Tree, jobs: u16) -> Result<(), Failure> {
        let mut references = self.lists();
        let mut nars = self.lists();
        let mut unreadable = None;
        let found = |published: PublishedNarinfo| {
            let item = published.hash().and_then(|hash| self.place(&hash))?;
            let narinfo = match published.narinfo {
                Ok(narinfo) => narinfo,
                Err(reason) => return Some(Err((published.name, reason))),
            };
            let references = narinfo.references.iter();
            let references = references.filter_map(|path| self.place(&path.hash()));
            let references = references.filter(|place| *place != item);
            let nars = nar_paths(&narinfo).filter_map(|path| self.index.place(&path));
            Some(Ok(Found {
                item,
                references: references.map(|place| place as u32).collect(),
                nars: nars.map(|place| place as u32).collect(),
            }))
        };
        let work = |narinfos: Vec<PublishedNarinfo>| {
            let narinfos = narinfos.into_iter();
            narinfos.filter_map(found).collect()
        };
        narinfos::for_each(tree, jobs, work, |found| match found {
            Ok(found) => {
                references.set(found.item, found.references);
                nars.set(found.item, found.nars);
            }
            Err(fault) => unreadable = Some(fault),
        })?;
        if let Some((name, reason)) = unreadable {
            return Err(Failure::UnreadableNarinfo { name, reason });
        }
        self.references = references;
        self.nars = nars;
        Ok(())
    }

    /// Splits the size of the tree into those of items, of directories and of others.
    fn measure(&mut self, whole: Entry, others: u64) {
        let mut is_listed = vec![false; self.index.len()];
        for place in &self.nars.places {
            is_listed[*place as usize] = true;
        }
        let unlisted = (0..is_listed.len()).filter(|place| !is_listed[*place]);
        self.other_nars = unlisted.clone().count() as u64;
        self.other_bytes = others + unlisted.map(|place| self.nar_bytes(place)).sum::<u64>();
        let listed = (0..is_listed.len()).filter(|place| is_listed[*place]);
        let nars: u64 = listed.map(|place| self.nar_bytes(place)).sum();
        self.is_listed = is_listed;
        let files = self.narinfo_bytes.iter().sum::<u64>() + nars + self.other_bytes;
        self.directory_bytes = whole.size.saturating_sub(files);
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The place of an item.
    pub fn place(&self, hash: &HashPart) -> Option<usize> {
        self.hashes.binary_search(&hash.bytes()).ok()
    }

    /// The number of nars.
    pub fn nar_count(&self) -> usize {
        self.index.len()
    }

    /// The place of the nar at this path in the root, where an item lists it.
    pub fn listed_nar(&self, path: &[String]) -> Option<usize> {
        self.index.place(path).filter(|nar| self.is_listed[*nar])
    }

    /// Bytes of a nar.
    pub fn nar_bytes(&self, nar: usize) -> u64 {
        self.index.size_at(nar).unwrap_or_default()
    }

    /// Bytes of the tree with so many bytes in `files` files, as estimated: directories
    /// become smaller with the number of their files.
    pub fn tree_bytes(&self, files: u64, bytes: u64) -> u64 {
        let all = (self.len() + self.nar_count()).max(1) as u128;
        let files = u128::from(files + self.other_nars);
        let directories = u128::from(self.directory_bytes) * files / all;
        bytes + self.other_bytes + directories as u64
    }

    fn lists(&self) -> Lists {
        Lists {
            ranges: vec![0..0; self.len()],
            places: Vec::new(),
        }
    }
}
