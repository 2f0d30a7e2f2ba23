//! Times to the second, as they are stored.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A day.
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// A time, in seconds since 1970. In JSON it is text, as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This much later.
    #[must_use]
    pub fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(time.as_secs()))
    }

    /// The time that has passed since; `None` where this is still to come.
    pub fn age(self, now: Self) -> Option<Duration> {
        now.0.checked_sub(self.0).map(Duration::from_secs)
    }

    /// The day, `2026-11-27`.
    pub fn day(self) -> String {
        let mut text = self.to_string();
        text.truncate(text.find('T').unwrap_or(text.len()));
        text
    }

    /// The same for the system's calls.
    pub fn system_time(self) -> SystemTime {
        let since = Duration::from_secs(self.0);
        UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH)
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = humantime::TimestampError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        humantime::parse_rfc3339(&text).map(Self::from)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        // No clock is of use that says it is before 1970.
        let since = time.duration_since(UNIX_EPOCH);
        Self(since.map_or(0, |since| since.as_secs()))
    }
}

/// As RFC 3339 writes it, to the second.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The last second that humantime formats: 9999-12-31.
        let time = Self(self.0.min(253_402_300_799)).system_time();
        humantime::format_rfc3339_seconds(time).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_comes_back_from_its_text() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_795_757_000, "2026-11-27T05:23:20Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            let time = Timestamp(seconds);
            assert_eq!(time.to_string(), text);
            assert_eq!(Timestamp::try_from(text.to_owned()), Ok(time));
        }
        assert_eq!(Timestamp(1_795_757_000).day(), "2026-11-27");
        // Beyond that there is no text.
        assert_eq!(Timestamp(u64::MAX).day(), "9999-12-31");
    }
}
