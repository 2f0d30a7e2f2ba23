//! The mark in the journal of a mirror that left its node. While the newest journal
//! has it, nothing is published from there.

use serde::{Deserialize, Serialize};

/// The node that a mirror was moved to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The node's peer ID.
    pub node: String,
    /// Its address, as `--api` takes it.
    pub address: String,
    /// The node's name of the key.
    pub key: String,
    /// The name was published there. Until then the move can be continued.
    pub is_done: bool,
}
