//! Failures that pass by themselves, as a job that runs every few minutes meets them
//! again and again: one that is the same as before is printed once a day.

use crate::util::durable::{Durability, Readers, write};
use crate::util::home::{BaseDirectory, folder};
use crate::util::timestamp::{DAY, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A failure that was printed and has not passed yet.
#[derive(Debug, Serialize, Deserialize)]
struct PrintedFailure {
    /// The job.
    job: String,
    text: String,
    printed: Timestamp,
}

/// Records a failure of a job. Returns true where the same one was printed less than
/// a day ago. Without the notes no failure counts as repeated.
pub fn is_repeated(job: &str, text: &str) -> bool {
    let Some(file) = file() else {
        return false;
    };
    let now = Timestamp::from(SystemTime::now());
    let mut failures = read(&file);
    // One of a clock gone wrong holds nothing back.
    failures.retain(|failure| failure.printed.age(now).is_some_and(|age| age < DAY));
    if failures.iter().any(|it| it.job == job && it.text == text) {
        return true;
    }
    failures.push(PrintedFailure {
        job: job.to_owned(),
        text: text.to_owned(),
        printed: now,
    });
    keep(&file, &failures);
    false
}

/// Forgets the failures of a job that went well, so that they are printed when they come
/// again.
pub fn forget(job: &str) {
    let Some(file) = file().filter(|file| file.exists()) else {
        return;
    };
    let mut failures = read(&file);
    let before = failures.len();
    failures.retain(|failure| failure.job != job);
    if failures.len() < before {
        keep(&file, &failures);
    }
}

fn file() -> Option<PathBuf> {
    Some(folder(BaseDirectory::State).ok()?.join("failures.json"))
}

/// A file that cannot be read is the same as none.
fn read(file: &Path) -> Vec<PrintedFailure> {
    let text = fs::read(file).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Keeps the list. One that is lost is printed again, which is better than not at all.
fn keep(file: &Path, failures: &[PrintedFailure]) {
    let text = serde_json::to_vec(failures).unwrap_or_default();
    if let Some(folder) = file.parent() {
        let _ = fs::create_dir_all(folder);
    }
    let _ = write(file, &text, Readers::Umask, Durability::Later);
}
