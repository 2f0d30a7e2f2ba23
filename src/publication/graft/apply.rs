//! The graft itself, in either way.

use super::changes::{FolderChanges, NewFile};
use super::engine::Engine;
use super::{add_link, car};
use crate::ipfs::directory::Entry;
use crate::publication::error::PublicationError;
use crate::publication::stage::Stage;
use crate::publication::tree::Tree;

/// The root of `tree` with `files` in it; new directory blocks go to `stage`.
///
/// # Errors
/// [`PublicationError::Sharded`] with add-link, before anything is changed.
pub fn graft(
    engine: Engine,
    tree: &Tree,
    stage: &Stage,
    files: &[NewFile],
) -> Result<Entry, PublicationError> {
    let changes = FolderChanges::adding(files);
    match engine {
        Engine::AddLink => add_link::graft(tree, &changes),
        Engine::Car => car::graft(tree, &changes, stage),
    }
}

/// The root of `tree` without the files at `paths`, and without the directories
/// that are then empty; new directory blocks go to `stage`.
pub fn remove(
    tree: &Tree,
    stage: &Stage,
    paths: &[Vec<String>],
) -> Result<Entry, PublicationError> {
    car::graft(tree, &FolderChanges::removing(paths), stage)
}
