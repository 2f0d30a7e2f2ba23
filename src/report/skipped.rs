//! Lines about items that were left out.

use super::terminal::Report;
use super::text::items;
use crate::mirror::{Exit, Plan, SkipKind, Skipped};
use crate::util::diagnosis::Diagnosis;

/// The items that are errors when they are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loudness {
    /// Each, because each was named.
    EachItem,
    /// Those that are broken or refused: the others may come.
    Faults,
}

/// Prints a line for each item that was left out. A refusal that was reported within
/// a day (`is_new` is false) is not printed again where only faults are errors.
/// Returns [`Exit::Partly`] if there was an error.
pub fn report_skipped(
    report: &Report,
    plan: &Plan,
    loudness: Loudness,
    is_new: impl Fn(&Skipped) -> bool,
) -> Exit {
    let mut exit = Exit::Done;
    let is_named = loudness == Loudness::EachItem;
    let mut line = |skipped: &Skipped, is_error: bool| {
        let text = format!("{}: {}", skipped.item, skipped.reason);
        match is_error {
            true => {
                report.error(&text, skipped.reason.advice().as_deref());
                exit = Exit::Partly;
            }
            false => report.verbose(&text),
        }
    };
    for skipped in plan.skipped_as(SkipKind::Refused) {
        line(skipped, is_named || is_new(skipped));
    }
    for skipped in plan.skipped_as(SkipKind::Broken) {
        line(skipped, true);
    }
    let missing = plan.skipped_as(SkipKind::Missing).count();
    if !is_named && missing > 0 {
        report.status(&format!("{} that no upstream has (yet)", items(missing)));
    }
    for kind in [SkipKind::Missing, SkipKind::Waiting] {
        for skipped in plan.skipped_as(kind) {
            line(skipped, is_named);
        }
    }
    exit
}
