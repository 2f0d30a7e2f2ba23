//! The downloads that are under way at the same time.
//!
//! A small nar costs its server's answering time, so many are asked for at once. A large
//! one costs the line, and memory for its check: of those fewer are under way, and while
//! they are, small ones go past them.

use super::schedule::{Scheduled, expected_bytes};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// The most requests that are made at once, whatever a person asks for: no server is
/// burdened with more.
pub const MOST_REQUESTS: u16 = 16;

/// Bytes of an item's nars from which on it is large. A line of 80 Mbit/s takes as long
/// for these as a server 100 ms away takes to answer.
const LARGE_BYTES: u64 = 1 << 20;

/// Large items that are under way at once.
const MOST_LARGE: u16 = 4;

/// Does `work` for each item of a batch on up to `jobs` threads. Begins them in their
/// order, but for small ones that go past large ones. Results come in the items' order.
pub fn for_each<R: Send>(
    jobs: u16,
    batch: &[Scheduled],
    work: impl Fn(usize, &Scheduled) -> R + Sync,
) -> Vec<R> {
    let jobs = jobs.clamp(1, MOST_REQUESTS);
    let queue = Queue {
        state: Mutex::new(State {
            open: (0..batch.len()).collect(),
            large: 0,
        }),
        large_is_done: Condvar::new(),
        most_large: usize::from(jobs.min(MOST_LARGE)),
    };
    let is_large = |at: usize| expected_bytes(&batch[at].item) >= LARGE_BYTES;
    let results = Mutex::new((0..batch.len()).map(|_| None).collect::<Vec<_>>());
    thread::scope(|scope| {
        for _ in 0..usize::from(jobs).min(batch.len()) {
            scope.spawn(|| {
                while let Some(at) = queue.next(&is_large) {
                    let result = work(at, &batch[at]);
                    if let Ok(mut results) = results.lock() {
                        results[at] = Some(result);
                    }
                    queue.is_done(is_large(at));
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().flatten().collect()
}

/// The items of a batch that are not begun.
struct Queue {
    state: Mutex<State>,
    large_is_done: Condvar,
    /// Large items that may be under way at once.
    most_large: usize,
}

struct State {
    open: VecDeque<usize>,
    /// Large items that are under way.
    large: usize,
}

impl Queue {
    /// The next item to begin. Waits while only large ones are left and none may begin.
    fn next(&self, is_large: &impl Fn(usize) -> bool) -> Option<usize> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let is_full = state.large >= self.most_large;
            let next = state.open.iter().position(|at| !is_full || !is_large(*at));
            if let Some(next) = next {
                let at = state.open.remove(next)?;
                state.large += usize::from(is_large(at));
                return Some(at);
            }
            if state.open.is_empty() {
                return None;
            }
            state = self
                .large_is_done
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_done(&self, is_large: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if is_large {
            state.large -= 1;
            self.large_is_done.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guix::{Narinfo, base32};
    use crate::mirror::lookup::PlannedItem;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    fn batch(sizes: &[u64]) -> Vec<Scheduled> {
        let scheduled = (0..).zip(sizes).map(|(number, size)| {
            let path = format!("{}-item", base32::encode(&[number; 20]));
            let text = format!(
                "StorePath: /gnu/store/{path}\nURL: nar/{path}\nCompression: none\n\
                 NarHash: sha256:{}\nNarSize: {size}\nReferences: \n",
                base32::encode(&[0; 32])
            );
            let item = PlannedItem {
                delta_sources: Vec::new(),
                narinfo: Narinfo::parse(text.as_bytes()).unwrap(),
                upstream: 0,
            };
            Scheduled { item, begins: true }
        });
        scheduled.collect()
    }

    #[test]
    fn few_large_items_are_under_way_and_results_keep_their_order() {
        let sizes: Vec<u64> = (0..60)
            .map(|at| [LARGE_BYTES, 1, u64::MAX][at % 3])
            .collect();
        for (jobs, most, most_large) in [(1, 1, 1), (3, 3, 3), (9, 9, 4), (16, 16, 4), (64, 16, 4)]
        {
            let [all, large] = [(); 2].map(|()| Gauge::default());
            let done = for_each(jobs, &batch(&sizes), |at, scheduled| {
                let is_large = scheduled.item.narinfo.nar_size >= LARGE_BYTES;
                all.during(1, || {
                    large.during(usize::from(is_large), || {
                        thread::sleep(Duration::from_millis(1));
                    });
                });
                at
            });
            assert_eq!(done, (0..60).collect::<Vec<_>>());
            assert!(all.peak.into_inner() <= most, "{jobs} jobs");
            assert!(large.peak.into_inner() <= most_large, "{jobs} jobs");
        }
    }

    /// The number of things at work, and the most that there were.
    #[derive(Default)]
    struct Gauge {
        now: AtomicUsize,
        peak: AtomicUsize,
    }

    impl Gauge {
        fn during(&self, count: usize, work: impl FnOnce()) {
            let now = self.now.fetch_add(count, Ordering::SeqCst) + count;
            self.peak.fetch_max(now, Ordering::SeqCst);
            work();
            self.now.fetch_sub(count, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_small_item_goes_past_large_ones() {
        let small_is_done = Barrier::new(5);
        let sizes = [
            LARGE_BYTES,
            LARGE_BYTES,
            LARGE_BYTES,
            LARGE_BYTES,
            LARGE_BYTES,
            1,
        ];
        // Four large ones end when the small one is under way; the fifth comes last.
        let done = for_each(5, &batch(&sizes), |at, _| {
            if at != 4 {
                small_is_done.wait();
            }
            at
        });
        assert_eq!(done, [0, 1, 2, 3, 4, 5]);
    }
}
