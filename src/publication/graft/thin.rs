//! The removal of a large part of a tree, whose names need not be held in memory.

use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Changes, Entry, GradualPatch, empty};
use crate::publication::error::PublicationError;
use crate::publication::stage::Stage;
use crate::publication::tree::Tree;
use std::collections::BTreeMap;

/// The root of `tree` without the files for which `goes_out` returns true, by their
/// directory and their name there; new directory blocks go to `stage`. Only `directories`
/// and the root are looked through, each on `jobs` threads. A directory that nothing is
/// left in goes too.
///
/// # Errors
/// A directory cannot be read as a whole.
pub fn thin(
    tree: &Tree,
    stage: &Stage,
    directories: &[Vec<String>],
    jobs: u16,
    goes_out: &mut dyn FnMut(&[String], &str) -> bool,
) -> Result<Entry, PublicationError> {
    let mut directories: Vec<&[String]> = directories.iter().map(Vec::as_slice).collect();
    directories.sort_by_key(|path| std::cmp::Reverse(path.len()));
    let nothing = empty(CidVersion::of(&tree.root)).1;
    let mut changed: BTreeMap<Vec<String>, Changes> = BTreeMap::new();
    for path in directories {
        let Some(entry) = tree.find(path)? else {
            continue;
        };
        let below = changed.remove(path).unwrap_or_default();
        let after = directory(tree, stage, (path, &entry.cid), below, jobs, goes_out)?;
        if let (Some(after), Some((name, above))) = (after, path.split_last()) {
            let after = (after.cid != nothing.cid).then_some(after);
            let above = changed.entry(above.to_vec()).or_default();
            above.insert(name.clone(), after);
        }
    }
    let below = changed.remove(&[][..]).unwrap_or_default();
    let root = directory(tree, stage, (&[], &tree.root), below, jobs, goes_out)?;
    root.map_or_else(|| tree.whole(), Ok)
}

/// A directory without the files that go out and with the changes `below` it; `None`
/// where it stays.
fn directory(
    tree: &Tree,
    stage: &Stage,
    (path, directory): (&[String], &Cid),
    mut below: Changes,
    jobs: u16,
    goes_out: &mut dyn FnMut(&[String], &str) -> bool,
) -> Result<Option<Entry>, PublicationError> {
    let top = tree.top(directory)?;
    let mut patch = GradualPatch::new(&top, CidVersion::of(&tree.root));
    let mut sink = |cid, block| stage.block(cid, block);
    let mut is_changed = false;
    let lost = tree.for_each_part(directory, jobs, |entries| {
        let mut changes = Changes::new();
        for (name, _) in &entries {
            match below.remove(name) {
                Some(change) => {
                    changes.insert(name.clone(), change);
                }
                None if goes_out(path, name) => {
                    changes.insert(name.clone(), None);
                }
                None => {}
            }
        }
        is_changed |= !changes.is_empty();
        Ok::<_, PublicationError>(patch.part(tree, entries, &changes, &mut sink)?)
    })?;
    if let Some((_, error)) = lost.into_iter().next() {
        return Err(error);
    }
    match is_changed {
        false => Ok(None),
        true => Ok(Some(patch.finish(tree, &mut sink)?)),
    }
}
