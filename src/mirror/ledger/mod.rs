//! The state between two runs, kept below the journal: the items that are owed, the
//! builds that were dealt with, the items that a person removed, those that were
//! wanted on each day, the rule of retention, and the latest additions.
//!
//! A run reads it once, plans by it, and changes it with each of its commits. The
//! changes are applied to the ledger of the root that is committed onto, which may
//! be another writer's.

mod changes;
mod encoding;
mod files;
#[cfg(test)]
mod fixtures;
mod lines;
mod owed;
mod page;
mod removed;
mod retention;
mod seen;
mod state;
mod summary;
mod wanted;

pub use changes::{DroppedEntries, LedgerChanges};
pub use encoding::{
    choose_encoding, has_begun_otherwise, keep_encoding, kept_encoding, recover_encoding,
    recover_lost_encoding,
};
pub use owed::{Attempt, OwedItem, OwedKind};
pub use page::{Addition, GENERATOR, PageState};
pub use removed::RemovedItem;
pub use retention::{Retention, RetentionRule};
pub use seen::{BuildList, SeenBuilds, forget_builds};
pub use state::{Ledger, Standing};
pub use summary::{LedgerSummary, ledger_summary};
pub use wanted::{days, for_each_day};
