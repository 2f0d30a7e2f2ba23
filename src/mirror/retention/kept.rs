//! The items that are kept.

use super::ages::Ages;
use super::inventory::Inventory;
use crate::mirror::ledger::RetentionRule;

/// The items that are kept, and their nars.
#[derive(Debug)]
pub struct Kept {
    /// True at the place of an item that is kept.
    pub items: Vec<bool>,
    /// True at the place of a nar that a kept item lists.
    pub nars: Vec<bool>,
    /// The number of items.
    pub count: usize,
    /// The number of files, narinfos and nars.
    files: u64,
    /// Bytes of those.
    bytes: u64,
}

/// The part of a closure that was not kept before.
#[derive(Default)]
struct Added {
    items: Vec<usize>,
    nars: Vec<usize>,
    bytes: u64,
}

impl Kept {
    /// Chooses the items that were wanted within the time of the rule, those that were
    /// wanted last first, each with all that it refers to, as long as they fit.
    pub fn choose(inventory: &Inventory, ages: &Ages, rule: &RetentionRule) -> Self {
        let mut kept = Self {
            items: vec![false; inventory.len()],
            nars: vec![false; inventory.nar_count()],
            count: 0,
            files: 0,
            bytes: 0,
        };
        let is_recent = |item: &u32| {
            let seconds = ages.of(*item as usize).saturating_mul(24 * 3600);
            rule.keep_for.is_none_or(|most| seconds <= most)
        };
        let mut order: Vec<u32> = (0..inventory.len() as u32).filter(is_recent).collect();
        order.sort_by_key(|item| ages.rank(*item as usize));
        for item in order {
            if kept.items[item as usize] {
                continue;
            }
            let added = kept.mark(inventory, item as usize);
            let files = kept.files + (added.items.len() + added.nars.len()) as u64;
            let bytes = kept.bytes + added.bytes;
            let is_too_large = |most| inventory.tree_bytes(files, bytes) > most;
            if rule.max_size.is_some_and(is_too_large) {
                added.items.iter().for_each(|it| kept.items[*it] = false);
                added.nars.iter().for_each(|it| kept.nars[*it] = false);
                break;
            }
            kept.count += added.items.len();
            (kept.files, kept.bytes) = (files, bytes);
        }
        kept
    }

    /// Bytes of the tree that is left, as estimated.
    pub fn size(&self, inventory: &Inventory) -> u64 {
        inventory.tree_bytes(self.files, self.bytes)
    }

    /// Marks an item and all that it refers to.
    fn mark(&mut self, inventory: &Inventory, item: usize) -> Added {
        let mut added = Added::default();
        let mut open = vec![item];
        while let Some(item) = open.pop() {
            if std::mem::replace(&mut self.items[item], true) {
                continue;
            }
            added.items.push(item);
            added.bytes += inventory.narinfo_bytes[item];
            for nar in inventory.nars.of(item) {
                if !std::mem::replace(&mut self.nars[nar], true) {
                    added.nars.push(nar);
                    added.bytes += inventory.nar_bytes(nar);
                }
            }
            open.extend(inventory.references.of(item));
        }
        added
    }
}
