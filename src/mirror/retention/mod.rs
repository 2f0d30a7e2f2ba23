//! Retention: the items that a mirror keeps, by when they were wanted last and by the
//! size of the tree, and the removal of all others in one commit.

mod ages;
mod choice;
mod daily;
mod inventory;
mod kept;
mod prune;
mod summary;

pub use choice::PruneTerms;
pub use daily::prune_if_due;
pub use prune::{PruneRequest, preview_prune, prune};
pub use summary::{ClockGap, PruneOutcome, PruneSummary, PrunedItem};
