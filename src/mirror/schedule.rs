//! The order in which items are mirrored, and the places where a long run commits.
//!
//! References come first, so everything that is whole at some moment is closed, and a
//! run that ends early has published all it can.

use super::lookup::PlannedItem;
use super::request::RunLimits;
use crate::guix::HashPart;
use crate::util::stop::Stop;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// The time for which a batch may begin items.
const BATCH_TIME: Duration = Duration::from_secs(300);
/// The bytes of nars that a batch may begin.
const BATCH_BYTES: u64 = 4 << 30;

/// An item on its way to be mirrored.
#[derive(Debug)]
pub struct Scheduled {
    /// The item.
    pub item: PlannedItem,
    /// A batch may begin here. Not within items that refer to each other in a
    /// circle, as only a hostile upstream has them: those go together.
    pub begins: bool,
}

impl Scheduled {
    /// Its store hash.
    pub fn hash(&self) -> HashPart {
        self.item.hash()
    }
}

/// The items, each after those that it refers to.
pub fn schedule(items: Vec<PlannedItem>) -> VecDeque<Scheduled> {
    let at: HashMap<HashPart, usize> = items.iter().map(PlannedItem::hash).zip(0..).collect();
    let references: Vec<Vec<usize>> = items
        .iter()
        .map(|item| {
            let references = item.narinfo.references.iter();
            references
                .filter_map(|path| at.get(&path.hash()).copied())
                .collect()
        })
        .collect();
    let order = references_first(&references);

    let mut position = vec![0; order.len()];
    for (there, item) in order.iter().enumerate() {
        position[*item] = there;
    }
    let mut items: Vec<Option<PlannedItem>> = items.into_iter().map(Some).collect();
    let mut farthest = 0;
    let scheduled = order.into_iter().enumerate().filter_map(|(there, at)| {
        let begins = there == 0 || farthest < there;
        let referred = references[at].iter().map(|reference| position[*reference]);
        farthest = referred.fold(farthest, usize::max);
        let item = items[at].take()?;
        Some(Scheduled { item, begins })
    });
    scheduled.collect()
}

/// Each number after those it refers to, where that is possible.
fn references_first(references: &[Vec<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(references.len());
    let mut seen = vec![false; references.len()];
    for start in 0..references.len() {
        let mut open = Vec::new();
        if !std::mem::replace(&mut seen[start], true) {
            open.push((start, 0));
        }
        while let Some((at, next)) = open.last_mut() {
            match references[*at].get(*next) {
                Some(&below) => {
                    *next += 1;
                    if !std::mem::replace(&mut seen[below], true) {
                        open.push((below, 0));
                    }
                }
                None => {
                    order.push(*at);
                    open.pop();
                }
            }
        }
    }
    order
}

/// Takes the next batch of about `count` items.
pub fn next_batch(queue: &mut VecDeque<Scheduled>, count: usize) -> Vec<Scheduled> {
    let mut batch = Vec::new();
    while let Some(next) = queue.front() {
        if batch.len() >= count && next.begins {
            break;
        }
        batch.extend(queue.pop_front());
    }
    batch
}

/// The limits of a run that has begun.
#[derive(Debug)]
pub struct Budget {
    stop: Stop,
    max_bytes: Option<u64>,
    end: Option<Instant>,
    max_planned: usize,
    begun_bytes: AtomicU64,
}

impl Budget {
    /// The limits of a run that begins now.
    pub fn new(stop: &Stop, limits: &RunLimits) -> Self {
        let max_time = limits.max_time;
        Self {
            stop: stop.clone(),
            max_bytes: limits.max_bytes,
            end: max_time.and_then(|time| Instant::now().checked_add(time)),
            max_planned: limits.max_planned,
            begun_bytes: AtomicU64::new(0),
        }
    }

    /// Returns true when no more than so many items are planned.
    pub fn is_planned(&self, items: usize) -> bool {
        items >= self.max_planned
    }

    /// The bytes of nars that were begun.
    pub fn begun_bytes(&self) -> u64 {
        self.begun_bytes.load(Ordering::Relaxed)
    }

    /// Takes back what was begun since the sum was `bytes`, because it begins again.
    pub fn go_back_to(&self, bytes: u64) {
        self.begun_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Returns true when a signal ends the run.
    pub fn is_interrupted(&self) -> bool {
        self.stop.is_asked()
    }

    /// Returns true when nothing new may begin.
    pub fn is_spent(&self) -> bool {
        let begun = self.begun_bytes();
        self.stop.is_asked()
            || self.max_bytes.is_some_and(|most| begun >= most)
            || self.end.is_some_and(|end| Instant::now() >= end)
    }
}

/// The decision for each item of a batch to begin it or not.
#[derive(Debug)]
pub struct BatchGate<'b> {
    budget: &'b Budget,
    begun: Instant,
    bytes: AtomicU64,
    /// From here on nothing begins.
    cut: AtomicUsize,
}

impl<'b> BatchGate<'b> {
    /// The gate of a batch that begins now.
    pub fn new(budget: &'b Budget) -> Self {
        Self {
            budget,
            begun: Instant::now(),
            bytes: AtomicU64::new(0),
            cut: AtomicUsize::new(usize::MAX),
        }
    }

    /// Returns true when the item at this place of the batch begins now.
    pub fn admits(&self, at: usize, scheduled: &Scheduled) -> bool {
        let is_full = || {
            self.begun.elapsed() >= BATCH_TIME || self.bytes.load(Ordering::Relaxed) >= BATCH_BYTES
        };
        if scheduled.begins && (self.budget.is_spent() || (at > 0 && is_full())) {
            self.cut.fetch_min(at, Ordering::Relaxed);
        }
        if self.budget.stop.is_asked() || at >= self.cut.load(Ordering::Relaxed) {
            return false;
        }
        let bytes = scheduled.item.expected_bytes();
        add(&self.bytes, bytes);
        add(&self.budget.begun_bytes, bytes);
        true
    }
}

/// Adds without wrapping: the sizes come from narinfos.
fn add(sum: &AtomicU64, bytes: u64) {
    let saturating = |sum: u64| Some(sum.saturating_add(bytes));
    let _ = sum.fetch_update(Ordering::Relaxed, Ordering::Relaxed, saturating);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guix::{Narinfo, base32};

    /// Item `number`, which refers to `references`.
    fn item(number: u8, references: &[u8]) -> PlannedItem {
        let path = |number: &u8| format!("{}-item", base32::encode(&[*number; 20]));
        let references: Vec<String> = references.iter().map(path).collect();
        let text = format!(
            "StorePath: /gnu/store/{0}\nURL: nar/{0}\nCompression: none\nNarHash: sha256:{1}\n\
             NarSize: 100\nReferences: {2}\n",
            path(&number),
            base32::encode(&[0; 32]),
            references.join(" "),
        );
        PlannedItem {
            narinfo: Narinfo::parse(text.as_bytes()).unwrap(),
            upstream: 0,
            delta_sources: Vec::new(),
        }
    }

    fn numbers(queue: impl IntoIterator<Item = Scheduled>) -> Vec<u8> {
        let of = |scheduled: Scheduled| scheduled.item.narinfo.store_path.hash().to_string();
        let numbered: HashMap<String, u8> = (0..20)
            .map(|number| (base32::encode(&[number; 20]), number))
            .collect();
        queue
            .into_iter()
            .map(|scheduled| numbered[&of(scheduled)])
            .collect()
    }

    #[test]
    fn references_come_first_and_batches_are_closed() {
        let items = vec![item(1, &[2, 1]), item(2, &[3]), item(4, &[]), item(3, &[])];
        let mut queue = schedule(items);
        assert_eq!(numbers(next_batch(&mut queue, 2)), [3, 2]);
        assert_eq!(numbers(queue), [1, 4]);
    }

    #[test]
    fn items_in_a_circle_stay_in_one_batch() {
        let items = vec![
            item(5, &[]),
            item(1, &[2]),
            item(2, &[3]),
            item(3, &[1]),
            item(4, &[]),
        ];
        let mut queue = schedule(items);
        assert_eq!(numbers(next_batch(&mut queue, 2)), [5, 3, 2, 1]);
        assert_eq!(numbers(queue), [4]);
    }

    #[test]
    fn nothing_begins_after_the_item_that_the_budget_stopped_at() {
        let budget = Budget::new(
            &Stop::default(),
            &RunLimits {
                max_bytes: Some(150),
                max_time: None,
                checkpoint: 10,
                max_planned: usize::MAX,
            },
        );
        let gate = BatchGate::new(&budget);
        let queue = schedule((1..=4).map(|number| item(number, &[])).collect());
        let begun: Vec<bool> = queue
            .iter()
            .zip(0..)
            .map(|(one, at)| gate.admits(at, one))
            .collect();
        assert_eq!(begun, [true, true, false, false]);
        assert!(budget.is_spent());
    }
}
