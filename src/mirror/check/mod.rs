//! The check of a mirror from outside: through gateways, as its users see it, and through
//! the network that the node is part of.

mod file_ends;
mod files;
mod finding;
mod gateway_blocks;
mod name;
mod request;
mod sample;
mod swarm;
mod whole;

pub use finding::{Finding, Kind, Verdict};
pub use name::NameRecord;
pub use request::CheckRequest;
pub use swarm::SwarmFound;
pub use whole::{CheckSummary, check};
