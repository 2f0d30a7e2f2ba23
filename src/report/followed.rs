//! The results of `follow`.

use super::summary::FailureResult;
use super::terminal::Report;
use super::text::{bytes, items};
use crate::mirror::{Failure, FollowSummary};
use crate::util::diagnosis::Diagnosis;
use serde::{Serialize, Serializer};

/// The result of `follow`.
#[derive(Serialize)]
pub struct FollowResult<'r, T> {
    /// The result for each name.
    pub names: &'r [T],
}

/// The result for a name that was followed or unpinned.
pub struct FollowedName {
    /// The name.
    pub name: String,
    /// The root that is held now; `None` where it was unpinned.
    pub result: Result<Option<FollowSummary>, Failure>,
}

impl FollowedName {
    /// Returns true where the node does not hold any more what it did before.
    pub fn lets_go(&self) -> bool {
        match &self.result {
            Ok(Some(summary)) => summary.is_new() && summary.previous.is_some(),
            Ok(None) => true,
            Err(_) => false,
        }
    }
}

impl Serialize for FollowedName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'f> {
            name: &'f str,
            #[serde(flatten)]
            failure: Option<FailureResult>,
            #[serde(skip_serializing_if = "Option::is_none")]
            stopped: Option<bool>,
        }
        let (failure, stopped) = match &self.result {
            Ok(Some(summary)) => return summary.serialize(serializer),
            Ok(None) => (None, Some(true)),
            Err(failure) => (Some(FailureResult::new(failure)), None),
        };
        let fields = Fields {
            name: &self.name,
            failure,
            stopped,
        };
        fields.serialize(serializer)
    }
}

/// Prints the result for a name.
pub fn report_followed(report: &Report, followed: &FollowedName) {
    let name = &followed.name;
    let job = format!("follow {name}");
    if followed.result.is_ok() {
        report.job_succeeded(&job);
    }
    match &followed.result {
        Err(failure) => {
            let advice = failure.advice();
            // Unlike the text, the advice names no bytes and no blocks.
            let is_held_back =
                report.holds_back(&job, failure, advice.as_deref().unwrap_or_default());
            if !is_held_back && (!failure.is_silent() || report.is_watched()) {
                report.error(&failure.to_string(), advice.as_deref());
            }
        }
        Ok(None) => report.status(&format!("/ipns/{name}: unpinned")),
        Ok(Some(summary)) => {
            let what = match summary.is_new() {
                true => format!(", {}", sum(summary)),
                false => " already".to_owned(),
            };
            report.status(&format!("/ipns/{name}: /ipfs/{}{what}", summary.root));
        }
    }
}

/// Such as `3 new items, 1 gone, 2.00 MiB; 40 items in all`.
fn sum(summary: &FollowSummary) -> String {
    let changes = &summary.changes;
    let mut parts = vec![format!("{} new", changes.new)];
    for (count, word) in [(changes.changed, "changed"), (changes.gone, "gone")] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.push(bytes(changes.bytes_new));
    let all = usize::try_from(summary.figures.items).unwrap_or(usize::MAX);
    format!(
        "{}; {}, {} in all",
        parts.join(", "),
        items(all),
        bytes(summary.figures.bytes)
    )
}
