//! Lines about items that were left out.

use super::terminal::Report;
use super::text::items;
use crate::mirror::{Exit, OwedItem, Pauses, Plan, SkipKind, SkipReason, Skipped};
use crate::util::diagnosis::Diagnosis;

/// Items that no upstream has, or that wait for others, with a line each. More are
/// counted.
const MOST_LINES: usize = 20;

/// Prints a line for each item that was left out. Each that a person named
/// ([`Pauses::Ignored`]) is an error. Of others, those are that were not reported today
/// (`is_new`), unless an option asks for it: they are owed, and the ledger holds their
/// reasons. The rest is for `-v`. Returns [`Exit::Partly`] if there was an error.
pub fn report_skipped(
    report: &Report,
    plan: &Plan,
    pauses: Pauses,
    is_new: impl Fn(&Skipped) -> bool,
) -> Exit {
    let is_error = |skipped: &Skipped| match pauses {
        Pauses::Ignored => true,
        Pauses::Obeyed => is_new(skipped) && !matches!(skipped.reason, SkipReason::Excluded(_)),
    };
    let mut exit = Exit::Done;
    // Those with a text are counted where there are many.
    for (kind, many) in [
        (SkipKind::Refused, None),
        (SkipKind::Broken, None),
        (SkipKind::Missing, Some("that no upstream has (yet)")),
        (
            SkipKind::Waiting,
            Some("that refer to items that cannot be mirrored (yet)"),
        ),
    ] {
        let (errors, others): (Vec<&Skipped>, Vec<&Skipped>) =
            plan.skipped_as(kind).partition(|skipped| is_error(skipped));
        if !errors.is_empty() {
            exit = Exit::Partly;
        }
        match many {
            Some(what) if pauses == Pauses::Obeyed && errors.len() > MOST_LINES => {
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

/// Prints a line for each item that is not tried again by itself any more.
pub fn report_given_up(report: &Report, given_up: &[OwedItem]) {
    for owed in given_up {
        let text = format!(
            "{}: given up, after {} tries since {}: {}",
            owed.item, owed.attempts, owed.since, owed.attempt.reason
        );
        let advice = format!("`guix-ipfs add {}` tries it again", owed.hash);
        report.error(&text, Some(&advice));
    }
}
