//! The time since each item was wanted last, by the days that the ledger holds.

use super::inventory::Inventory;
use super::summary::ClockGap;
use crate::mirror::failure::Failure;
use crate::mirror::ledger::{days, for_each_day};
use crate::node::Node;
use crate::publication::LedgerFiles;
use crate::util::timestamp::{DAY, Timestamp};

/// The longest time, in days, in which nothing is wanted though all goes well. A longer
/// one comes of a clock that was wrong, and counts as a day.
const LONGEST_GAP: u64 = 365;

/// The belief in the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Two days that are more than a year apart, with none between, count as one apart.
    Doubted,
    /// All times are taken as they are.
    Believed,
}

/// A day on which something was wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedDay {
    /// As the ledger names it, `2026-11-27`.
    pub name: String,
    /// The days that have passed since.
    pub age: u64,
}

/// The last days on which the items of a mirror were wanted.
#[derive(Debug)]
pub struct Ages {
    /// The last day first.
    days: Vec<WantedDay>,
    /// The place of its day for each item, or [`Ages::NEVER`].
    last: Vec<u16>,
    /// The gap that was taken for a fault of the clock.
    pub gap: Option<ClockGap>,
}

impl Ages {
    /// The place of an item that no day names: one that is older than the ledger, or
    /// that came only because others refer to it.
    const NEVER: u16 = u16::MAX;

    /// Reads the days of a ledger.
    ///
    /// # Errors
    /// A day's file is not whole on the node.
    pub fn read(
        node: &dyn Node,
        files: &LedgerFiles,
        inventory: &Inventory,
        now: Timestamp,
        clock: Clock,
    ) -> Result<Self, Failure> {
        let (days, gap) = aged(days(files), now, clock);
        let mut last = vec![Self::NEVER; inventory.len()];
        for_each_day(node, files, |name, wanted| {
            let place = days.iter().position(|day| day.name == name);
            let Some(place) = place.and_then(|place| u16::try_from(place).ok()) else {
                return;
            };
            for item in wanted.iter().filter_map(|hash| inventory.place(hash)) {
                last[item] = last[item].min(place);
            }
        })?;
        Ok(Self { days, last, gap })
    }

    /// The last day on which an item was wanted; `None` where no day names it.
    pub fn last_day(&self, item: usize) -> Option<&WantedDay> {
        self.days.get(usize::from(self.last[item]))
    }

    /// Days since an item was wanted last. One that no day names counts as wanted on the
    /// day on which the ledger began.
    pub fn of(&self, item: usize) -> u64 {
        let first = self.days.last();
        let day = self.last_day(item).or(first);
        day.map_or(0, |day| day.age)
    }

    /// The place of an item in the order in which items are kept.
    pub fn rank(&self, item: usize) -> usize {
        usize::from(self.last[item]).min(self.days.len().saturating_sub(1))
    }
}

/// The days with their ages, the last day first, and the gap that was doubted. A day that
/// is still to come was written by a clock that was ahead, and counts as today.
fn aged(names: Vec<String>, now: Timestamp, clock: Clock) -> (Vec<WantedDay>, Option<ClockGap>) {
    let mut days = Vec::new();
    let mut gap = None;
    let (mut age, mut later, mut later_name) = (0, number(now), now.day());
    for name in names.into_iter().rev() {
        let Ok(day) = Timestamp::try_from(format!("{name}T00:00:00Z")) else {
            continue;
        };
        let passed = later.saturating_sub(number(day));
        if passed > LONGEST_GAP && clock == Clock::Doubted {
            age += 1;
            gap = Some(ClockGap {
                from: name.clone(),
                to: later_name.clone(),
            });
        } else {
            age += passed;
        }
        if number(day) < later {
            later = number(day);
            later_name = name.clone();
        }
        days.push(WantedDay { name, age });
    }
    (days, gap)
}

/// The number of a day since 1970.
fn number(time: Timestamp) -> u64 {
    time.0 / DAY.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(names: &[&str], now: &str, clock: Clock) -> (Vec<u64>, bool) {
        let now = Timestamp::try_from(format!("{now}T12:00:00Z")).unwrap();
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let (days, gap) = aged(names, now, clock);
        (days.iter().map(|day| day.age).collect(), gap.is_some())
    }

    #[test]
    fn days_count_from_today_back() {
        let days = ["2026-08-19", "2026-11-20", "2026-11-27"];
        let (found, gap) = ages(&days, "2026-11-27", Clock::Doubted);
        assert_eq!((found.as_slice(), gap), (&[0, 7, 100][..], false));
        assert_eq!(ages(&[], "2026-11-27", Clock::Doubted), (vec![], false));
        // A file of another name is not that of a day.
        let (found, _) = ages(&["2026-11-26", "x"], "2026-11-27", Clock::Doubted);
        assert_eq!(found, [1]);
    }

    #[test]
    fn a_clock_that_is_or_was_wrong_by_years_makes_nothing_old() {
        for (days, now, expected) in [
            // Ahead now, before and after something was wanted.
            (&["2026-11-26", "2026-11-27"][..], "2036-11-27", &[1, 2][..]),
            (&["2026-11-27", "2036-11-27"], "2036-11-27", &[0, 1]),
            // Ahead once.
            (&["2026-11-26", "2036-11-27"], "2026-11-27", &[0, 1]),
            // Behind once, and now.
            (&["1970-01-01", "2026-11-26"], "2026-11-27", &[1, 2]),
            (&["2026-11-26", "2026-11-27"], "1970-01-02", &[0, 0]),
        ] {
            let (found, _) = ages(days, now, Clock::Doubted);
            assert_eq!(found, expected, "{days:?} at {now}");
        }
        let (found, gap) = ages(&["2026-11-27"], "2036-11-27", Clock::Believed);
        assert_eq!((found.as_slice(), gap), (&[3653][..], false));
        assert!(ages(&["2026-11-27"], "2036-11-27", Clock::Doubted).1);
    }
}
