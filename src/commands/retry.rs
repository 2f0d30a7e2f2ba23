//! The one place that retries: what the network or a busy server spoiled is
//! asked for again, a few times and not at once.

use std::thread;
use std::time::Duration;

/// How often one file is asked for.
const ATTEMPTS: u32 = 3;
/// The pause before the second attempt; the next is four times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Does `work` until it succeeds, fails for good, or has failed often enough.
pub fn retry<T, E>(
    is_transient: impl Fn(&E) -> bool,
    mut work: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match work() {
            Err(error) if is_transient(&error) => {
                thread::sleep(jittered(pause));
                pause *= 4;
            }
            done => return done,
        }
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
        let mut tries = 0;
        let mut fail = |_: ()| {
            tries += 1;
            Err::<(), _>("broken")
        };
        assert!(retry(|_| false, || fail(())).is_err());
        assert!(retry(|_| true, || fail(())).is_err());
        assert_eq!(tries, 1 + 3);
    }
}
