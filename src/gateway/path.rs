//! Paths such as `/ipfs/CID/nar/gzip/…` and `/ipns/NAME/…`.

use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{DirectoryError, TreeError, lookup};
use crate::node::{Node, NodeError};
use crate::util::url::RESERVED;
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use thiserror::Error;

/// The most names that may lead to one another.
const MAX_NAMES: usize = 8;

/// The reasons why a path leads nowhere.
#[derive(Debug, Error)]
pub enum PathError {
    /// The path is not UTF-8, or has no CID after `/ipfs/`.
    #[error("malformed path: {0}")]
    Malformed(String),
    /// The path is neither `/ipfs/CID/…` nor `/ipns/NAME/…`, a name does not resolve, a
    /// directory has no such entry, or the path continues below a file.
    #[error("{0}")]
    NotFound(String),
    /// The node refuses, or lacks a block.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A directory is not what it should be.
    #[error("{0}")]
    Tree(String),
}

/// The segments of a percent-encoded path, decoded.
pub fn segments(path: &str) -> Result<Vec<String>, PathError> {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let decode = |segment| match percent_decode_str(segment).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(PathError::Malformed("it is not UTF-8".to_owned())),
    };
    segments.map(decode).collect()
}

/// The path of these segments, percent-encoded.
pub fn folder(segments: &[String]) -> String {
    let segments = segments.iter();
    let encoded = segments.map(|segment| format!("/{}", utf8_percent_encode(segment, RESERVED)));
    encoded.collect()
}

/// The CID that a path leads to. Its block need not be there.
pub fn resolve(node: &dyn Node, segments: &[String]) -> Result<Cid, PathError> {
    let mut segments = segments.to_vec();
    for _ in 0..=MAX_NAMES {
        match segments.as_slice() {
            [kind, cid, below @ ..] if kind == "ipfs" => {
                let malformed = |_| PathError::Malformed(format!("{cid:?} is not a CID"));
                let root = cid.parse().map_err(malformed)?;
                return below
                    .iter()
                    .try_fold(root, |cid, name| step(node, &cid, name));
            }
            [kind, name, below @ ..] if kind == "ipns" => {
                let Some(value) = node.resolve(name)? else {
                    return Err(not_found(format!("the name {name} does not resolve")));
                };
                let value = value.split('/').filter(|segment| !segment.is_empty());
                segments = value.map(str::to_owned).chain(below.to_vec()).collect();
            }
            _ => return Err(not_found("neither /ipfs/CID nor /ipns/NAME")),
        }
    }
    Err(not_found("too many names refer to one another"))
}

/// The entry `name` of a directory.
pub fn step(node: &dyn Node, directory: &Cid, name: &str) -> Result<Cid, PathError> {
    match lookup(&node, directory, name) {
        Ok(Some(entry)) => Ok(entry.cid),
        Ok(None) => Err(not_found(format!(
            "/ipfs/{directory} has no entry {name:?}"
        ))),
        Err(TreeError::Malformed {
            reason: reason @ (DirectoryError::Codec | DirectoryError::NotADirectory(_)),
            ..
        }) => Err(not_found(format!("/ipfs/{directory}: {reason}"))),
        Err(TreeError::Blocks(error)) => Err(error.into()),
        Err(error) => Err(PathError::Tree(error.to_string())),
    }
}

fn not_found(reason: impl Into<String>) -> PathError {
    PathError::NotFound(reason.into())
}
