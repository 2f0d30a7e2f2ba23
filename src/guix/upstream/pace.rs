//! The least rate of a body, as of curl's `--speed-limit` and `--speed-time`: a
//! server that sends a byte a second passes every limit of a single read.

use std::time::Duration;

/// The least rate, in bytes a second.
const LEAST_RATE: u64 = 1 << 10;

/// The bytes of a body and the time that was waited for them. Time that their reader
/// takes for itself does not count.
#[derive(Debug)]
pub(super) struct Pace {
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// A rate that is judged whenever so much time was waited.
    pub(super) fn new(window: Duration) -> Self {
        Self {
            window,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Counts bytes that were waited for. The error is the fault in words.
    pub(super) fn count(&mut self, bytes: usize, waited: Duration) -> Result<(), String> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.waited = self.waited.saturating_add(waited);
        if self.waited < self.window {
            return Ok(());
        }
        let (bytes, waited) = (self.bytes, self.waited);
        *self = Self::new(self.window);
        match u128::from(bytes) * 1000 < u128::from(LEAST_RATE) * waited.as_millis() {
            true => Err(format!(
                "{bytes} bytes in {} seconds, less than 1 KiB a second",
                waited.as_secs()
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_judged_once_a_window_and_by_that_window_alone() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(3 * second);
        for bytes in [3 << 10, 0, 0, 1, 0] {
            assert_eq!(pace.count(bytes, second), Ok(()));
        }
        // Bytes of the first window do not count in the second.
        let slow = pace.count(1, second);
        let said = "2 bytes in 3 seconds, less than 1 KiB a second";
        assert_eq!(slow, Err(said.to_owned()));
        assert_eq!(pace.count(0, 2 * second), Ok(()));
        assert!(pace.count(1, Duration::MAX).is_err());
    }
}
