//! The items that were wanted on each day, for retention: a file a day with their
//! hashes, sorted, one a line. The same items every day are the same blocks.

use super::files::WANTED;
use crate::guix::HashPart;
use crate::mirror::failure::Failure;
use crate::node::Node;
use crate::publication::LedgerFiles;
use crate::util::timestamp::{DAY, Timestamp};
use std::collections::BTreeSet;
use std::time::Duration;

/// Days that are kept.
const MOST_DAYS: usize = 400;

/// The time by which a day is ahead that a wrong clock wrote, or looks at.
const AHEAD: Duration = Duration::from_secs(365 * DAY.as_secs());

/// Adds items to the file of a day, and those of days that are ahead by more than a year.
/// A file that holds exactly these is not read.
pub fn add(
    node: &dyn Node,
    files: &mut LedgerFiles,
    wanted: &BTreeSet<HashPart>,
    now: Timestamp,
) -> Result<(), Failure> {
    let path = format!("{WANTED}/{}", now.day());
    let ahead = take_ahead(node, files, now)?;
    if ahead.is_empty() && (wanted.is_empty() || files.holds(&path, &write(wanted))) {
        return Ok(());
    }
    let mut all = read(files.read(node, &path)?);
    let before = all.len();
    all.extend(wanted);
    all.extend(ahead);
    if all.len() > before {
        files.write(&path, write(&all));
        drop_oldest(files);
    }
    Ok(())
}

/// Removes the days that are ahead by more than a year, and returns their items.
fn take_ahead(
    node: &dyn Node,
    files: &mut LedgerFiles,
    now: Timestamp,
) -> Result<BTreeSet<HashPart>, Failure> {
    let latest = now.after(AHEAD).day();
    let days = files.names_in(WANTED).filter(|day| *day > latest.as_str());
    let days: Vec<String> = days.map(|day| format!("{WANTED}/{day}")).collect();
    let mut items = BTreeSet::new();
    for day in days {
        items.extend(read(files.read(node, &day)?));
        files.remove(&day);
    }
    Ok(items)
}

/// The days on which anything was wanted, as [`Timestamp::day`] writes them, the first
/// day first.
pub fn days(files: &LedgerFiles) -> Vec<String> {
    files.names_in(WANTED).map(str::to_owned).collect()
}

/// Calls `visit` with each day and the items that were wanted on it, the last day first.
/// A day with the very items of a later one is skipped.
///
/// # Errors
/// The file of a day is not whole on the node.
pub fn for_each_day(
    node: &dyn Node,
    files: &LedgerFiles,
    mut visit: impl FnMut(&str, BTreeSet<HashPart>),
) -> Result<(), Failure> {
    Ok(files.for_each_new_in(node, WANTED, |day, file| visit(day, read(file)))?)
}

/// The items of a day's file.
fn read(file: &[u8]) -> BTreeSet<HashPart> {
    let lines = file.split(|byte| *byte == b'\n');
    let lines = lines.filter_map(|line| str::from_utf8(line).ok());
    lines.filter_map(|line| line.parse().ok()).collect()
}

fn write(wanted: &BTreeSet<HashPart>) -> Vec<u8> {
    let mut file = Vec::with_capacity(wanted.len() * (HashPart::LEN + 1));
    for hash in wanted {
        file.extend_from_slice(hash.as_str().as_bytes());
        file.push(b'\n');
    }
    file
}

fn drop_oldest(files: &mut LedgerFiles) {
    let days = days(files);
    for day in &days[..days.len().saturating_sub(MOST_DAYS)] {
        files.remove(&format!("{WANTED}/{day}"));
    }
}
