//! The form of the engine's results in JSON summaries.

use super::plan::Plan;
use super::skipped::{SkipKind, SkipReason, Skipped};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use std::fmt::Display;

/// A value as its text.
pub fn text<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A value as its text, or null.
pub fn optional_text<S: Serializer>(
    value: &Option<impl Display>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = value.as_ref().map(ToString::to_string);
    text.serialize(serializer)
}

/// Pairs as an object.
pub fn object<S: Serializer>(
    pairs: &[(&'static str, impl Serialize)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(name, value)| (name, value)))
}

/// The items that are left out, by the kind of reason.
impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut plan = serializer.serialize_struct("Plan", 8)?;
        plan.serialize_field("encoding", &self.encoding)?;
        plan.serialize_field("already", &self.already)?;
        plan.serialize_field("paused", &self.paused)?;
        plan.serialize_field("kept_out", &self.removed)?;
        for (name, kind) in [
            ("missing", SkipKind::Missing),
            ("waiting", SkipKind::Waiting),
            ("refused", SkipKind::Refused),
            ("broken", SkipKind::Broken),
        ] {
            let skipped: Vec<&Skipped> = self.skipped_as(kind).collect();
            plan.serialize_field(name, &skipped)?;
        }
        plan.end()
    }
}

impl Serialize for SkipReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        text(self, serializer)
    }
}
