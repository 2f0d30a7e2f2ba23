//! The notes about services, in a file beside the lock: when a problem was last reported,
//! and when a root that a service gave up is asked for again. Without them all is reported,
//! and asked for, again.

use crate::ipfs::cid::Cid;
use crate::publication::PublicationId;
use crate::util::durable::{Durability, Readers, write};
use crate::util::timestamp::{DAY, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first pause before a root that a service gave up is asked for again; each is twice
/// the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(3600);

/// The notes of a mirror, by services.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes(BTreeMap<String, Note>);

/// The notes about one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The time when its problem was last reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported: Option<Timestamp>,
    /// The root that it gave up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    /// The number of times that it was asked for again.
    #[serde(default)]
    tries: u32,
    /// The time from which it is asked for again.
    #[serde(default)]
    next: Timestamp,
}

impl Notes {
    /// Reads the notes in the folder `state`. A file that cannot be read is the same as
    /// none.
    pub fn read(state: &Path, id: &PublicationId) -> Self {
        let text = fs::read(file(state, id)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Writes them.
    pub fn write(&self, state: &Path, id: &PublicationId) -> io::Result<()> {
        let text = serde_json::to_vec(self)?;
        write(&file(state, id), &text, Readers::Umask, Durability::Later)
    }

    /// The note about a service.
    pub fn of(&self, service: &str) -> Note {
        self.0.get(service).cloned().unwrap_or_default()
    }

    /// Replaces the note about a service. One that says nothing is dropped.
    pub fn set(&mut self, service: &str, note: Note) {
        match note == Note::default() {
            true => self.0.remove(service),
            false => self.0.insert(service.to_owned(), note),
        };
    }
}

impl Note {
    /// The time from which `root`, which the service gave up, is asked for again.
    pub fn next_try(&self, root: &Cid) -> Option<Timestamp> {
        (self.root == Some(root.to_string())).then_some(self.next)
    }

    /// Records that `root` is asked for again now.
    pub fn try_again(&mut self, root: &Cid, now: Timestamp) {
        let root = Some(root.to_string());
        self.tries = match self.root == root {
            true => self.tries.saturating_add(1),
            false => 1,
        };
        self.root = root;
        let factor = 1 << (self.tries - 1).min(8);
        self.next = now.after((FIRST_PAUSE * factor).min(DAY));
    }

    /// Records that the published root is pinned. A problem after that is reported no more
    /// than once a day, either: some services come and go.
    pub fn settle(&mut self) {
        let reported = self.reported;
        *self = Self {
            reported,
            ..Self::default()
        };
    }

    /// Returns true when a problem is to be reported now, once a day, and records it.
    pub fn is_report_due(&mut self, now: Timestamp) -> bool {
        let is_due = |reported: Timestamp| reported.age(now).is_none_or(|age| age >= DAY);
        let is_due = self.reported.is_none_or(is_due);
        if is_due {
            self.reported = Some(now);
        }
        is_due
    }
}

fn file(state: &Path, id: &PublicationId) -> PathBuf {
    id.file(state, "services.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{CidVersion, DAG_PB, cid_of};

    #[test]
    fn pauses_grow_to_a_day_and_are_those_of_one_root() {
        let root = |number: u8| cid_of(CidVersion::V0, DAG_PB, &[number]);
        let mut note = Note::default();
        assert_eq!(note.next_try(&root(1)), None);
        let mut pauses = Vec::new();
        for _ in 0..40 {
            note.try_again(&root(1), Timestamp(0));
            pauses.push(note.next_try(&root(1)).unwrap().0 / 3600);
        }
        assert_eq!(pauses[..6], [1, 2, 4, 8, 16, 24]);
        assert_eq!(pauses[39], 24);
        assert_eq!(note.next_try(&root(2)), None);
        note.try_again(&root(2), Timestamp(0));
        assert_eq!(note.next_try(&root(2)), Some(Timestamp(3600)));
        note.settle();
        assert_eq!(note, Note::default());
    }

    #[test]
    fn a_trouble_is_said_once_a_day() {
        let mut note = Note::default();
        let day = DAY.as_secs();
        let said = [0, 300, day - 1, day, day + 1, 2 * day];
        let said = said.map(|now| note.is_report_due(Timestamp(1000 + now)));
        assert_eq!(said, [true, false, false, true, false, true]);
        // A clock that was ahead keeps nothing quiet.
        assert!(note.is_report_due(Timestamp(0)));
    }
}
