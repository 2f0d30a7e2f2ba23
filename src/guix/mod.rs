//! The substitute server's side: what a Guix build farm serves, and what can
//! be checked of it. Knows nothing of where it is published.
//!
//! A store path's hash asks the server ([`Upstream`]) for a [`Narinfo`], which
//! lists the item's compressed nars; each is read through a [`CheckedNar`],
//! which ends cleanly only when the bytes are those the narinfo promises.

pub mod base32;
pub mod compression;
pub mod cuirass;
mod decompress;
pub mod http;
pub mod http_error;
pub mod nar_check;
mod nar_judge;
pub mod nar_path;
pub mod narinfo;
pub mod sexp;
pub mod signature;
pub mod store_path;
pub mod trusted_keys;
mod url;
mod variants;

pub use compression::Compression;
pub use cuirass::{Build, CuirassError};
pub use http::{Download, Upstream};
pub use http_error::HttpError;
pub use nar_check::{CheckedNar, Expect, NarError};
pub use nar_path::{NarPath, NarPathError};
pub use narinfo::{MAX_NARINFO_BYTES, Narinfo, NarinfoError, Variant};
pub use signature::{PublicKey, SignatureError};
pub use store_path::{HashPart, StorePath, StorePathError};
pub use trusted_keys::{TrustedKeys, TrustedKeysError};
pub use variants::VariantsError;
