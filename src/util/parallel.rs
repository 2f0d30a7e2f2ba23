//! The same work for many items on a few threads.

use std::sync::Mutex;
use std::thread;

/// The processors that this process may use; 1 where the system does not tell.
pub fn processors() -> u16 {
    let count = thread::available_parallelism().ok();
    let count = count.and_then(|count| u16::try_from(count.get()).ok());
    count.unwrap_or(1)
}

/// Applies `work` to each item on up to `jobs` threads; results come in the
/// items' order.
pub fn map<T: Send, R: Send>(jobs: u16, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = usize::from(jobs).min(items.len());
    let results: Mutex<Vec<Option<R>>> = Mutex::new(items.iter().map(|_| None).collect());
    let queue = Mutex::new(items.into_iter().enumerate());
    // A poisoned lock means that `work` panicked, which the scope passes on.
    let next = || queue.lock().ok()?.next();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((at, item)) = next() {
                    let result = work(item);
                    if let Ok(mut results) = results.lock() {
                        results[at] = Some(result);
                    }
                }
            });
        }
    });
    let results = results.into_inner().unwrap_or_default();
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_come_in_the_items_order_whatever_the_threads_do() {
        let doubled = super::map(8, (0..1000).collect(), |n: u32| n * 2);
        assert_eq!(doubled, (0..1000).map(|n| n * 2).collect::<Vec<_>>());
        assert!(super::map(4, Vec::<u8>::new(), |n| n).is_empty());
    }
}
