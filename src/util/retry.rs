//! The one policy of trying again, towards the network and busy servers: a few times, with
//! growing pauses.

use super::diagnosis::{Diagnosis, Retry};
use super::stop::Stop;
use std::thread;
use std::time::Duration;

/// Tries in all.
const ATTEMPTS: u32 = 3;

/// The pause before the second try; each further one is four times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause that a server may ask for. Beyond it the next run is soon enough.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Does `work` until it succeeds, fails for good, or has failed often enough.
/// A signal ends it at the next failure.
pub fn run<T, E: Diagnosis>(stop: &Stop, mut work: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let mut tries = Tries::default();
    loop {
        match work() {
            Ok(done) => return Ok(done),
            Err(failed) => tries.pause_after(failed, stop)?,
        }
    }
}

/// The tries of one piece of work, none of which has failed.
#[derive(Clone, Copy, Debug)]
pub struct Tries {
    /// After the one that runs.
    left: u32,
    /// Before the next one.
    pause: Duration,
}

impl Default for Tries {
    fn default() -> Self {
        Self {
            left: ATTEMPTS - 1,
            pause: FIRST_PAUSE,
        }
    }
}

impl Tries {
    /// Pauses after a failed try, until it is time for the next one.
    ///
    /// # Errors
    /// The failure, where no other try may follow: it would fail again, it was the
    /// last one, or there was a signal.
    pub fn pause_after<E: Diagnosis>(&mut self, failed: E, stop: &Stop) -> Result<(), E> {
        if self.left == 0 || stop.is_asked() {
            return Err(failed);
        }
        match failed.retry() {
            Retry::Soon => stop.pause(jittered(self.pause)),
            Retry::After(time) if time <= LONGEST_PAUSE => {
                stop.pause(time.max(jittered(self.pause)));
            }
            _ => return Err(failed),
        }
        self.left -= 1;
        self.pause *= 4;
        Ok(())
    }
}

/// Pauses before attempt number `failed` + 1 of work that another process interrupted:
/// at random up to a limit that doubles with each attempt, so that two that do the same
/// steps at the same time part.
pub fn step_aside(failed: u32) {
    const LONGEST: Duration = Duration::from_secs(1);
    let limit = Duration::from_millis(10) * 2_u32.saturating_pow(failed.min(16));
    let mut byte = [0];
    let _ = getrandom::fill(&mut byte);
    thread::sleep(limit.min(LONGEST) * u32::from(byte[0]) / 255);
}

/// Between a half and one and a half of `pause`, so that many that failed together do
/// not retry together.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [128];
    // Without randomness the pause is exactly `pause`.
    let _ = getrandom::fill(&mut byte);
    pause / 2 + pause * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("broken")]
    struct Broken(Retry);

    impl Diagnosis for Broken {
        fn retry(&self) -> Retry {
            self.0
        }
    }

    #[test]
    fn an_error_for_good_ends_it_and_another_is_tried_three_times() {
        let tries = |retry: Retry| {
            let mut tries = 0;
            let failed = run(&Stop::default(), || {
                tries += 1;
                Err::<(), _>(Broken(retry))
            });
            assert!(failed.is_err());
            tries
        };
        assert_eq!(tries(Retry::Never), 1);
        assert_eq!(tries(Retry::Soon), 3);
        assert_eq!(tries(Retry::After(Duration::ZERO)), 3);
        assert_eq!(tries(Retry::After(Duration::from_secs(3600))), 1);
    }
}
