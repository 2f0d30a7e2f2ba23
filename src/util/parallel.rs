//! The same work for many items on a few threads.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, mpsc};
use std::thread;

/// The processors that this process may use; 1 where the system does not report them.
pub fn processors() -> u16 {
    let count = thread::available_parallelism().ok();
    let count = count.and_then(|count| u16::try_from(count.get()).ok());
    count.unwrap_or(1)
}

/// Applies `work` to each item on up to `jobs` threads; results come in the
/// items' order.
pub fn map<T: Send, R: Send>(jobs: u16, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let mut results = Vec::with_capacity(items.len());
    for_each(jobs, items, work, |result| {
        results.push(result);
        ControlFlow::Continue(())
    });
    results
}

/// The same, and calls `take` on this thread with each result as soon as it and those
/// before it are there. When `take` breaks, no other item is begun.
pub fn for_each<T: Send, R: Send>(
    jobs: u16,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> ControlFlow<()>,
) {
    let threads = usize::from(jobs).min(items.len());
    let queue = Mutex::new(items.into_iter().enumerate());
    // A poisoned lock means that `work` panicked, which the scope passes on.
    let next = || queue.lock().ok()?.next();
    thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..threads {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((at, item)) = next() {
                    if sender.send((at, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut due = 0;
        for (at, result) in results {
            early.insert(at, result);
            while let Some(result) = early.remove(&due) {
                due += 1;
                if take(result).is_break() {
                    return;
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn after_a_break_no_item_is_begun() {
        let begun = AtomicUsize::new(0);
        let work = |n: usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(std::time::Duration::from_millis(1));
            n
        };
        let mut taken = Vec::new();
        super::for_each(2, (0..10_000).collect(), work, |n| {
            taken.push(n);
            match n {
                9 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!(taken, (0..10).collect::<Vec<_>>());
        assert!(begun.into_inner() < 10_000);
    }

    #[test]
    fn results_come_in_the_items_order_whatever_the_threads_do() {
        let doubled = super::map(8, (0..1000).collect(), |n: u32| n * 2);
        assert_eq!(doubled, (0..1000).map(|n| n * 2).collect::<Vec<_>>());
        assert!(super::map(4, Vec::<u8>::new(), |n| n).is_empty());
    }
}
