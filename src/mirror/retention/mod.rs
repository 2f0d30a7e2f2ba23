//! Retention: the items that a mirror keeps, by when they were wanted last and by the
//! size of the tree, and the removal of all others in one commit.

mod ages;
mod choice;
mod inventory;
mod kept;
mod prune;
mod summary;

pub use choice::PruneTerms;
pub use prune::{PruneRequest, is_due, preview_prune, prune, prune_beside};
pub use summary::{ClockGap, PruneOutcome, PruneSummary, PrunedItem};
