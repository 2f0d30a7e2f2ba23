//! The figures that the check of a new root collects.

use super::held::HeldFigures;
use crate::ipfs::directory::Entry;
use serde::Serialize;

/// Bytes that a file outside the layout of a mirror takes besides its own.
const OTHER_BESIDE: u64 = 64;

/// The ways in which a root differs from the one that was held before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FollowChanges {
    /// Items that were not there before.
    pub new: u64,
    /// Items whose narinfos are others than before.
    pub changed: u64,
    /// Items that are not there any more.
    pub gone: u64,
    /// Bytes of the files that are new or others than before.
    pub bytes_new: u64,
}

/// The figures of a root that may be held.
#[derive(Debug, Default)]
pub struct Checked {
    /// Those of the whole.
    pub figures: HeldFigures,
    /// The changes.
    pub changes: FollowChanges,
    /// Files that are still to come.
    pub files: usize,
    /// Bytes of those that are not there any more, or were others.
    pub(super) bytes_gone: u64,
    /// The largest file outside the layout of a mirror, after its size.
    pub(super) other: Option<(u64, String)>,
}

impl Checked {
    /// Counts a file that is another than before.
    pub(super) fn count(&mut self, old: Option<Entry>, new: Option<Entry>) {
        let size = |entry: Option<Entry>| entry.map_or(0, |entry| entry.size);
        let bytes = &mut self.changes.bytes_new;
        *bytes = bytes.saturating_add(size(new));
        self.bytes_gone = self.bytes_gone.saturating_add(size(old));
    }

    /// Counts a new file outside the layout of a mirror.
    pub(super) fn other(&mut self, path: String, entry: Entry) {
        let bytes = entry.size.saturating_add(path.len() as u64 + OTHER_BESIDE);
        self.figures.others = self.figures.others.saturating_add(bytes);
        if self.other.as_ref().is_none_or(|(size, _)| *size < bytes) {
            self.other = Some((bytes, path));
        }
    }
}
