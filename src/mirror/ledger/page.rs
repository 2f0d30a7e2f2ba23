//! The latest additions to a mirror, for its page. The file is there as long as the
//! mirror has a page.

use super::files::PAGE;
use super::lines;
use crate::guix::HashPart;
use crate::node::Node;
use crate::publication::{LedgerFiles, PAGE_NAME, PublicationError, Tree};
use crate::util::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// Additions that are kept.
const MOST_ADDITIONS: usize = 50;

/// The mark of a page that this program made.
pub const GENERATOR: &str = r#"<meta name="generator" content="guix-ipfs">"#;

/// The first line of the file, which no addition is.
#[derive(Serialize)]
struct Head {
    page: bool,
}

/// An item that was added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addition {
    /// Its store hash.
    pub hash: HashPart,
    /// The name after the hash, such as `hello-2.12.1`.
    pub name: String,
    /// Bytes of the decompressed nar.
    pub bytes: u64,
    /// The time.
    pub at: Timestamp,
}

/// The page of a mirror, in its ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageState {
    /// The latest additions, the newest first.
    pub additions: Vec<Addition>,
}

impl PageState {
    /// Returns true where the mirror has a page.
    pub fn is_kept(files: &LedgerFiles) -> bool {
        files.has(PAGE)
    }

    /// Records that the mirror has no page.
    pub fn remove(files: &mut LedgerFiles) {
        files.remove(PAGE);
    }

    /// Reads it. Only the page misses additions that are lost on the node.
    ///
    /// # Errors
    /// The node cannot be used.
    pub fn read(node: &dyn Node, files: &mut LedgerFiles) -> Result<Self, PublicationError> {
        let additions = match files.read(node, PAGE) {
            Err(error) if error.is_of_block() => Vec::new(),
            file => lines::read(file?),
        };
        Ok(Self { additions })
    }

    /// Records a page that this program made, where the ledger was lost.
    pub fn recover(tree: &Tree, files: &mut LedgerFiles) {
        let page = tree.find(&[PAGE_NAME]).ok().flatten();
        let page = page.and_then(|page| tree.read(&page.cid).ok());
        let text = String::from_utf8_lossy(page.as_deref().unwrap_or_default());
        if !Self::is_kept(files) && text.contains(GENERATOR) {
            Self::default().write(files);
        }
    }

    /// Adds items, the newest first.
    pub fn add(&mut self, mut additions: Vec<Addition>) {
        let is_new = |known: &Addition| additions.iter().all(|new| new.hash != known.hash);
        self.additions.retain(is_new);
        additions.append(&mut self.additions);
        additions.truncate(MOST_ADDITIONS);
        self.additions = additions;
    }

    /// Writes it.
    pub fn write(&self, files: &mut LedgerFiles) {
        let mut file = lines::write([&Head { page: true }]);
        file.extend(lines::write(&self.additions));
        files.write(PAGE, file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::ledger::fixtures::hash;
    use crate::node::local::LocalNode;

    fn addition(number: u32) -> Addition {
        Addition {
            hash: hash(number),
            name: format!("item-{number}"),
            bytes: number.into(),
            at: Timestamp(number.into()),
        }
    }

    #[test]
    fn the_newest_additions_are_kept_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(folder.path()).unwrap();
        let mut files = LedgerFiles::default();
        assert!(!PageState::is_kept(&files));
        PageState::default().write(&mut files);
        assert!(PageState::is_kept(&files));
        assert_eq!(
            PageState::read(&node, &mut files).unwrap(),
            PageState::default()
        );
        let mut state = PageState::default();
        state.add((0..40).rev().map(addition).collect());
        state.add(
            [30].into_iter()
                .chain((40..60).rev())
                .map(addition)
                .collect(),
        );
        state.write(&mut files);
        let read = PageState::read(&node, &mut files).unwrap();
        assert_eq!(read, state);
        let numbers: Vec<u64> = read.additions.iter().map(|it| it.at.0).collect();
        assert_eq!(numbers[..3], [30, 59, 58]);
        assert_eq!(numbers.len(), 50);
        assert_eq!(numbers.iter().filter(|number| **number == 30).count(), 1);
        PageState::remove(&mut files);
        assert!(!PageState::is_kept(&files));
    }
}
