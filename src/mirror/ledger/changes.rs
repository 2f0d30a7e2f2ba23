//! The changes that a run makes to the ledger, applied to whichever ledger it
//! commits onto.

use super::files::{OWED, REMOVED, SEEN};
use super::owed::{self, OwedItem};
use super::removed::{self, RemovedItem};
use super::retention::{Retention, RetentionRule};
use super::seen::SeenBuilds;
use super::{lines, wanted};
use crate::guix::HashPart;
use crate::mirror::failure::Failure;
use crate::node::Node;
use crate::publication::LedgerFiles;
use crate::util::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Owed items that are kept. Beyond it those that are owed for the
/// shortest time are not.
const MOST_OWED: usize = 100_000;
/// Items given up that are kept. Beyond it those that were tried least recently are
/// dropped; a list that names one has it tried for two more weeks.
const MOST_GIVEN_UP: usize = 20_000;
/// Removed items that are kept. Beyond it the oldest removals are dropped.
const MOST_REMOVED: usize = 100_000;
/// Lists of builds that are kept. Beyond it those that were not read for the longest
/// time are dropped.
const MOST_LISTS: usize = 16;

/// The changes of a run.
#[derive(Clone, Debug, Default)]
pub struct LedgerChanges {
    /// Items that are owed now, or are not any more.
    pub owed: BTreeMap<HashPart, Option<OwedItem>>,
    /// Items that a person removed, or added again.
    pub removed: BTreeMap<HashPart, Option<RemovedItem>>,
    /// The lists of builds that were read.
    pub seen: Vec<SeenBuilds>,
    /// The items that were wanted.
    pub wanted: BTreeSet<HashPart>,
    /// The rule of retention, where the run is to set it.
    pub rule: Option<RetentionRule>,
}

/// Entries that found no place in the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DroppedEntries {
    /// Owed items.
    pub owed: usize,
    /// Removed items.
    pub removed: usize,
}

impl LedgerChanges {
    /// Applies the changes to the files of a ledger.
    pub fn apply(
        &self,
        node: &dyn Node,
        files: &mut LedgerFiles,
        now: Timestamp,
    ) -> Result<DroppedEntries, Failure> {
        let mut dropped = DroppedEntries::default();
        let mut owed = owed::read(files.read(node, OWED)?);
        if !self.owed.is_empty() {
            change(&mut owed, &self.owed);
            let (mut given_up, mut tried): (BTreeMap<_, _>, BTreeMap<_, _>) =
                owed.into_iter().partition(|(_, item)| item.given_up);
            let newest_first = |item: &OwedItem| std::cmp::Reverse(item.last);
            keep_oldest(&mut given_up, MOST_GIVEN_UP, newest_first);
            dropped.owed = keep_oldest(&mut tried, MOST_OWED, |item| item.since);
            tried.append(&mut given_up);
            files.write(OWED, lines::write(tried.values()));
        }
        if !self.removed.is_empty() {
            let mut removed = removed::read(files.read(node, REMOVED)?);
            change(&mut removed, &self.removed);
            let newest_first = |item: &RemovedItem| std::cmp::Reverse(item.at);
            dropped.removed = keep_oldest(&mut removed, MOST_REMOVED, newest_first);
            files.write(REMOVED, lines::write(removed.values()));
        }
        if !self.seen.is_empty() {
            let mut lists: Vec<SeenBuilds> = lines::read(files.read(node, SEEN)?);
            for seen in &self.seen {
                match lists.iter_mut().find(|known| known.list == seen.list) {
                    None => lists.push(seen.clone()),
                    Some(known) => {
                        known.looked = known.looked.max(seen.looked).min(now);
                        known.reported = seen.reported;
                        known.add(&seen.outputs);
                    }
                }
            }
            let extra = lists.len().saturating_sub(MOST_LISTS);
            if extra > 0 {
                lists.sort_by_key(|list| list.looked);
                lists.drain(..extra);
            }
            files.write(SEEN, lines::write(&lists));
        }
        if let Some(rule) = self.rule {
            let known = Retention::read(node, files)?;
            Retention { rule, ..known }.write(node, files)?;
        }
        wanted::add(node, files, &self.wanted, now)?;
        Ok(dropped)
    }
}

fn change<T: Clone>(entries: &mut BTreeMap<HashPart, T>, changes: &BTreeMap<HashPart, Option<T>>) {
    for (hash, change) in changes {
        match change {
            Some(entry) => entries.insert(*hash, entry.clone()),
            None => entries.remove(hash),
        };
    }
}

/// Keeps the entries with the lowest keys, and returns the number of the others.
fn keep_oldest<T, K: Ord + Copy>(
    entries: &mut BTreeMap<HashPart, T>,
    most: usize,
    key: impl Fn(&T) -> K,
) -> usize {
    let extra = entries.len().saturating_sub(most);
    if extra > 0 {
        let mut order: Vec<(K, HashPart)> = entries
            .iter()
            .map(|(hash, entry)| (key(entry), *hash))
            .collect();
        order.sort_unstable();
        for (_, hash) in &order[most..] {
            entries.remove(hash);
        }
    }
    extra
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::ledger::fixtures::hash;
    use crate::mirror::ledger::{Attempt, BuildList, Ledger, OwedKind};
    use crate::node::local::LocalNode;
    use std::time::Duration;

    #[test]
    fn beyond_its_bounds_the_ledger_says_what_it_drops() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(folder.path()).unwrap();
        let mut changes = LedgerChanges::default();
        for number in 0..100_003 {
            let at = Timestamp(1000 + u64::from(number));
            let (hash, item) = (hash(number), "x".to_owned());
            let attempt = Attempt {
                kind: OwedKind::Absent,
                ..Attempt::left()
            };
            let owed = OwedItem::after(None, hash, &item, attempt, at);
            changes.owed.insert(hash, Some(owed));
            let removed = RemovedItem { hash, item, at };
            changes.removed.insert(hash, Some(removed));
        }
        let mut files = LedgerFiles::default();
        let now = Timestamp(200_000);
        let dropped = changes.apply(&node, &mut files, now).unwrap();
        let expected = DroppedEntries {
            owed: 3,
            removed: 3,
        };
        assert_eq!(dropped, expected);
        let ledger = Ledger::read(&node, &mut files).unwrap();
        assert_eq!(
            (ledger.owed.len(), ledger.removed.len()),
            (100_000, 100_000)
        );
        // The latest are not owed, and the oldest removals are forgotten.
        assert!(ledger.owed.contains_key(&hash(0)) && !ledger.owed.contains_key(&hash(100_002)));
        assert!(
            !ledger.removed.contains_key(&hash(0)) && ledger.removed.contains_key(&hash(100_002))
        );
    }

    #[test]
    fn lists_days_and_given_up_items_have_their_bounds_too() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(folder.path()).unwrap();
        let mut files = LedgerFiles::default();
        for number in 0..402 {
            let now = Timestamp(1_800_000_000 + 86_400 * number);
            let list = BuildList {
                farm: format!("https://{}.example", number % 18),
                system: "x86_64-linux".to_owned(),
                jobset: None,
                no_closure: false,
                max_nar_size: None,
            };
            let seen = SeenBuilds {
                looked: now,
                ..SeenBuilds::none(list)
            };
            let changes = LedgerChanges {
                seen: vec![seen],
                wanted: [hash(1)].into(),
                ..LedgerChanges::default()
            };
            changes.apply(&node, &mut files, now).unwrap();
        }
        let ledger = Ledger::read(&node, &mut files).unwrap();
        assert_eq!(ledger.seen.len(), 16);
        let days: Vec<&str> = files.names_in("wanted").collect();
        // The first two days are gone.
        assert_eq!((days.len(), days[0]), (400, "2027-01-17"));

        // A day of a clock that was ahead by years becomes today.
        let later = LedgerChanges {
            wanted: [hash(2)].into(),
            ..LedgerChanges::default()
        };
        let now = Timestamp(1_800_000_000 + 86_400 * 401);
        let ahead = now.after(Duration::from_secs(86_400 * 3650));
        later.apply(&node, &mut files, ahead).unwrap();
        assert_eq!(files.names_in("wanted").last(), Some("2038-02-17"));
        LedgerChanges::default()
            .apply(&node, &mut files, now)
            .unwrap();
        assert_eq!(files.names_in("wanted").last(), Some("2028-02-20"));
        let today = files.read(&node, "wanted/2028-02-20").unwrap();
        assert_eq!(today, format!("{}\n{}\n", hash(1), hash(2)).into_bytes());

        let mut changes = LedgerChanges::default();
        for number in 0..20_002 {
            let last = Timestamp(1000 + u64::from(number));
            let owed = OwedItem::after(None, hash(number), "x", Attempt::left(), last);
            let given_up = OwedItem {
                given_up: true,
                ..owed
            };
            changes.owed.insert(hash(number), Some(given_up));
        }
        let dropped = changes
            .apply(&node, &mut files, Timestamp(200_000))
            .unwrap();
        assert_eq!(dropped, DroppedEntries::default());
        let owed = Ledger::read(&node, &mut files).unwrap().owed;
        assert_eq!(owed.len(), 20_000);
        assert!(!owed.contains_key(&hash(1)) && owed.contains_key(&hash(2)));
    }
}
