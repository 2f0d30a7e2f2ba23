//! The substitute server: the data that a Guix build farm serves, and the checks
//! that can be made of it.
//!
//! [`UpstreamClient`] asks the server for the [`Narinfo`] of a store path's hash,
//! which lists the compressed nars of the item. Each nar is read through a
//! [`NarVerifier`], which ends cleanly only when the bytes are those that the
//! narinfo promises.

pub mod base32;
mod compression;
pub mod cuirass;
pub mod delta;
mod farm_keys;
#[cfg(test)]
mod fixtures;
mod key_file;
mod nar;
mod narinfo;
pub mod sexp;
pub mod signature;
mod store_path;
mod trusted_keys;
mod upstream;

pub use compression::Compression;
pub use cuirass::{Build, CuirassError, LatestBuilds};
pub use farm_keys::farm_of;
pub use key_file::{KeyFile, KeyFileError, OtherKeys};
pub use nar::{ExpectedNar, NarError, NarPath, NarPathError, NarReader, NarVerifier};
pub use narinfo::{MAX_NARINFO_BYTES, Narinfo, NarinfoError, Variant};
pub use signature::{PublicKey, Signature, SignatureError};
pub use store_path::{HashPart, StorePath, StorePathError};
pub use trusted_keys::TrustedKeys;
pub use upstream::{
    BuildQuery, ConnectionLimits, Download, HttpAnswer, HttpError, RateLimit, UpstreamClient,
};
