//! The one place that retries: what the network or a busy server spoiled is
//! asked for again, a few times and not at once.

use super::stop::Stop;
use crate::guix::HttpError;
use std::time::Duration;

/// How often one file is asked for.
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt; the next is four times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause that a server may ask for. Beyond it the next run is soon
/// enough.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whether to ask again after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It failed for good.
    No,
    /// It may well succeed.
    Soon,
    /// Not before so long: the server's `Retry-After`.
    After(Duration),
}

impl From<&HttpError> for Again {
    fn from(error: &HttpError) -> Self {
        match error.retry_after() {
            _ if !error.is_transient() => Self::No,
            Some(time) => Self::After(time),
            None => Self::Soon,
        }
    }
}

/// Does `work` until it succeeds, fails for good, or has failed often enough.
pub fn retry<T, E>(
    stop: &Stop,
    again: impl Fn(&E) -> Again,
    mut work: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        let failed = match work() {
            Ok(done) => return Ok(done),
            Err(error) if stop.is_asked() => return Err(error),
            Err(error) => error,
        };
        match again(&failed) {
            Again::Soon => stop.pause(jittered(pause)),
            Again::After(time) if time <= LONGEST_PAUSE => stop.pause(time.max(jittered(pause))),
            _ => return Err(failed),
        }
        pause *= 4;
    }
    work()
}

/// Between a half and one and a half of `pause`, so that many who failed
/// together do not come back together.
fn jittered(pause: Duration) -> Duration {
    let mut byte = [128];
    // Without randomness the pause is as long as it says.
    let _ = getrandom::fill(&mut byte);
    pause / 2 + pause * u32::from(byte[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_for_good_is_tried_once_and_what_does_not_three_times() {
        let stop = Stop::default();
        let tries = |again: Again| {
            let mut tries = 0;
            let failed = retry(
                &stop,
                |_| again,
                || {
                    tries += 1;
                    Err::<(), _>("broken")
                },
            );
            assert!(failed.is_err());
            tries
        };
        assert_eq!(tries(Again::No), 1);
        assert_eq!(tries(Again::Soon), 3);
        assert_eq!(tries(Again::After(Duration::ZERO)), 3);
        assert_eq!(tries(Again::After(Duration::from_secs(3600))), 1);
    }
}
