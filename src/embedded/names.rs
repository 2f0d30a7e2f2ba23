//! IPNS records, for this node alone: a name, what it points to, until when.
//! They are not signed, because nobody else ever sees them.

use super::EmbeddedError;
use super::table::Table;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The records of a node.
#[derive(Debug)]
pub struct Names {
    table: Table<Record>,
}

/// What a name points to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// `/ipfs/CID`, with a path below it or without.
    pub value: String,
    /// Rises with every record of the name whose value is another.
    pub sequence: u64,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
}

impl Names {
    /// Reads the records kept in the file `path`.
    pub fn open(path: &Path) -> Result<Self, EmbeddedError> {
        let table = Table::open(path)?;
        Ok(Self { table })
    }

    /// The record of `name` (`k51…`), unless it has expired.
    pub fn get(&self, name: &str) -> Option<Record> {
        let record = self.table.get(name)?;
        (record.expires > now()).then_some(record)
    }

    /// Publishes `value` under `name` for `lifetime`.
    pub fn publish(
        &self,
        name: &str,
        value: &str,
        lifetime: Duration,
    ) -> Result<(), EmbeddedError> {
        self.table.change(|rows| {
            let sequence = match rows.get(name) {
                None => 0,
                Some(before) if before.value == value => before.sequence,
                Some(before) => before.sequence + 1,
            };
            let record = Record {
                value: value.to_owned(),
                sequence,
                expires: now().saturating_add(lifetime.as_secs()),
            };
            rows.insert(name.to_owned(), record);
        })
    }
}

/// A duration as Go writes it: `48h`, `1h30m`, `90s`, `500ms`.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let seconds = match &rest[..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            _ => return None,
        };
        sum = sum.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = &rest[unit..];
    }
    (!text.is_empty()).then_some(sum)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_writes_them() {
        assert_eq!(duration("48h"), Some(Duration::from_secs(48 * 3600)));
        assert_eq!(duration("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(duration("1.5s"), Some(Duration::from_millis(1500)));
        for wrong in ["", "48", "h", "2 days", "1y"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_record_lasts_as_long_as_it_was_published_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.json");
        let names = Names::open(&path).unwrap();
        assert!(names.get("k").is_none());
        let hour = Duration::from_secs(3600);
        names.publish("k", "/ipfs/a", hour).unwrap();
        names.publish("k", "/ipfs/b", hour).unwrap();
        let record = Names::open(&path).unwrap().get("k").unwrap();
        assert_eq!((record.value.as_str(), record.sequence), ("/ipfs/b", 1));
        names.publish("k", "/ipfs/c", Duration::ZERO).unwrap();
        assert!(names.get("k").is_none());
    }
}
