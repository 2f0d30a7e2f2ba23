//! The check of the files that a root has beside its narinfos.

use super::damage::DamagedPart;
use crate::publication::{CACHE_INFO_NAME, Damage, PAGE_NAME, PublicationError, Tree};

/// The fault of `nix-cache-info`.
pub(super) fn cache_info(tree: &Tree) -> Result<Option<DamagedPart>, PublicationError> {
    let read = match tree.find(&[CACHE_INFO_NAME]) {
        // A tree that this program has not begun may lack it, and works.
        Ok(None) => return Ok(None),
        Ok(Some(entry)) => tree.read(&entry.cid),
        // It comes back with the part of the root that is lost.
        Err(error) => Err(error),
    };
    let error = match read {
        Ok(content) => {
            let text = String::from_utf8_lossy(&content);
            if text.lines().any(|line| line == "StoreDir: /gnu/store") {
                return Ok(None);
            }
            let reason = "it names no StoreDir: /gnu/store".to_owned();
            PublicationError::File(CACHE_INFO_NAME.to_owned(), reason)
        }
        Err(error) if error.is_of_block() => error,
        Err(error) => return Err(error),
    };
    let part = DamagedPart::new(CACHE_INFO_NAME, Damage::CacheInfo, &error);
    Ok(Some(part))
}

/// The fault of the page for people.
pub(super) fn page(tree: &Tree) -> Result<Option<DamagedPart>, PublicationError> {
    let read = match tree.find(&[PAGE_NAME]) {
        Ok(None) => return Ok(None),
        Ok(Some(entry)) => tree.read(&entry.cid).map(drop),
        // It is written again with the part of the root that is lost.
        Err(error) if error.is_of_block() => return Ok(None),
        Err(error) => Err(error),
    };
    match read {
        Ok(()) => Ok(None),
        Err(PublicationError::Node(error)) if error.is_of_block() => Ok(Some(DamagedPart::new(
            PAGE_NAME,
            Damage::Page,
            &error.into(),
        ))),
        // One that somebody else made may be of any kind.
        Err(error) if error.is_of_block() => Ok(None),
        Err(error) => Err(error),
    }
}
