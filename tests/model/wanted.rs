//! The account of a mirror from outside: all that was listed, named and removed, and
//! when.

use crate::farm::World;
use crate::item::{ItemId, Minute};
use crate::ledger::Ledger;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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
    /// The items that some run may have wanted, with the moment since when.
    pub possible: BTreeMap<ItemId, Minute>,
    /// The items that stood in a farm's list already when it was read for the first
    /// time: a mirror begins with the newest ones.
    older: HashSet<ItemId>,
    /// The farms whose list was read.
    begun: BTreeSet<usize>,
    /// The items that were seen to be given up.
    pub given_up: BTreeSet<ItemId>,
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
    /// The times when a person may have taken removed items back.
    pub taken_back: HashMap<ItemId, Minute>,
    /// The last time that two wrote at once.
    pub last_pair: Minute,
    /// The runs whose clock was wrong.
    pub jumps: Vec<Minute>,
    /// The last time at which the ledger surely took note that an item was wanted.
    pub last_noted: HashMap<ItemId, Minute>,
    /// The items that a prune may have let go of.
    pub prunable: BTreeSet<ItemId>,
}

impl Wanted {
    pub fn new(world: &Arc<World>) -> Self {
        Self {
            world: Arc::clone(world),
            shown: world.farms.iter().map(|_| HashMap::new()).collect(),
            due: BTreeMap::new(),
            possible: BTreeMap::new(),
            older: HashSet::new(),
            begun: BTreeSet::new(),
            given_up: BTreeSet::new(),
            removed: BTreeSet::new(),
            forced: BTreeSet::new(),
            uncertain: BTreeSet::new(),
            published: BTreeSet::new(),
            last_full: 0,
            taken_back: HashMap::new(),
            last_pair: 0,
            jumps: Vec::new(),
            last_noted: HashMap::new(),
            prunable: BTreeSet::new(),
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
        if self.begun.insert(farm) {
            self.older.extend(self.shown[farm].keys());
        }
        for (id, since) in &self.shown[farm] {
            if now >= since + LOOK {
                self.last_noted.insert(*id, now);
                if !self.older.contains(id) {
                    self.due.entry(*id).or_insert(now);
                }
            }
        }
    }

    /// Takes note of a run that may have read a farm's list.
    pub fn note_tried(&mut self, farm: usize, now: Minute) {
        for id in self.shown[farm].keys() {
            self.possible.entry(*id).or_insert(now);
        }
    }

    /// Takes note of items that a person named, in a run that ended somehow.
    pub fn note_possible(&mut self, items: &[ItemId], now: Minute) {
        for id in items {
            self.possible.entry(*id).or_insert(now);
        }
    }

    /// Takes note of items that a person named, in a run that ended well.
    pub fn note_added(&mut self, items: &[ItemId], now: Minute) {
        for id in items {
            self.removed.remove(id);
            self.forced.remove(id);
            self.uncertain.remove(id);
            self.prunable.remove(id);
            self.last_noted.insert(*id, now);
            self.due.entry(*id).or_insert(now);
        }
    }

    /// Takes note of removed items that a person may take back.
    pub fn note_taken_back(&mut self, items: &[ItemId], now: Minute) {
        let all = self.world.closure(items.iter().copied()).into_iter();
        let removed: Vec<ItemId> = all.filter(|id| self.is_removed(*id)).collect();
        self.taken_back
            .extend(removed.into_iter().map(|id| (id, now)));
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
    pub fn settle(&mut self, ledger: &Ledger) {
        let is_removed = |hash: &str| ledger.removed.contains(hash);
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
        self.published.extend(self.ids(paths));
    }

    /// Takes note of items that came back with one that a person added.
    pub fn note_back(&mut self, paths: &[String]) {
        for id in self.ids(paths) {
            self.removed.remove(&id);
            self.forced.remove(&id);
            self.uncertain.remove(&id);
        }
    }

    /// The items of these store paths.
    pub fn ids(&self, paths: &[String]) -> Vec<ItemId> {
        let hashes = paths
            .iter()
            .map(|path| &path.strip_prefix("/gnu/store/").unwrap()[..32]);
        hashes.map(|hash| self.world.by_hash[hash]).collect()
    }

    /// Takes note of what the ledger has given up.
    pub fn note_given_up(&mut self, ledger: &Ledger) {
        let given_up = ledger.owed.iter().filter(|(_, owed)| owed.given_up);
        let given_up = given_up.map(|(hash, _)| self.world.by_hash[hash]);
        self.given_up.extend(given_up);
    }

    pub fn is_removed(&self, id: ItemId) -> bool {
        self.removed.contains(&id) || self.uncertain.contains(&id)
    }
}
