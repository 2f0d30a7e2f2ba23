//! Lines about items that were left out.

use super::terminal::Report;
use super::text::items;
use crate::mirror::{Exit, OwedItem, Plan, SkipKind, SkipReason, Skipped};
use crate::util::diagnosis::Diagnosis;

/// Items that no upstream has, or that wait for others, with a line each. More are
/// counted.
const MOST_LINES: usize = 20;

/// The items that are errors when they are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loudness {
    /// Each, because each was named.
    EachItem,
    /// Those with a reason that was not reported today, unless an option asks for it:
    /// the others are owed, and the ledger holds their reasons.
    News,
}

/// Prints a line for each item that was left out; one that was reported before
/// (`is_new` is false) is for `-v`. Returns [`Exit::Partly`] if there was an error.
pub fn report_skipped(
    report: &Report,
    plan: &Plan,
    loudness: Loudness,
    is_new: impl Fn(&Skipped) -> bool,
) -> Exit {
    let is_error = |skipped: &Skipped| match loudness {
        Loudness::EachItem => true,
        Loudness::News => is_new(skipped) && !matches!(skipped.reason, SkipReason::Excluded(_)),
    };
    let mut exit = Exit::Done;
    for kind in [
        SkipKind::Refused,
        SkipKind::Broken,
        SkipKind::Missing,
        SkipKind::Waiting,
    ] {
        let (errors, others): (Vec<&Skipped>, Vec<&Skipped>) =
            plan.skipped_as(kind).partition(|skipped| is_error(skipped));
        if !errors.is_empty() {
            exit = Exit::Partly;
        }
        let is_counted = loudness == Loudness::News && errors.len() > MOST_LINES;
        match kind {
            SkipKind::Missing | SkipKind::Waiting if is_counted => {
                let what = match kind {
                    SkipKind::Missing => "that no upstream has (yet)",
                    _ => "that refer to items that cannot be mirrored (yet)",
                };
                let text = format!("{} {what}", items(errors.len()));
                report.error(&text, Some("`guix-ipfs resolve --long` lists them"));
            }
            _ => {
                for skipped in errors {
                    report.error(&line(skipped), skipped.reason.advice().as_deref());
                }
            }
        }
        for skipped in others {
            report.verbose(&line(skipped));
        }
    }
    exit
}

fn line(skipped: &Skipped) -> String {
    format!("{}: {}", skipped.item, skipped.reason)
}

/// Prints a line for each item that is not tried again by itself any more. Returns
/// [`Exit::Partly`] if there is one.
pub fn report_given_up(report: &Report, given_up: &[OwedItem]) -> Exit {
    for owed in given_up {
        let text = format!(
            "{}: given up, after {} tries since {}: {}",
            owed.item, owed.attempts, owed.since, owed.attempt.reason
        );
        let advice = format!("`guix-ipfs add {}` tries it again", owed.hash);
        report.error(&text, Some(&advice));
    }
    match given_up.is_empty() {
        true => Exit::Done,
        false => Exit::Partly,
    }
}
