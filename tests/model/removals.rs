//! The runs that take away or mend: removals of one item or of many, and repairs.

use crate::item::ItemId;
use crate::random::Random;
use crate::silent::Silent;
use crate::site::{KEY, Site};
use crate::terms::{End, Terms, killable};
use guix_ipfs::mirror::{
    Check, Closure, Depth, Failure, ItemFilter, ReferencedItems, RemovalRequest, RepairRequest,
    remove, repair, verify,
};
use std::collections::BTreeSet;

impl Site<'_> {
    /// Removes items, `referenced` ones too or not.
    pub fn remove(&mut self, items: &[ItemId], referenced: ReferencedItems, terms: &Terms) -> End {
        let request = RemovalRequest {
            key: KEY.to_owned(),
            items: items.iter().map(|id| self.item_ref(*id)).collect(),
            referenced,
            publishing: self.publishing(terms.user),
            now: self.clock(terms),
            jobs: terms.jobs,
        };
        let node = killable(self.node.node(), terms);
        let done = remove(&node, &request, &Silent);
        let is_dead = node.is_dead();
        self.log(format!(
            "remove {} {terms:?}: {done:?}, killed: {is_dead}",
            items.len()
        ));
        self.counts.runs += 1;
        self.counts.removals += 1;
        let forced = referenced == ReferencedItems::Removed;
        match done {
            Ok(summary) if !is_dead => {
                let removed = self.wanted.ids(&summary.removed);
                self.wanted.note_removed(&removed, forced);
                End::Well
            }
            Err(Failure::InUse { .. }) if !is_dead => End::Failed,
            done => {
                self.wanted.note_uncertain(items, forced);
                match done {
                    Err(failure) if !is_dead => {
                        self.note_failure(terms, &failure);
                        End::Failed
                    }
                    _ => {
                        self.counts.kills += 1;
                        End::Killed
                    }
                }
            }
        }
    }

    /// Some published item.
    pub fn any_published(&self, random: &mut Random) -> Vec<ItemId> {
        let published: Vec<ItemId> = self.wanted.published.iter().copied().collect();
        random.pick(&published).copied().into_iter().collect()
    }

    /// The older half of the published items without those that a newer one needs.
    pub fn old_items(&self) -> Vec<ItemId> {
        let published: Vec<ItemId> = self.wanted.published.iter().copied().collect();
        let (old, new) = published.split_at(published.len() / 2);
        let needed: BTreeSet<ItemId> = self
            .world
            .closure(new.iter().copied())
            .into_iter()
            .collect();
        let kept = old.iter().filter(|id| !needed.contains(id));
        kept.copied().collect()
    }

    /// Checks the mirror, and mends what is broken. Nothing may be, unless an item was
    /// removed that others refer to.
    pub fn repair(&mut self, terms: &Terms) -> End {
        self.counts.runs += 1;
        self.counts.repairs += 1;
        let node = killable(self.node.node(), terms);
        let check = Check {
            depth: Depth::Hashes,
            closure: Closure::Whole,
            jobs: terms.jobs,
        };
        let done = verify(&node, KEY, check, &Silent).and_then(|report| {
            let request = RepairRequest {
                key: KEY.to_owned(),
                upstreams: self.farms.iter().map(|farm| farm.client.clone()).collect(),
                filter: ItemFilter::default(),
                check,
                publishing: self.publishing(terms.user),
                now: self.clock(terms),
                jobs: terms.jobs,
            };
            let may_lack = !self.wanted.forced.is_empty() || !self.wanted.uncertain.is_empty();
            let is_sound = report.is_whole() && report.unlisted.is_empty();
            assert!(node.is_dead() || may_lack || is_sound, "{report:?}");
            repair(&node, &request, report, &Silent)
        });
        let is_dead = node.is_dead();
        self.log(format!(
            "repair {terms:?}: {:?}, killed: {is_dead}",
            done.as_ref().err()
        ));
        match done {
            _ if is_dead => {
                self.counts.kills += 1;
                End::Killed
            }
            Ok(summary) => {
                self.wanted.note_published(&summary.repaired);
                End::Well
            }
            Err(failure) => {
                self.note_failure(terms, &failure);
                End::Failed
            }
        }
    }
}
