//! Paths such as `/ipfs/CID/nar/gzip/…`, `/ipns/NAME/…` or a bare CID.

use super::EmbeddedError;
use super::keys::canonical_name;
use super::repo::Repo;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{DirectoryError, TreeError, lookup};

/// How many names may lead to names.
const MAX_NAMES: usize = 8;

/// What `path` points to. The last block need not be here.
pub fn resolve(repo: &Repo, path: &str) -> Result<Cid, EmbeddedError> {
    resolve_within(repo, path, MAX_NAMES)
}

/// What the name in `/ipns/NAME`, or bare, points to.
pub fn resolve_name(repo: &Repo, name: &str) -> Result<String, EmbeddedError> {
    let bare = name.strip_prefix("/ipns/").unwrap_or(name);
    let found = canonical_name(bare).and_then(|name| repo.names.get(&name));
    match found {
        Some(record) => Ok(record.value),
        None => Err(EmbeddedError::refused("could not resolve name")),
    }
}

/// What is said of a path that goes on below a file.
pub const BELOW_A_FILE: &str = "func called on wrong kind: \"LookupBySegment\" called on a \
    data.Bytes node (kind: bytes), but only makes sense on map or list";

fn resolve_within(repo: &Repo, path: &str, names_left: usize) -> Result<Cid, EmbeddedError> {
    let invalid = |why: &str| EmbeddedError::refused(format!("invalid path {path:?}: {why}"));
    if let Some(rest) = path.strip_prefix("/ipns/") {
        let (name, below) = rest.split_once('/').unwrap_or((rest, ""));
        if names_left == 0 {
            return Err(EmbeddedError::refused(
                "could not resolve name (recursion limit)",
            ));
        }
        let value = resolve_name(repo, name)?;
        let path = format!("{value}/{below}");
        return resolve_within(repo, &path, names_left - 1);
    }
    let rest = match path.strip_prefix("/ipfs/") {
        Some(rest) => rest,
        None if path.starts_with('/') => return Err(invalid("unknown namespace")),
        None => path,
    };
    let mut segments = rest.split('/').filter(|segment| !segment.is_empty());
    let first = segments.next().unwrap_or_default();
    let mut cid: Cid = match first.parse() {
        Ok(cid) => cid,
        Err(error) if path.starts_with('/') => {
            return Err(invalid(&format!("invalid cid: {error}")));
        }
        Err(_) => return Err(invalid("path does not have enough components")),
    };
    for name in segments {
        cid = step(repo, &cid, name)?;
    }
    Ok(cid)
}

fn step(repo: &Repo, cid: &Cid, name: &str) -> Result<Cid, EmbeddedError> {
    match lookup(&repo.blocks, cid, name) {
        Ok(Some(entry)) => Ok(entry.cid),
        Ok(None) => Err(EmbeddedError::refused(format!(
            "no link named {name:?} under {cid}"
        ))),
        // Kubo's words for a path that goes on below a file.
        Err(TreeError::Malformed {
            reason: DirectoryError::Codec | DirectoryError::NotADirectory(_),
            ..
        }) => Err(EmbeddedError::refused(BELOW_A_FILE)),
        Err(TreeError::Blocks(error)) => Err(error),
        Err(error) => Err(EmbeddedError::refused(error.to_string())),
    }
}
