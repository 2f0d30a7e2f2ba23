//! UnixFS directories, plain or sharded: look up, patch, list, each touching
//! only the blocks on the way.
//!
//! A directory is a pure function of its entries: whatever the order and
//! grouping of changes, removals included, the result has the bytes that
//! `ipfs add -r` gives for the same entries.

mod ahead;
mod difference;
#[cfg(test)]
mod difference_tests;
mod entry;
mod error;
mod gradual;
mod hamt;
#[cfg(test)]
mod memory;
mod node;
mod patch;
mod plain;
mod shard;
#[cfg(test)]
mod tests;
mod walk;

pub use ahead::{NAMES_AT_ONCE, lookup_each, read_ahead};
pub use difference::{Changed, Side, difference};
pub use entry::{Changes, Entry};
pub use error::{DirectoryError, TreeError};
pub use gradual::GradualPatch;
pub use node::{DirectoryNode, for_each, lookup};
pub use patch::{patch, patch_around};
pub use plain::{PlainDirectory, SHARDING_BYTES, empty, entry_bytes};
pub use shard::{Child, Shard, name_hash};
pub use walk::{LostShard, Step, walk_slots};
