//! The narinfo: the description of one store item by a substitute server.
//!
//! `Field: value` lines in any order (three orders are in use); unknown fields are
//! ignored. The bytes are kept verbatim, since the signature is over them:
//! [`Narinfo::bytes`] is published, never a rewriting.

mod arrival;
mod error;
mod parse;
pub(super) mod parsed;
#[cfg(test)]
mod tests;
mod variants;

pub(super) use arrival::fault_of_transfer;
pub use error::{MAX_NARINFO_BYTES, NarinfoError};
pub use parsed::{Narinfo, Variant};
