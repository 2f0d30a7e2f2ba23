//! The downloads that are under way at the same time.
//!
//! A small nar costs its server's answering time, so many are asked for at once. A large
//! one costs the line, and memory for its check: of those fewer are under way, and while
//! they are, small ones go past them.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// The most requests that are made at once, whatever a person asks for: no server is
/// burdened with more.
pub const MOST_REQUESTS: u16 = 16;

/// Bytes of an item's nars from which on it is large. A line of 80 Mbit/s takes as long
/// for these as a server 100 ms away takes to answer.
const LARGE_BYTES: u64 = 1 << 20;

/// Large items that are under way at once.
const MOST_LARGE: u16 = 4;

/// Does `work` for each item, of so many `bytes`, on up to `jobs` threads. Begins them in
/// their order, but for small ones that go past large ones. Results come in the items'
/// order.
pub fn for_each<T: Sync, R: Send>(
    jobs: u16,
    items: &[T],
    bytes: impl Fn(&T) -> u64,
    work: impl Fn(usize, &T) -> R + Sync,
) -> Vec<R> {
    let jobs = jobs.clamp(1, MOST_REQUESTS);
    let queue = Queue {
        state: Mutex::new(State {
            open: (0..items.len()).collect(),
            large: 0,
        }),
        large_is_done: Condvar::new(),
        most_large: usize::from(jobs.min(MOST_LARGE)),
        is_large: items
            .iter()
            .map(|item| bytes(item) >= LARGE_BYTES)
            .collect(),
    };
    let results = Mutex::new(items.iter().map(|_| None).collect::<Vec<_>>());
    thread::scope(|scope| {
        for _ in 0..usize::from(jobs).min(items.len()) {
            scope.spawn(|| {
                while let Some(at) = queue.next() {
                    let result = work(at, &items[at]);
                    if let Ok(mut results) = results.lock() {
                        results[at] = Some(result);
                    }
                    queue.end(at);
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().flatten().collect()
}

/// The items that are not begun.
struct Queue {
    state: Mutex<State>,
    large_is_done: Condvar,
    /// Large items that may be under way at once.
    most_large: usize,
    is_large: Vec<bool>,
}

struct State {
    open: VecDeque<usize>,
    /// Large items that are under way.
    large: usize,
}

impl Queue {
    /// The next item to begin. Waits while only large ones are left and none may begin.
    fn next(&self) -> Option<usize> {
        let next = |state: &State| {
            let is_full = state.large >= self.most_large;
            let mut open = state.open.iter();
            open.position(|at| !is_full || !self.is_large[*at])
        };
        let must_wait = |state: &mut State| next(state).is_none() && !state.open.is_empty();
        let waited = self.large_is_done.wait_while(self.lock(), must_wait);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        let next = next(&state)?;
        let at = state.open.remove(next)?;
        state.large += usize::from(self.is_large[at]);
        Some(at)
    }

    fn end(&self, at: usize) {
        if self.is_large[at] {
            self.lock().large -= 1;
            self.large_is_done.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn few_large_items_are_under_way_and_results_keep_their_order() {
        let sizes: Vec<u64> = (0..60)
            .map(|at| [LARGE_BYTES, 1, u64::MAX][at % 3])
            .collect();
        for (jobs, most, most_large) in [(1, 1, 1), (3, 3, 3), (9, 9, 4), (16, 16, 4), (64, 16, 4)]
        {
            let [all, large] = [(); 2].map(|()| Gauge::default());
            let done = for_each(jobs, &sizes, u64::clone, |at, size| {
                let is_large = *size >= LARGE_BYTES;
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
        let mut sizes = [LARGE_BYTES; 6];
        sizes[5] = 1;
        // Four large ones end when the small one is under way; the fifth comes last.
        let done = for_each(5, &sizes, u64::clone, |at, _| {
            if at != 4 {
                small_is_done.wait();
            }
            at
        });
        assert_eq!(done, [0, 1, 2, 3, 4, 5]);
    }
}
