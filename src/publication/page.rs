//! A page for people in the root. It is generated again for each root that is
//! published.

use super::error::PublicationError;
use super::ledger::LedgerFiles;
use super::tree::Tree;
use crate::node::Key;
use std::fmt;

/// The maker of a page.
pub trait PageMaker: fmt::Debug + Send + Sync {
    /// The use of the page in a commit. The ledger is changed where that is a new one.
    fn begin(&self, ledger: &mut LedgerFiles) -> PageUse;

    /// The page of a root, all of which is on the node.
    ///
    /// # Errors
    /// The ledger is not whole on the node.
    fn write(
        &self,
        key: &Key,
        tree: &Tree,
        ledger: &mut LedgerFiles,
    ) -> Result<Vec<u8>, PublicationError>;
}

/// The use of a page in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageUse {
    /// There is no page.
    None,
    /// It is written again, if the root changes.
    Kept,
    /// It is new.
    Begun,
    /// It goes.
    Ended,
}

impl PageUse {
    /// Returns true where the page of the root is to be changed.
    pub(super) fn is_due(self, root_changes: bool) -> bool {
        match self {
            Self::None => false,
            Self::Kept => root_changes,
            Self::Begun | Self::Ended => true,
        }
    }
}
