//! The prune that follows a cron job, once a day.

use super::choice::PruneTerms;
use super::prune::prune_beside;
use super::summary::PruneOutcome;
use crate::mirror::failure::Failure;
use crate::mirror::ledger::{Retention, RetentionRule};
use crate::mirror::record::RunRecord;
use crate::publication::{Base, Committed, Publisher};
use crate::util::timestamp::{DAY, Timestamp};
use std::time::Duration;

/// The pause between two prunes of a cron job. A run a little early counts.
const PAUSE: Duration = Duration::from_secs(DAY.as_secs() - 60);

/// Prunes the items that the rule of the run does not keep, once a day. Not where a
/// farm's list could not be read: what it names would look as if nobody wanted it.
pub fn prune_if_due(
    publisher: &Publisher,
    base: &mut Base,
    record: &RunRecord,
) -> Result<Option<(Committed, PruneOutcome)>, Failure> {
    let (request, context) = (record.run.request, &record.run.context);
    let rule = request.retention.filter(|rule| !rule.keeps_all());
    let is_due = |rule: &RetentionRule| is_due(&context.ledger.retention, rule, context.now);
    let Some(rule) = rule.filter(|rule| !record.wanted.is_partial && is_due(rule)) else {
        return Ok(None);
    };
    let terms = PruneTerms {
        rule,
        is_forced: false,
        listing: request.lists_pruned,
        is_scheduled: true,
        now: request.now,
        jobs: request.jobs,
    };
    let _shown = context.observer.waiting("looking for items to prune");
    prune_beside(publisher, base, context.tree, &terms).map(Some)
}

/// Returns true where a cron job is to prune: once a day, and when its rule is new.
fn is_due(known: &Retention, rule: &RetentionRule, now: Timestamp) -> bool {
    let passed = known.pruned.and_then(|pruned| pruned.age(now));
    known.rule != *rule || passed.is_none_or(|passed| passed >= PAUSE)
}
