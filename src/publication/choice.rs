//! The choice of a root among those that a name and its journals hold.
//!
//! Two writers of one node may both have pinned a journal with the same number, of
//! which only one was published. So the name decides: the journal of the root that it
//! points to counts, and after it one that continued from that root. Any other
//! belongs to another writer that lost, and no run continues from it.

use super::error::PublicationError;
use super::journal::Journal;
use super::name_state::NameState;
use crate::ipfs::cid::Cid;

/// The root to continue from.
///
/// # Errors
/// The name and the journals do not decide it.
pub fn candidate(name: &str, state: &NameState) -> Result<Cid, PublicationError> {
    let name = name.to_owned();
    match (state.published, &state.foreign, state.journals.first()) {
        (Some(published), _, Some(newest)) => match successor(&state.journals, &published) {
            Some(root) => Ok(root),
            None => Err(PublicationError::Diverged {
                name,
                resolved: Box::new(published),
                journal: Box::new(newest.root),
            }),
        },
        (Some(published), _, None) => Ok(published),
        (None, Some(path), _) => Err(PublicationError::ForeignPath {
            name,
            path: path.clone(),
        }),
        (None, None, Some(newest)) => match rival(&state.journals, newest) {
            None => Ok(newest.root),
            Some(other) => Err(PublicationError::Undecided {
                name,
                one: Box::new(newest.root),
                other: Box::new(other.root),
            }),
        },
        (None, None, None) => match state.lost.first() {
            Some(journal) => Err(PublicationError::JournalLost {
                name,
                journal: Box::new(*journal),
            }),
            None => Err(PublicationError::Unknown(name)),
        },
    }
}

/// The root of the newest journal that continued from the published root, or that
/// root itself. `None` where the journals, the newest first, do not contain it.
fn successor(journals: &[Journal], published: &Cid) -> Option<Cid> {
    let own = journals.iter().find(|journal| journal.root == *published);
    let number = own.map_or(0, |journal| journal.number);
    // A run that was killed between pinning and publishing left one.
    let next = journals
        .iter()
        .find(|journal| journal.number > number && journal.previous == Some(*published));
    next.or(own).map(|journal| journal.root)
}

/// Another root of the same number as the newest.
fn rival<'j>(journals: &'j [Journal], newest: &Journal) -> Option<&'j Journal> {
    let mut journals = journals.iter();
    journals.find(|other| other.number == newest.number && other.root != newest.root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{CidVersion, RAW, cid_of};

    fn root(number: u8) -> Cid {
        cid_of(CidVersion::V1, RAW, &[number])
    }

    /// Journals as (number, root, previous root), the newest first.
    fn chosen(published: Option<u8>, journals: &[(u64, u8, Option<u8>)]) -> Result<Cid, String> {
        let journals = journals.iter().map(|&(number, held, before)| Journal {
            cid: root(held + 100),
            root: root(held),
            number,
            previous: before.map(root),
            ledger: None,
            moved: None,
        });
        let state = NameState {
            published: published.map(root),
            journals: journals.collect(),
            ..NameState::default()
        };
        candidate("name", &state).map_err(|error| error.to_string())
    }

    #[test]
    fn name_and_journals_decide_which_root_to_continue_from() {
        assert_eq!(chosen(Some(1), &[(1, 1, None)]), Ok(root(1)));
        // Killed between pinning and publishing: the new root counts.
        let killed = [(2, 2, Some(1)), (1, 1, None)];
        assert_eq!(chosen(Some(1), &killed), Ok(root(2)));
        assert_eq!(chosen(Some(1), &killed[..1]), Ok(root(2)));
        assert_eq!(chosen(None, &killed[..1]), Ok(root(2)));
        assert_eq!(chosen(Some(1), &[]), Ok(root(1)));
        let unknown = chosen(None, &[]).unwrap_err();
        assert!(
            unknown.contains("nothing is known of /ipns/name"),
            "{unknown}"
        );
        let diverged = chosen(Some(3), &[(2, 2, Some(1))]).unwrap_err();
        assert!(
            diverged.contains("another writer uses the key"),
            "{diverged}"
        );
    }

    #[test]
    fn a_journal_that_was_not_published_never_wins_over_the_published_one() {
        for (journals, expected) in [
            // Both continued from 1, and 2 was published.
            (&[(2, 3, Some(1)), (2, 2, Some(1))][..], 2),
            // One that failed to publish again and again.
            (&[(7, 3, Some(1)), (2, 2, Some(1))], 2),
            // Beside a run that was killed later.
            (&[(7, 3, Some(1)), (3, 4, Some(2)), (2, 2, Some(1))], 4),
            // The published one's own pin is gone.
            (&[(7, 3, Some(1)), (3, 4, Some(2))], 4),
        ] {
            assert_eq!(chosen(Some(2), journals), Ok(root(expected)));
        }
        let undecided = chosen(None, &[(2, 3, Some(1)), (2, 2, Some(1))]).unwrap_err();
        for held in [2, 3] {
            assert!(undecided.contains(&root(held).to_string()), "{undecided}");
        }
    }
}
