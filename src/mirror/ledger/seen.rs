//! The builds of a farm's list that were dealt with, by their outputs: mirrored,
//! owed, or left out on purpose. A run takes the builds that are not among them,
//! wherever in the list they stand.

use super::files::SEEN;
use super::lines;
use crate::guix::HashPart;
use crate::mirror::failure::Failure;
use crate::node::Node;
use crate::publication::LedgerFiles;
use crate::util::timestamp::{DAY, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::time::Duration;

/// The pause between two looks through the whole of a list. A run a little early
/// counts.
const DEEP_LOOK_PAUSE: Duration = Duration::from_secs(3600 - 60);

/// Outputs that are remembered of one list: those of its 1,000 builds, and of some
/// that have left it.
const MOST_OUTPUTS: usize = 4000;

/// A list of builds, and the options that leave out some of what it names: under
/// others a build is not dealt with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildList {
    /// The base URL of the farm.
    pub farm: String,
    /// Such as `x86_64-linux`.
    pub system: String,
    /// Builds of this jobset only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobset: Option<String>,
    /// Without the items that these refer to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_closure: bool,
    /// The largest unpacked nar, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_nar_size: Option<u64>,
}

impl BuildList {
    /// Returns true for the same list of the same farm, whatever the options.
    pub fn is_same_source(&self, other: &Self) -> bool {
        (&self.farm, &self.system, &self.jobset) == (&other.farm, &other.system, &other.jobset)
    }
}

/// The part of a list that was dealt with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenBuilds {
    /// The list.
    #[serde(flatten)]
    pub list: BuildList,
    /// The time of the last look through the whole of it.
    pub looked: Timestamp,
    /// The time when it was last reported that it has no build for the system, or
    /// that it cannot be read.
    #[serde(default)]
    pub reported: Timestamp,
    /// The outputs of the builds, as far as possible in the list's order.
    pub outputs: Vec<HashPart>,
}

impl SeenBuilds {
    /// Nothing of a list.
    pub fn none(list: BuildList) -> Self {
        Self {
            list,
            looked: Timestamp::default(),
            reported: Timestamp::default(),
            outputs: Vec::new(),
        }
    }

    /// Returns true when it is time for a look through the whole of the list.
    pub fn needs_deep_look(&self, now: Timestamp) -> bool {
        let passed = self.looked.age(now);
        passed.is_none_or(|passed| passed >= DEEP_LOOK_PAUSE)
    }

    /// Returns true once a day, and records it.
    pub fn report(&mut self, now: Timestamp) -> bool {
        let passed = self.reported.age(now);
        let is_due = passed.is_none_or(|passed| passed >= DAY);
        if is_due {
            self.reported = now;
        }
        is_due
    }

    /// Adds the outputs of an answer. Where there are too many, those that have left
    /// the list first are dropped.
    pub fn add(&mut self, listed: &[HashPart]) {
        let mut known = HashSet::new();
        let outputs = listed.iter().chain(&self.outputs);
        let outputs = outputs.filter(|hash| known.insert(**hash)).copied();
        let outputs: Vec<HashPart> = outputs.take(MOST_OUTPUTS.max(listed.len())).collect();
        let added = outputs.iter().collect::<HashSet<_>>();
        // In another order it would be another file, and a journal for nothing.
        let is_same = self.outputs.len() == outputs.len()
            && self.outputs.iter().all(|hash| added.contains(hash));
        if !is_same {
            self.outputs = outputs;
        }
    }
}

/// Takes builds for new again whose outputs `is_pruned` names.
pub fn forget_builds(
    node: &dyn Node,
    files: &mut LedgerFiles,
    is_pruned: impl Fn(&HashPart) -> bool,
) -> Result<(), Failure> {
    let mut lists: Vec<SeenBuilds> = lines::read(files.read(node, SEEN)?);
    let count = |lists: &[SeenBuilds]| lists.iter().map(|list| list.outputs.len()).sum::<usize>();
    let before = count(&lists);
    for list in &mut lists {
        list.outputs.retain(|output| !is_pruned(output));
    }
    if count(&lists) < before {
        files.write(SEEN, lines::write(&lists));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::ledger::fixtures::hash;

    #[test]
    fn outputs_are_kept_newest_first_up_to_a_bound() {
        let mut seen = SeenBuilds::none(BuildList {
            farm: "https://farm.example".to_owned(),
            system: "x86_64-linux".to_owned(),
            jobset: None,
            no_closure: false,
            max_nar_size: None,
        });
        seen.add(&[hash(1), hash(2)]);
        seen.add(&[hash(2), hash(1)]);
        assert_eq!(seen.outputs, [hash(1), hash(2)]);
        seen.add(&[hash(3), hash(2)]);
        assert_eq!(seen.outputs, [hash(3), hash(2), hash(1)]);
        let many: Vec<HashPart> = (10..4010).map(hash).collect();
        seen.add(&many);
        assert_eq!(seen.outputs, many);
    }
}
