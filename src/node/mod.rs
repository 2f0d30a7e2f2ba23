//! The store that a mirror is published from: one contract ([`Node`]) and its two
//! back ends, a real Kubo over its RPC ([`kubo`]) and a folder of this machine
//! ([`local`]). No other room depends on which of them it has.

mod contract;
mod dry_run;
mod error;
pub mod kubo;
pub mod local;
mod open;
mod private_key;
mod segment;
mod services;

pub use contract::{
    Capabilities, Key, KnownBlocks, Node, NodeDescription, PublishOptions, Reach, Record, Usage,
};
pub use dry_run::DryRun;
pub use error::{AddFileError, NodeError, Problem, Refusal};
pub use open::{NodeAddress, NodeOptions, OpenError, local_folder, open, open_named};
pub use private_key::{NotAPrivateKey, PrivateKey};
pub use segment::{SealedSegment, Segment};
pub use services::{RemotePin, RemoteQuery, RemoteStatus};
