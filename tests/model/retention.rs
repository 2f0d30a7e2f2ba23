//! Retention: prunes by a rule of days or of size, within a `sync` and by hand, and the
//! account of what they may have let go of.

use crate::item::{DAY, ItemId, Minute};
use crate::random::Random;
use crate::silent::Silent;
use crate::site::{KEY, Site};
use crate::support::TestNode;
use crate::terms::{End, Terms, killable};
use guix_ipfs::ipfs::dag_pb::PbNode;
use guix_ipfs::mirror::{Failure, PruneOutcome, PruneRequest, PruneTerms, RetentionRule, prune};
use std::collections::BTreeSet;
use std::time::Duration;

/// The days for which items are kept.
const KEPT_FOR: u64 = 25;

/// The days by which the program may take an item for older than it is here: it looks
/// through a whole list once an hour, and counts whole days.
const TOLERANCE: u64 = 2;

/// The minutes from which a wrong clock is not believed.
const YEAR: Minute = 366 * DAY;

/// The days that other wrong clocks may add to a doubted one.
const OF_OTHERS: u64 = 21;

/// The rule of each `sync`.
pub fn rule() -> RetentionRule {
    RetentionRule::new(Some(Duration::from_secs(KEPT_FOR * 24 * 3600)), None)
}

impl Site<'_> {
    /// Lets go of items by the rule, or by a size.
    pub fn prune(&mut self, random: &mut Random, terms: &Terms) -> End {
        let whole = tree_bytes(self.node);
        let rule = match random.chance(300) {
            true => {
                let size = whole * random.between(300, 1100) / 1000;
                RetentionRule::new(None, Some(size))
            }
            false => rule(),
        };
        let request = PruneRequest {
            key: KEY.to_owned(),
            terms: PruneTerms {
                rule,
                is_forced: false,
                listing: true,
                is_scheduled: false,
                now: self.clock(terms),
                jobs: terms.jobs,
            },
            publishing: self.publishing(terms.user),
        };
        let node = killable(self.node.node(), terms);
        let done = prune(&node, &request, &Silent);
        let is_dead = node.is_dead();
        let shown = done.as_ref().map(|summary| &summary.outcome);
        self.log(format!(
            "prune {rule:?} {terms:?}: {shown:?}, killed: {is_dead}"
        ));
        self.counts.runs += 1;
        self.counts.prunes += 1;
        if is_dead {
            self.note_prunable(&rule, terms);
            self.counts.kills += 1;
            return End::Killed;
        }
        match done {
            Ok(summary) => {
                self.check_pruned(&rule, terms, &summary.outcome);
                if let Some(size) = rule.max_size {
                    let left = tree_bytes(self.node);
                    assert!(left <= size, "{left} of {size}");
                }
                End::Well
            }
            Err(Failure::NothingLeft(_)) => End::Failed,
            Err(failure) => {
                self.note_prunable(&rule, terms);
                self.note_failure(terms, &failure);
                End::Failed
            }
        }
    }

    /// Fails the test for an item that went though the rule keeps it.
    pub fn check_pruned(&mut self, rule: &RetentionRule, terms: &Terms, outcome: &PruneOutcome) {
        let items = outcome.items.iter().flatten();
        let paths: Vec<String> = items.map(|item| item.item.clone()).collect();
        assert_eq!(paths.len(), outcome.pruned);
        self.counts.pruned += paths.len();
        let kept = self.kept(rule, terms);
        for id in self.wanted.ids(&paths) {
            let item = &self.world.items[id].basename;
            let wanted = self.wanted.last_noted.get(&id);
            assert!(
                !kept.contains(&id),
                "{item} went, which was wanted at {wanted:?} or is referred to"
            );
            self.wanted.published.remove(&id);
            self.wanted.prunable.insert(id);
        }
    }

    /// Takes note of all that a prune may have let go of that did not come to its end.
    pub fn note_prunable(&mut self, rule: &RetentionRule, terms: &Terms) {
        let kept = self.kept(rule, terms);
        let all = 0..self.world.items.len();
        let prunable = all.filter(|id| !kept.contains(id));
        self.wanted.prunable.extend(prunable);
    }

    /// The items that the rule surely keeps. What refers to others without being published
    /// keeps none.
    fn kept(&self, rule: &RetentionRule, terms: &Terms) -> BTreeSet<ItemId> {
        if rule.max_size.is_some() {
            return BTreeSet::new();
        }
        let (passed, less) = match terms.jump >= YEAR {
            true => (DAY, OF_OTHERS),
            false => (terms.jump, 0),
        };
        let within = (KEPT_FOR - TOLERANCE - less) * DAY;
        let wanted = self.wanted.last_noted.iter();
        let lately = wanted.filter(|(_, at)| self.now + passed <= **at + within);
        let is_there = |id: &ItemId| {
            let wanted = &self.wanted;
            let is_unsure = wanted.uncertain.contains(id) || wanted.prunable.contains(id);
            wanted.published.contains(id) && !is_unsure
        };
        let mut open: Vec<ItemId> = lately.map(|(id, _)| *id).collect();
        let mut kept = BTreeSet::new();
        while let Some(id) = open.pop() {
            if is_there(&id) && kept.insert(id) {
                open.extend(&self.world.items[id].references);
            }
        }
        kept
    }
}

/// The cumulative size of the published root.
fn tree_bytes(node: &TestNode) -> u64 {
    let name = node.key_id(KEY).unwrap();
    let path = node.node().resolve(&name).unwrap().unwrap();
    let block = node
        .raw_block(path.strip_prefix("/ipfs/").unwrap())
        .unwrap();
    PbNode::decode(&block).unwrap().cumulative_size(block.len())
}
