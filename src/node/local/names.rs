//! IPNS records, for this node alone. They are not signed, because nobody else ever
//! sees them.

use super::super::contract::{PublishOptions, Record};
use super::super::error::{Problem, Refusal};
use super::lock::Writing;
use super::problem::refused;
use super::table::Table;
use crate::ipfs::ipns;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const ADVICE: &str = "restore a copy of it, or remove it: then no name of this node points \
                      anywhere until something is published under it again";

/// The last second that RFC 3339 can write, since 1970.
const LAST_SECOND: u64 = 253_402_300_799;

/// The records of a node, by name (`k51…`).
#[derive(Debug)]
pub struct Names(Table<StoredRecord>);

/// A record, as the file keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StoredRecord {
    /// `/ipfs/CID`, with a path below it or without.
    value: String,
    /// Rises with every record of the name whose value is another.
    sequence: u64,
    /// The end of its validity, in seconds since 1970.
    expires: u64,
}

impl Names {
    /// The records kept in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self(Table::new(folder.join("names.json"), ADVICE))
    }

    /// The record of a name in any spelling, unless it has expired.
    pub fn get(&self, name: &str) -> Result<Option<Record>, Problem> {
        let Some(key) = ipns::key_hash(name) else {
            return Ok(None);
        };
        let record = self.0.rows()?.remove(&ipns::as_cid(&key));
        let valid = record.filter(|record| record.expires > now());
        Ok(valid.map(|record| {
            let end = UNIX_EPOCH + Duration::from_secs(record.expires.min(LAST_SECOND));
            Record {
                value: record.value,
                sequence: record.sequence,
                validity: humantime::format_rfc3339_seconds(end).to_string(),
            }
        }))
    }

    /// Publishes `value` under `name` (`k51…`).
    pub fn publish(
        &self,
        lock: &Writing,
        name: &str,
        value: String,
        options: &PublishOptions,
    ) -> Result<(), Problem> {
        self.0.change(lock, |rows| {
            let before = rows.get(name);
            let sequence = match (before, options.sequence) {
                (Some(before), Some(sequence)) if sequence <= before.sequence => {
                    let message = format!(
                        "its record has the sequence number {} already",
                        before.sequence
                    );
                    return Err(refused(Refusal::Other, message));
                }
                (_, Some(sequence)) => sequence,
                (None, None) => 0,
                (Some(before), None) if before.value == value => before.sequence,
                (Some(before), None) => before.sequence.saturating_add(1),
            };
            let expires = now().saturating_add(options.lifetime.as_secs());
            let record = StoredRecord {
                value,
                sequence,
                expires,
            };
            rows.insert(name.to_owned(), record);
            Ok(())
        })
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
