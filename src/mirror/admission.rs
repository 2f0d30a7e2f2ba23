//! The one rule by which items enter the published tree, asked before either
//! engine grafts and by a repair too.
//!
//! An item enters when all its files are staged, nothing else stands in their
//! places, no directory would have to hold two names of one hash, and everything
//! that it refers to is published or enters with it. (Which item a nar's path
//! belongs to is decided on its narinfo already, in `lookup`.)

use super::failure::Failure;
use super::fetch::FetchOutcome;
use super::narinfos::{self, nar_paths, narinfo_name};
use super::request::Closure;
use super::schedule::Scheduled;
use super::skipped::SkipReason;
use crate::guix::{HashPart, NarPath, Narinfo};
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{
    DirectoryError, DirectoryNode, Entry, NAMES_AT_ONCE, TreeError, name_hash,
};
use crate::publication::{NewFile, PAGE_NAME, PublicationError, Tree, join};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The decision about an item of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Its files are linked.
    Link,
    /// It is left out.
    Skip(SkipReason),
    /// It has not begun, or refers to an item that has not.
    Later,
}

/// The treatment of a file's place that is taken by other content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenPlace {
    /// The item is left out.
    Refuses,
    /// The content is replaced where the place is the item's own by its name. For
    /// repairs.
    IsReplaced,
}

/// The terms of admission.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'p> {
    /// The items that must come with one.
    pub closure: Closure,
    /// The treatment of places that are taken.
    pub taken_place: TakenPlace,
    /// Items that are left out of the whole run.
    pub excluded: &'p HashSet<HashPart>,
}

/// Items whose places are looked at together.
const AT_ONCE: usize = 256;

/// Decides about each item of a batch, given the outcome of its transfer.
pub fn decide(
    policy: Policy,
    tree: &Tree,
    batch: &[Scheduled],
    outcomes: &[FetchOutcome],
) -> Result<Vec<Decision>, Failure> {
    let mut decisions = Vec::new();
    let mut places = Places::new(tree, policy.taken_place);
    for (batch, outcomes) in batch.chunks(AT_ONCE).zip(outcomes.chunks(AT_ONCE)) {
        places.read_ahead(outcomes);
        for (scheduled, outcome) in batch.iter().zip(outcomes) {
            decisions.push(match outcome {
                FetchOutcome::NotBegun => Decision::Later,
                FetchOutcome::Skipped(reason) => Decision::Skip(reason.clone()),
                FetchOutcome::Whole(files) => match places.take(&scheduled.hash(), files)? {
                    Some(reason) => Decision::Skip(reason),
                    None => Decision::Link,
                },
            });
        }
    }
    if policy.closure == Closure::Whole {
        hold_back(policy.excluded, tree, batch, &mut decisions)?;
    }
    Ok(decisions)
}

/// Holds back items that refer to one that is left out or comes later, and in turn
/// those that refer to them. One that is published already, as in a repair, is there
/// for others.
fn hold_back(
    excluded: &HashSet<HashPart>,
    tree: &Tree,
    batch: &[Scheduled],
    decisions: &mut [Decision],
) -> Result<(), Failure> {
    if decisions.iter().all(|decision| *decision == Decision::Link) && excluded.is_empty() {
        return Ok(());
    }
    let mut excluded = excluded.clone();
    let published = narinfos::published(tree, batch.iter().map(Scheduled::hash))?;
    let mut later = HashSet::new();
    loop {
        for (scheduled, decision) in batch.iter().zip(decisions.iter()) {
            let hash = scheduled.hash();
            match decision {
                Decision::Link => false,
                Decision::Skip(_) => !published.contains(&hash) && excluded.insert(hash),
                Decision::Later => later.insert(hash),
            };
        }
        let mut is_changed = false;
        for (scheduled, decision) in batch.iter().zip(decisions.iter_mut()) {
            if *decision != Decision::Link {
                continue;
            }
            let mut references = scheduled.item.narinfo.references.iter();
            let lacking = references
                .clone()
                .find(|path| excluded.contains(&path.hash()));
            if let Some(path) = lacking {
                *decision = Decision::Skip(SkipReason::WaitsFor(path.clone()));
                is_changed = true;
            } else if references.any(|path| later.contains(&path.hash())) {
                *decision = Decision::Later;
                is_changed = true;
            }
        }
        if !is_changed {
            return Ok(());
        }
    }
}

/// The places of files, in the tree and in the batch.
struct Places<'t> {
    tree: &'t Tree<'t>,
    taken_place: TakenPlace,
    /// Files of the batch.
    files: BTreeMap<Vec<String>, Cid>,
    /// For each directory the names of the batch and, where it is plain, of the
    /// tree, by their hashes.
    names: HashMap<Vec<String>, HashMap<[u8; 8], String>>,
}

impl<'t> Places<'t> {
    fn new(tree: &'t Tree<'t>, taken_place: TakenPlace) -> Self {
        Self {
            tree,
            taken_place,
            files: BTreeMap::new(),
            names: HashMap::new(),
        }
    }

    /// Reads the shards on the ways to the files' places, so that they are at hand.
    fn read_ahead(&self, outcomes: &[FetchOutcome]) {
        let files = outcomes.iter().flat_map(|outcome| match outcome {
            FetchOutcome::Whole(files) => files.as_slice(),
            _ => &[],
        });
        let paths: Vec<&[String]> = files.map(|file| file.path.as_slice()).collect();
        for paths in paths.chunks(NAMES_AT_ONCE) {
            self.tree.read_ahead(paths);
        }
    }

    /// Takes the places of an item's files. Returns the reason if one of them cannot
    /// be had; then none is taken.
    fn take(
        &mut self,
        item: &HashPart,
        files: &[NewFile],
    ) -> Result<Option<SkipReason>, PublicationError> {
        for file in files {
            if let Some(reason) = self.obstacle(item, file)? {
                return Ok(Some(reason));
            }
        }
        for file in files {
            if let Some((name, directory)) = file.path.split_last() {
                let names = self.names.entry(directory.to_vec()).or_default();
                names.insert(name_hash(name), name.clone());
                self.files.insert(file.path.clone(), file.entry.cid);
            }
        }
        Ok(None)
    }

    fn obstacle(
        &mut self,
        item: &HashPart,
        file: &NewFile,
    ) -> Result<Option<SkipReason>, PublicationError> {
        let path = &file.path;
        let Some((name, directory)) = path.split_last() else {
            return Ok(None);
        };
        // The page has its place, also where there is none yet.
        if directory.is_empty() && name_hash(name) == name_hash(PAGE_NAME) {
            return Ok(Some(same_hash(path, PAGE_NAME)));
        }
        let occupied = || {
            let text = format!("{} is already published with other content", join(path));
            Ok(Some(SkipReason::Occupied(text)))
        };
        match self.files.get(path) {
            Some(other) if *other == file.entry.cid => return Ok(None),
            Some(_) => return occupied(),
            None => {}
        }
        let slot = match self.slot(directory, name) {
            Err(PublicationError::Tree(TreeError::Malformed {
                reason: DirectoryError::Codec | DirectoryError::NotADirectory(_),
                ..
            })) => {
                let text = format!("a file is in the way of {}", join(path));
                return Ok(Some(SkipReason::Occupied(text)));
            }
            slot => slot?,
        };
        match slot {
            Some((other, entry)) if other == *name => {
                match entry.cid == file.entry.cid || self.gives_way(item, path, &entry.cid)? {
                    true => Ok(None),
                    false => occupied(),
                }
            }
            Some((other, _)) if name_hash(&other) == name_hash(name) => {
                Ok(Some(same_hash(path, &other)))
            }
            _ => {
                let names = self.names.get(directory);
                let other = names.and_then(|names| names.get(&name_hash(name)));
                let other = other.filter(|other| *other != name);
                Ok(other.map(|other| same_hash(path, other)))
            }
        }
    }

    /// The entry in the place of `name` in a directory of the tree. Records the names
    /// of a plain one, which may become sharded.
    fn slot(
        &mut self,
        path: &[String],
        name: &str,
    ) -> Result<Option<(String, Entry)>, PublicationError> {
        let Some(directory) = self.tree.find(path)? else {
            return Ok(None);
        };
        let top = self.tree.top(&directory.cid)?;
        if let DirectoryNode::Plain(plain) = &*top
            && !self.names.contains_key(path)
        {
            let names = plain.entries.keys();
            let names = names.map(|name| (name_hash(name), name.clone())).collect();
            self.names.insert(path.to_vec(), names);
        }
        Ok(top.slot(self.tree, name)?)
    }

    /// Returns true where the file that stands in a place may be replaced: the place is
    /// the item's own by its name, and either that is asked for, or the item's narinfo
    /// is not published or does not list it. Nobody else may list it.
    fn gives_way(
        &self,
        item: &HashPart,
        path: &[String],
        there: &Cid,
    ) -> Result<bool, PublicationError> {
        let owner = path.last().and_then(|name| NarPath::owner_of(name));
        if owner != Some(*item) || self.is_directory(there)? {
            return Ok(false);
        }
        if self.taken_place == TakenPlace::IsReplaced {
            return Ok(true);
        }
        let Some(narinfo) = self.tree.find(&[narinfo_name(item)])? else {
            return Ok(true);
        };
        if path.len() == 1 {
            return Ok(false);
        }
        match self.tree.read(&narinfo.cid) {
            Ok(bytes) => Ok(Narinfo::parse(&bytes).map_or(true, |narinfo| {
                nar_paths(&narinfo).all(|listed| listed != path)
            })),
            Err(error) if error.is_of_block() => Ok(true),
            Err(error) => Err(error),
        }
    }

    fn is_directory(&self, cid: &Cid) -> Result<bool, PublicationError> {
        match self.tree.top(cid) {
            Ok(_) => Ok(true),
            // A damaged or missing block is what a repair is for.
            Err(error) if error.is_of_block() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn same_hash(path: &[String], other: &str) -> SkipReason {
    SkipReason::refused_because(format!(
        "the names {} and {other:?} have the same hash, so no sharded directory can hold both",
        join(path)
    ))
}
