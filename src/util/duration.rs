//! Durations as people write them.

use std::time::Duration;

/// Reads days, hours, minutes and seconds, such as `90d` or `1h30m`; `None` for
/// anything else.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0u64;
    while let Some(at) = rest.find(['d', 'h', 'm', 's']) {
        let unit = match rest.as_bytes()[at] {
            b'd' => 24 * 3600,
            b'h' => 3600,
            b'm' => 60,
            _ => 1,
        };
        let part = rest[..at].parse::<u64>().ok()?.checked_mul(unit)?;
        seconds = seconds.checked_add(part)?;
        rest = &rest[at + 1..];
    }
    (rest.is_empty() && !text.is_empty()).then_some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn days_hours_minutes_and_seconds_add_up() {
        assert_eq!(parse("48h"), Some(Duration::from_secs(48 * 3600)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse("90d"), Some(Duration::from_secs(90 * 86_400)));
        for bad in ["", "48", "h", "2 days", "99999999999999999999s"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
