//! The account of a mirror from outside: all that was listed, named and removed, and
//! when.

use crate::farm::World;
use crate::item::{ItemId, Minute};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The longest time for which a build that is listed goes unseen, in minutes: once an
/// hour a run looks through the whole list.
const LOOK: Minute = 60;

pub struct Wanted {
    world: Arc<World>,
    /// For each farm the successful builds that its list shows, with the moment since
    /// when.
    shown: Vec<HashMap<ItemId, Minute>>,
    /// The items that some run must have wanted, with the moment since when.
    pub due: BTreeMap<ItemId, Minute>,
    /// The items that some run may have wanted.
    pub possible: BTreeSet<ItemId>,
    /// The items that a person removed, and did not add again.
    pub removed: BTreeSet<ItemId>,
    /// Those that published ones referred to.
    pub forced: BTreeSet<ItemId>,
    /// The items of a removal that was broken off, or an addition.
    pub uncertain: BTreeSet<ItemId>,
    /// The items that were published and not removed since.
    pub published: BTreeSet<ItemId>,
    /// The last run that ended well without limits and could ask every farm.
    pub last_full: Minute,
}

impl Wanted {
    pub fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            shown: world.farms.iter().map(|_| HashMap::new()).collect(),
            due: BTreeMap::new(),
            possible: BTreeSet::new(),
            removed: BTreeSet::new(),
            forced: BTreeSet::new(),
            uncertain: BTreeSet::new(),
            published: BTreeSet::new(),
            last_full: 0,
        }
    }

    /// Takes note of the list that a farm shows when a run begins.
    pub fn note_list(&mut self, farm: usize, now: Minute) {
        let before = std::mem::take(&mut self.shown[farm]);
        for id in self.world.farms[farm].successful(now) {
            let since = before.get(&id).copied().unwrap_or(now);
            self.shown[farm].insert(id, since);
        }
    }

    /// Takes note of a run that read a farm's list and ended well: all that stood
    /// there for an hour is due.
    pub fn note_synced(&mut self, farm: usize, now: Minute) {
        for (id, since) in &self.shown[farm] {
            if now >= since + LOOK {
                self.due.entry(*id).or_insert(now);
            }
        }
    }

    /// Takes note of a run that may have read a farm's list.
    pub fn note_tried(&mut self, farm: usize) {
        self.possible.extend(self.shown[farm].keys());
    }

    /// Takes note of items that a person named, in a run that ended well.
    pub fn note_added(&mut self, items: &[ItemId], now: Minute) {
        for id in items {
            self.removed.remove(id);
            self.forced.remove(id);
            self.uncertain.remove(id);
            self.due.entry(*id).or_insert(now);
        }
    }

    /// Takes note of items that a person removed, in a run that ended well.
    pub fn note_removed(&mut self, items: &[ItemId], forced: bool) {
        for id in items {
            self.published.remove(id);
            self.uncertain.remove(id);
            self.removed.insert(*id);
            if forced {
                self.forced.insert(*id);
            }
        }
    }

    /// Takes note of items that a run may have removed, or taken back, when it was
    /// broken off.
    pub fn note_uncertain(&mut self, items: &[ItemId], forced: bool) {
        self.uncertain.extend(items);
        if forced {
            self.forced.extend(items);
        }
    }

    /// Decides about what was uncertain, by the ledger after a run that ended well.
    pub fn settle(&mut self, is_removed: impl Fn(&str) -> bool) {
        for id in std::mem::take(&mut self.uncertain) {
            match is_removed(&self.world.items[id].hash) {
                true => self.note_removed(&[id], false),
                false => {
                    self.removed.remove(&id);
                    self.forced.remove(&id);
                }
            }
        }
    }

    pub fn note_published(&mut self, paths: &[String]) {
        for path in paths {
            let hash = &path.strip_prefix("/gnu/store/").unwrap()[..32];
            self.published.insert(self.world.by_hash[hash]);
        }
    }

    pub fn is_removed(&self, id: ItemId) -> bool {
        self.removed.contains(&id) || self.uncertain.contains(&id)
    }
}
