//! The removal of items, with the nars that no remaining narinfo lists.

use super::announcing::announce;
use super::failure::Failure;
use super::items::ItemRef;
use super::keys::view_of;
use super::ledger::{Ledger, LedgerChanges, RemovedItem, recover_encoding};
use super::name_change::NameChange;
use super::narinfos::{self, PublishedNarinfo, item_of, nar_paths, narinfo_name};
use super::nars;
use super::observer::{Event, Observer};
use super::skipped::{SkipReason, Skipped};
use crate::guix::{HashPart, NarPath, Narinfo};
use crate::node::Node;
use crate::publication::{
    Committed, Engine, LedgerFiles, Publisher, PublisherOptions, Stage, Tree, adopt_damaged,
    publish_with_rebase, remove as remove_files,
};
use crate::util::timestamp::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::SystemTime;

/// A request to remove items.
#[derive(Clone, Debug)]
pub struct RemovalRequest {
    /// The node's name of the key.
    pub key: String,
    /// The items.
    pub items: Vec<ItemRef>,
    /// The treatment of items that published ones refer to.
    pub referenced: ReferencedItems,
    /// The terms of publishing.
    pub publishing: PublisherOptions,
    /// The time of the removal.
    pub now: SystemTime,
    /// Narinfos that are read at once.
    pub jobs: u16,
}

/// The treatment of items that published ones refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferencedItems {
    /// Nothing is removed.
    Kept,
    /// They are removed all the same.
    Removed,
}

/// The result of a removal.
#[derive(Debug, Serialize)]
pub struct RemovalSummary {
    /// The effect on the name.
    #[serde(flatten)]
    pub change: NameChange,
    /// The items that were removed, by their store paths where those are known.
    pub removed: Vec<String>,
    /// The number of their files.
    pub files: usize,
    /// The items that were not published.
    #[serde(rename = "missing")]
    pub skipped: Vec<Skipped>,
}

/// Removes items.
///
/// # Errors
/// [`Failure::InUse`] for an item that a published one refers to; the reason why
/// the run stops.
pub fn remove(
    node: &dyn Node,
    request: &RemovalRequest,
    observer: &dyn Observer,
) -> Result<RemovalSummary, Failure> {
    view_of(node, &request.key)?;
    let publisher = Publisher::open(node, &request.key, &request.publishing)?;
    let mut base = adopt_damaged(&publisher)?;
    let mut removal = Removal::default();
    let before = base.root;
    let tree = Tree::new(node, before);
    // Planned again where another writer was quicker.
    let work = |tree: &Tree, stage: &Stage, ledger: &mut LedgerFiles| {
        let earlier = std::mem::take(&mut removal);
        removal = Removal::plan(tree, request)?;
        removal.include(earlier);
        recover_encoding(tree, ledger);
        removal.record(node, ledger, request.now.into())?;
        match removal.paths.is_empty() {
            true => Ok(None),
            false => Ok::<_, Failure>(Some(remove_files(tree, stage, &removal.paths)?)),
        }
    };
    let committed = publish_with_rebase(&publisher, &mut base, &tree, Engine::Car, work)?;
    if base.root != before {
        announce(&publisher, &base.root, observer);
    }
    if removal.forgotten > 0 {
        observer.notify(Event::RemovalsForgotten(removal.forgotten));
    }
    let committed = match removal.files.is_empty() {
        true => committed,
        // The last try may have had nothing left to remove.
        false => Committed::Published,
    };
    Ok(RemovalSummary {
        change: NameChange::new(&publisher.view.key, before, base.root, committed),
        files: removal.files.len(),
        removed: removal.removed.into_iter().map(|(_, path)| path).collect(),
        skipped: removal.skipped,
    })
}

/// The plan of a removal.
#[derive(Debug, Default)]
struct Removal {
    /// The files, narinfos and nars.
    paths: Vec<Vec<String>>,
    /// These, and those of earlier tries.
    files: BTreeSet<Vec<String>>,
    /// The items, by their store paths where those are known.
    removed: Vec<(HashPart, String)>,
    /// Older removals that the ledger has no room for any more.
    forgotten: usize,
    skipped: Vec<Skipped>,
}

impl Removal {
    /// Reads the narinfos of the items, and then every other one: one that refers to
    /// an item keeps it, and one that lists a nar keeps that. An item's nars are those
    /// that it lists, and those with its hash in their names.
    fn plan(tree: &Tree, request: &RemovalRequest) -> Result<Self, Failure> {
        let mut removal = Self::default();
        let mut wanted: HashMap<HashPart, &ItemRef> = HashMap::new();
        let mut published: HashSet<HashPart> = HashSet::new();
        let mut nars: BTreeSet<Vec<String>> = BTreeSet::new();
        let items = request.items.iter();
        let items = items.filter(|item| wanted.insert(item.hash, item).is_none());
        let items: Vec<HashPart> = items.map(|item| item.hash).collect();
        let entries = narinfos::entries(tree, &items)?;
        let found = items.iter().zip(entries);
        let found = found.filter_map(|(item, entry)| Some((narinfo_name(item), entry?.cid)));
        for PublishedNarinfo { name, narinfo } in
            PublishedNarinfo::read_each(tree, found.collect())?
        {
            removal.paths.push(vec![name.clone()]);
            // One that cannot be read names no nars.
            nars.extend(narinfo.iter().flat_map(nar_paths));
            if let Some(item) = item_of(&name) {
                let path = narinfo.map_or(name, |narinfo| narinfo.store_path.to_string());
                published.insert(item);
                removal.removed.push((item, path));
            }
        }
        let lost = nars::for_each_readable(tree, request.jobs, |found| {
            for nar in found {
                let owner = nar.path.last().and_then(|name| NarPath::owner_of(name));
                if let Some(item) = owner.filter(|hash| wanted.contains_key(hash)) {
                    nars.insert(nar.path);
                    // A nar without a narinfo is all that is left of it.
                    if published.insert(item) {
                        removal.removed.push((item, wanted[&item].label.clone()));
                    }
                }
            }
        })?;
        if let Some(lost) = lost.into_iter().next() {
            return Err(Failure::Unreadable(lost.path, lost.reason));
        }
        for hash in items.iter().filter(|hash| !published.contains(*hash)) {
            let skipped = Skipped::new(wanted[hash].clone(), SkipReason::NotPublished);
            removal.skipped.push(skipped);
        }
        if published.is_empty() {
            return Ok(removal);
        }
        let mut referrers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let is_wanted = |hash: &HashPart| wanted.contains_key(hash);
        let work = |mut narinfos: Vec<PublishedNarinfo>| {
            narinfos.retain(|narinfo| !narinfo.hash().as_ref().is_some_and(is_wanted));
            let narinfos = narinfos.into_iter();
            narinfos
                .filter_map(|narinfo| narinfo.narinfo.ok())
                .collect()
        };
        narinfos::for_each(tree, request.jobs, work, |narinfo: Narinfo| {
            let references = narinfo.references.iter();
            for item in references.filter(|path| is_wanted(&path.hash())) {
                let by = narinfo.store_path.to_string();
                referrers.entry(item.to_string()).or_default().push(by);
            }
            for path in nar_paths(&narinfo) {
                nars.remove(&path);
            }
        })?;
        if let (Some((item, by)), ReferencedItems::Kept) =
            (referrers.first_key_value(), request.referenced)
        {
            return Err(Failure::InUse {
                item: item.clone(),
                by: by[0].clone(),
                others: by.len() - 1,
            });
        }
        let nars: Vec<Vec<String>> = nars.into_iter().collect();
        let entries = tree.find_each(&nars)?;
        let there = nars.into_iter().zip(entries);
        let there = there.filter_map(|(path, entry)| entry.map(|_| path));
        removal.paths.extend(there);
        Ok(removal)
    }

    /// Takes over what an earlier try has removed: it was published, and another writer
    /// continued from it.
    fn include(&mut self, earlier: Self) {
        self.files = earlier.files;
        self.files.extend(self.paths.iter().cloned());
        let mut known: HashSet<HashPart> = self.removed.iter().map(|(hash, _)| *hash).collect();
        let removed = earlier.removed.into_iter();
        let removed = removed.filter(|(hash, _)| known.insert(*hash));
        self.removed.extend(removed);
        let is_removed = |hash: HashPart| known.contains(&hash);
        let is_left = |skipped: &Skipped| !skipped.hash.is_some_and(is_removed);
        self.skipped.retain(is_left);
    }

    /// Records in the ledger that a person wants these items to stay out. An item
    /// that is owed and not published can be removed, too.
    fn record(
        &mut self,
        node: &dyn Node,
        files: &mut LedgerFiles,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let owed = Ledger::read(node, files)?.owed;
        let owed_of = |skipped: &Skipped| skipped.hash.and_then(|hash| owed.get(&hash));
        for item in self.skipped.iter().filter_map(owed_of) {
            self.removed.push((item.hash, item.item.clone()));
        }
        self.skipped.retain(|skipped| owed_of(skipped).is_none());
        let mut changes = LedgerChanges::default();
        for (hash, item) in &self.removed {
            let removed = RemovedItem {
                hash: *hash,
                item: item.clone(),
                at: now,
            };
            changes.removed.insert(*hash, Some(removed));
            if owed.contains_key(hash) {
                changes.owed.insert(*hash, None);
            }
        }
        self.forgotten = changes.apply(node, files, now)?.removed;
        Ok(())
    }
}
