//! Which items of a batch may be linked: those that are whole, whose places are
//! free, and that refer to nothing that stays out.

use super::batch::Queued;
use super::transfer::Outcome;
use crate::failure::Failure;
use crate::guix::HashPart;
use crate::ipfs::directory::{DirectoryError, Entry, TreeError};
use crate::publication::graft::NewFile;
use crate::publication::{PublicationError, Tree, join};
use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

/// What becomes of an item of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its files are linked.
    Linked,
    /// It stays out, because of itself; and whether the same would happen again.
    Refused(String, bool),
    /// It stays out, because of something that it refers to.
    Waiting(String),
    /// It has not begun, or refers to something that has not.
    Later,
}

/// How to decide.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'r> {
    /// Whether an item must come with all that it refers to.
    pub closure: bool,
    /// Whether other content may be replaced.
    pub overwrite: bool,
    /// Items that stay out of the whole run.
    pub gone: &'r HashSet<HashPart>,
}

/// Decides for each item of a batch, given what became of its transfer.
pub fn settle(
    rules: Rules,
    tree: &Tree,
    batch: &[Queued],
    outcomes: &[Outcome],
) -> Result<Vec<Fate>, Failure> {
    let mut fates = Vec::new();
    let mut taken = BTreeMap::new();
    for outcome in outcomes {
        fates.push(match outcome {
            Outcome::NotBegun => Fate::Later,
            Outcome::Refused(reason) => Fate::Refused(reason.clone(), true),
            Outcome::Broken(reason) => Fate::Refused(reason.clone(), false),
            Outcome::Whole(_) if rules.overwrite => Fate::Linked,
            Outcome::Whole(files) => match occupied(tree, &mut taken, files)? {
                Some(reason) => Fate::Refused(reason, false),
                None => Fate::Linked,
            },
        });
    }
    if rules.closure {
        hold_back(rules.gone, batch, &mut fates);
    }
    Ok(fates)
}

/// Takes out what refers to something that stays out or comes later, and in turn
/// what refers to that.
fn hold_back(gone: &HashSet<HashPart>, batch: &[Queued], fates: &mut [Fate]) {
    let mut gone = gone.clone();
    let mut later = HashSet::new();
    loop {
        for (queued, fate) in batch.iter().zip(fates.iter()) {
            let hash = queued.item.narinfo.store_path.hash();
            match fate {
                Fate::Linked => false,
                Fate::Refused(..) | Fate::Waiting(_) => gone.insert(hash),
                Fate::Later => later.insert(hash),
            };
        }
        let mut changed = false;
        for (queued, fate) in batch.iter().zip(fates.iter_mut()) {
            if *fate != Fate::Linked {
                continue;
            }
            let references = &queued.item.narinfo.references;
            if let Some(path) = references.iter().find(|path| gone.contains(&path.hash())) {
                *fate = Fate::Waiting(waits_for(path));
                changed = true;
            } else if references.iter().any(|path| later.contains(&path.hash())) {
                *fate = Fate::Later;
                changed = true;
            }
        }
        if !changed {
            return;
        }
    }
}

/// Why an item waits that refers to `path`.
pub fn waits_for(path: &impl std::fmt::Display) -> String {
    format!("it refers to {path}, which cannot be mirrored (yet)")
}

/// Why these files cannot be linked: something else, here or in the root, has
/// the name of one, or stands where a directory on its way would have to be.
fn occupied(
    tree: &Tree,
    taken: &mut BTreeMap<Vec<String>, Entry>,
    files: &[NewFile],
) -> Result<Option<String>, Failure> {
    for file in files {
        let path = &file.path;
        let there = match taken.get(path) {
            Some(entry) => Some(*entry),
            None => match tree.find(path) {
                Err(PublicationError::Tree(TreeError::Malformed {
                    reason: DirectoryError::Codec | DirectoryError::NotADirectory(_),
                    ..
                })) => return Ok(Some(format!("a file stands in the way of {}", join(path)))),
                found => found?,
            },
        };
        if there.is_some_and(|entry| entry.cid != file.entry.cid) {
            return Ok(Some(format!(
                "{} is already published with other content",
                join(path)
            )));
        }
        let is_below_a_file = (1..path.len()).any(|at| taken.contains_key(&path[..at]));
        let next = taken.range::<Vec<String>, _>((Bound::Excluded(path), Bound::Unbounded));
        let is_above_a_file = next.take(1).any(|(other, _)| other.starts_with(path));
        if is_below_a_file || is_above_a_file {
            return Ok(Some(format!("a file stands in the way of {}", join(path))));
        }
    }
    taken.extend(files.iter().map(|file| (file.path.clone(), file.entry)));
    Ok(None)
}
