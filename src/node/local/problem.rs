//! Problems that several files of the local store meet.

use super::super::error::{Problem, Refusal};
use crate::ipfs::cid::Cid;
use std::io;
use std::path::Path;

/// A file or folder that cannot be read or written.
pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Problem {
    let path = path.to_owned();
    move |source| Problem::File { path, source }
}

/// A block that the store does not hold.
pub fn missing(cid: &Cid) -> Problem {
    refused(
        Refusal::Missing,
        format!("it does not hold the block {cid}"),
    )
}

/// A refusal in these words.
pub fn refused(refusal: Refusal, message: impl Into<String>) -> Problem {
    let message = message.into();
    Problem::Refused { refusal, message }
}
