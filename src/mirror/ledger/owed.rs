//! The items that were wanted and are not published: since when, how often tried,
//! when next, and the last reason.

use super::lines;
use crate::guix::HashPart;
use crate::util::timestamp::{DAY, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The first pause after a broken transfer. A run every five minutes tries again.
const AFTER_BROKEN: Duration = Duration::from_secs(4 * 60);
/// The first pause where no upstream has it yet: three such runs.
const AFTER_ABSENT: Duration = Duration::from_secs(14 * 60);
/// The first pause after content that was whole and another.
const AFTER_REFUSED: Duration = Duration::from_secs(4 * 3600);
/// The longest pause.
const LONGEST_PAUSE: Duration = DAY;

/// The time after which an item is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(14 * 24 * 3600);
/// The tries that an item had when it is given up, however rare the runs.
const GIVEN_UP_TRIES: u32 = 8;

/// The kinds of reasons why an item is owed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum OwedKind {
    /// A limit, a signal or the end of the program came first.
    #[default]
    Left,
    /// Its transfer broke off, or what came was no nar.
    Broken,
    /// No upstream has it yet, or one of its nars.
    Absent,
    /// A nar was whole and not as its narinfo says.
    Refused,
    /// It refers to an item that is owed.
    Waiting,
}

/// A wanted item that is not published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedItem {
    /// Its store hash.
    pub hash: HashPart,
    /// The item as it was named, or its store path.
    pub item: String,
    /// The time when it was wanted first.
    pub since: Timestamp,
    /// The time from which it is tried again.
    pub next: Timestamp,
    /// The time of the last try.
    #[serde(default)]
    pub last: Timestamp,
    /// The seconds for which it was waited for. From one try to the next at most a
    /// day counts, so a clock that is wrong for a while gives nothing up.
    #[serde(default)]
    pub waited: u64,
    /// Tries that ended for a reason of this kind, without another in between.
    #[serde(default)]
    pub tries: u32,
    /// All tries.
    #[serde(default)]
    pub attempts: u32,
    /// The last try.
    #[serde(flatten)]
    pub attempt: Attempt,
    /// The times when reasons of each kind were last reported.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reported: BTreeMap<OwedKind, Timestamp>,
    /// It is not tried again by itself any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

/// A try that failed, or that did not come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The kind of reason.
    pub kind: OwedKind,
    /// The reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The item that this one waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<HashPart>,
    /// The URL of the nar that did not come. It is asked for first the next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nar: Option<String>,
}

impl Attempt {
    /// A try that did not come.
    pub fn left() -> Self {
        Self::default()
    }
}

impl OwedItem {
    /// The item after an attempt at the time `now`. `known` is the item before.
    pub fn after(
        known: Option<&Self>,
        hash: HashPart,
        item: &str,
        attempt: Attempt,
        now: Timestamp,
    ) -> Self {
        let since = known.map_or(now, |known| known.since.min(now));
        let is_try = attempt.kind != OwedKind::Left;
        let same = known.filter(|known| known.attempt.kind == attempt.kind);
        let tries = same.map_or(0, |known| known.tries) + u32::from(is_try);
        let attempts = known.map_or(0, |known| known.attempts);
        let attempts = attempts.saturating_add(u32::from(is_try));
        let passed = known.and_then(|known| known.last.age(now));
        let passed = passed.unwrap_or_default().min(LONGEST_PAUSE).as_secs();
        let waited = known.map_or(0, |known| known.waited).saturating_add(passed);
        Self {
            hash,
            item: item.to_owned(),
            since,
            next: now.after(pause(attempt.kind, tries)),
            last: now,
            waited,
            tries,
            attempts,
            attempt,
            reported: known
                .map(|known| known.reported.clone())
                .unwrap_or_default(),
            given_up: is_try && waited >= GIVEN_UP_AFTER.as_secs() && attempts >= GIVEN_UP_TRIES,
        }
    }

    /// Returns true when the pause is over. A time further away than the longest
    /// pause comes of a clock that was wrong.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next <= now || self.next > now.after(LONGEST_PAUSE)
    }

    /// Returns true when the reason is to be reported: once a day for each kind, and
    /// not before the item is owed for so long. Records that it was reported.
    pub fn report(&mut self, patience: Duration, now: Timestamp) -> bool {
        let age = self.since.age(now).unwrap_or_default();
        let last = self.reported.get(&self.attempt.kind);
        let passed = last.and_then(|last| last.age(now));
        // A report in the future comes of a clock that was wrong.
        let is_recent = passed.is_some_and(|passed| passed < DAY);
        if age < patience || is_recent {
            return false;
        }
        self.reported.insert(self.attempt.kind, now);
        true
    }
}

/// The pause after so many tries.
fn pause(kind: OwedKind, tries: u32) -> Duration {
    let first = match kind {
        OwedKind::Left => return Duration::ZERO,
        OwedKind::Broken => AFTER_BROKEN,
        OwedKind::Absent | OwedKind::Waiting => AFTER_ABSENT,
        OwedKind::Refused => AFTER_REFUSED,
    };
    let doubled = 2u32.checked_pow(tries.saturating_sub(1));
    let pause = doubled.and_then(|factor| first.checked_mul(factor));
    pause.unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}

/// The owed items of a file.
pub fn read(file: &[u8]) -> BTreeMap<HashPart, OwedItem> {
    let items = lines::read::<OwedItem>(file).into_iter();
    items.map(|item| (item.hash, item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn attempt(kind: OwedKind) -> Attempt {
        Attempt {
            kind,
            ..Attempt::left()
        }
    }

    fn hash() -> HashPart {
        "21q7lx382p28sibkw2l721ybjxymkh1a".parse().unwrap()
    }

    fn after(known: Option<&OwedItem>, kind: OwedKind, now: Timestamp) -> OwedItem {
        OwedItem::after(known, hash(), "item", attempt(kind), now)
    }

    #[test]
    fn pauses_double_up_to_a_day_and_begin_anew_with_another_kind() {
        for (kind, first) in [
            (OwedKind::Broken, 240),
            (OwedKind::Absent, 840),
            (OwedKind::Waiting, 840),
            (OwedKind::Refused, 14_400),
        ] {
            let mut owed = after(None, kind, NOW);
            assert_eq!(owed.next.0 - NOW.0, first);
            owed = after(Some(&owed), kind, NOW);
            assert_eq!(owed.next.0 - NOW.0, 2 * first);
            for _ in 0..40 {
                owed = after(Some(&owed), kind, NOW);
            }
            assert_eq!(owed.next.0 - NOW.0, 86_400);
            assert!(!owed.is_due(NOW) && owed.is_due(owed.next));
        }
        let absent = after(None, OwedKind::Absent, NOW);
        let absent = after(Some(&absent), OwedKind::Absent, NOW);
        let broken = after(Some(&absent), OwedKind::Broken, NOW);
        assert_eq!(broken.next.0 - NOW.0, 240);
        let left = after(Some(&broken), OwedKind::Left, NOW);
        assert!(left.is_due(NOW));
    }

    #[test]
    fn a_time_beyond_the_longest_pause_counts_as_over() {
        let ahead = NOW.after(Duration::from_secs(10 * 365 * 86_400));
        let owed = after(None, OwedKind::Refused, ahead);
        assert!(owed.is_due(NOW));
        // The next attempt has the right times again.
        let owed = after(Some(&owed), OwedKind::Refused, NOW);
        assert_eq!(owed.since, NOW);
        assert!(!owed.is_due(NOW));
    }

    #[test]
    fn an_item_is_given_up_after_two_weeks_and_not_by_a_clock_gone_wrong() {
        let later = |days: u64| Timestamp(NOW.0 + days * 86_400);
        let owed = after(None, OwedKind::Absent, NOW);
        assert!(!after(Some(&owed), OwedKind::Absent, later(4000)).given_up);
        let mut owed = owed;
        for day in 1..14 {
            if day < 10 {
                let mut wrong = after(Some(&owed), OwedKind::Absent, later(day + 20));
                wrong = after(Some(&wrong), OwedKind::Absent, later(day + 4000));
                assert!(!wrong.given_up);
            }
            owed = after(Some(&owed), OwedKind::Absent, later(day));
            assert!(!owed.given_up, "{day}");
        }
        assert!(!after(Some(&owed), OwedKind::Left, later(14)).given_up);
        assert!(after(Some(&owed), OwedKind::Absent, later(14)).given_up);
    }

    #[test]
    fn each_kind_of_reason_is_reported_once_a_day() {
        let later = |hours: u64| Timestamp(NOW.0 + hours * 3600);
        let mut owed = after(None, OwedKind::Broken, NOW);
        assert!(owed.report(Duration::ZERO, NOW));
        assert!(!owed.report(Duration::ZERO, later(23)));
        let mut other = after(Some(&owed), OwedKind::Refused, later(1));
        assert!(other.report(Duration::ZERO, later(1)));
        let mut again = after(Some(&other), OwedKind::Broken, later(2));
        assert!(!again.report(Duration::ZERO, later(2)));
        assert!(again.report(Duration::ZERO, later(24)));
        // A clock that was ahead.
        assert!(again.report(Duration::ZERO, NOW));
        let mut patient = after(None, OwedKind::Absent, NOW);
        assert!(!patient.report(DAY, later(23)));
        assert!(patient.report(DAY, later(24)));
    }
}
