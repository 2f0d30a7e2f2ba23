//! The prune that follows a cron job, once a day.

use super::choice::PruneTerms;
use super::prune::prune_beside;
use super::summary::PruneOutcome;
use crate::mirror::failure::Failure;
use crate::mirror::ledger::RetentionRule;
use crate::mirror::observer::Observer;
use crate::mirror::record::RunRecord;
use crate::mirror::request::MirrorRequest;
use crate::publication::{Base, Committed, Publisher, Tree};
use crate::util::timestamp::DAY;
use std::time::Duration;

/// The pause between two prunes of a cron job. A run a little early counts.
const PAUSE: Duration = Duration::from_secs(DAY.as_secs() - 60);

/// Prunes the items that the rule of the run does not keep, once a day. Not where a
/// farm's list could not be read: what it names would look as if nobody wanted it.
pub fn prune_if_due(
    publisher: &Publisher,
    base: &mut Base,
    tree: &Tree,
    request: &MirrorRequest,
    record: &RunRecord,
    observer: &dyn Observer,
) -> Result<Option<(Committed, PruneOutcome)>, Failure> {
    let rule = request.retention.filter(|rule| !rule.keeps_all());
    let Some(rule) = rule.filter(|rule| !record.is_partial && is_due(record, rule)) else {
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
    let _shown = observer.waiting("looking for items to prune");
    prune_beside(publisher, base, tree, &terms).map(Some)
}

/// Returns true where a cron job is to prune: once a day, and when its rule is new.
fn is_due(record: &RunRecord, rule: &RetentionRule) -> bool {
    let known = &record.ledger.retention;
    let passed = known.pruned.and_then(|pruned| pruned.age(record.now));
    known.rule != *rule || passed.is_none_or(|passed| passed >= PAUSE)
}
