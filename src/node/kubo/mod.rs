//! A real Kubo, over its RPC (`/api/v0`): the only place with its commands, options,
//! versions and error texts.
//!
//! Every call has a time limit on both sides: the node is given `timeout=`, and
//! the client waits a little longer than that. A node that is asked for a block
//! it lacks searches the network without end, so calls about blocks also carry
//! `offline=true`, but for the one that is to search it.

mod address;
mod authorization;
mod blocks;
mod call;
mod client;
mod files;
mod info;
mod names;
mod pins;
mod refusal;
mod services;
mod version;

pub use address::{Address, AddressError};
pub use authorization::{AUTHORIZATION_VARIABLE, Authorization, AuthorizationError};
pub use client::{KuboNode, TimeLimits};
