//! The limit of the rate at which a run downloads, as of curl's `--limit-rate`: one
//! for all its connections together.

use std::num::NonZeroU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The time that may be made up for, where less was received than the limit allows.
const BURST: Duration = Duration::from_secs(1);

/// The part of a second for which bytes are taken at once: all who wait have their
/// turn as often.
const PORTIONS: u64 = 8;

/// A limit of bytes a second, or none. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct RateLimit(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    /// Bytes a second.
    rate: NonZeroU64,
    state: Mutex<State>,
    lifted: Condvar,
}

#[derive(Debug)]
struct State {
    /// The time at which all bytes that were taken so far are due.
    due: Instant,
    is_lifted: bool,
}

impl RateLimit {
    /// A limit of so many bytes a second.
    #[must_use]
    pub fn new(rate: NonZeroU64) -> Self {
        Self(Some(Arc::new(Shared {
            rate,
            state: Mutex::new(State {
                due: Instant::now(),
                is_lifted: false,
            }),
            lifted: Condvar::new(),
        })))
    }

    /// The bytes that are received in so many seconds, if there is a limit.
    pub(super) fn bytes_in(&self, seconds: u64) -> Option<u64> {
        let shared = self.0.as_ref()?;
        Some(shared.rate.get().saturating_mul(seconds))
    }

    /// The bytes to take at once, of those that are wanted.
    pub(super) fn portion(&self, wanted: usize) -> usize {
        let Some(shared) = &self.0 else { return wanted };
        let portion = (shared.rate.get() / PORTIONS).max(1);
        wanted.min(usize::try_from(portion).unwrap_or(usize::MAX))
    }

    /// Waits until bytes that were taken are due, after all that others took before.
    pub(super) fn pay(&self, bytes: usize) {
        let Some(shared) = &self.0 else { return };
        let time = bytes as u128 * 1_000_000_000 / u128::from(shared.rate.get());
        let time = Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX));
        let mut state = shared.state();
        let now = Instant::now();
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let due = state.due.max(earliest).checked_add(time).unwrap_or(now);
        state.due = due;
        while !state.is_lifted
            && let Some(wait) = due.checked_duration_since(Instant::now())
            && !wait.is_zero()
        {
            let waited = shared.lifted.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends the limit, and every wait for it.
    pub(super) fn lift(&self) {
        if let Some(shared) = &self.0 {
            shared.state().is_lifted = true;
            shared.lifted.notify_all();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn limit(rate: u64) -> RateLimit {
        RateLimit::new(NonZeroU64::new(rate).unwrap())
    }

    #[test]
    fn all_who_share_a_limit_wait_for_it_together() {
        let limit = limit(1000);
        let begun = Instant::now();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10).for_each(|_| limit.pay(10)));
            }
        });
        assert!(begun.elapsed() >= Duration::from_millis(400));
    }

    #[test]
    fn a_portion_is_part_of_a_second_and_never_nothing() {
        assert_eq!(limit(8000).portion(1 << 20), 1000);
        assert_eq!(limit(8000).portion(10), 10);
        assert_eq!(limit(1).portion(1 << 20), 1);
        assert_eq!(limit(u64::MAX).portion(1 << 20), 1 << 20);
        assert_eq!(RateLimit::default().portion(1 << 20), 1 << 20);
    }

    #[test]
    fn a_limit_that_is_lifted_ends_every_wait() {
        let limit = limit(1);
        let begun = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| limit.pay(1 << 20));
            scope.spawn(|| limit.pay(1 << 20));
            thread::sleep(Duration::from_millis(20));
            limit.lift();
        });
        limit.pay(usize::MAX);
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
}
