//! The root to go on from, chosen by what the name and the journal hold.

use super::error::PublicationError;
use super::journal::{Journal, NewBlocks};
use super::name_state::{NameState, read_name_state};
use super::publisher::{KeyAge, Publisher};
use super::tree::{CACHE_INFO_NAME, Tree};
use super::view::PublicationView;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::directory::{Entry, PlainDirectory};
use crate::ipfs::file::FileBuilder;
use crate::node::{NodeError, Segment};
use std::convert::Infallible;

/// The one file of a first root. Nix and older Guix ask for it.
pub const CACHE_INFO: &[u8] = b"StoreDir: /gnu/store\nWantMassQuery: 0\nPriority: 100\n";

/// The root that new files are grafted onto.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The root.
    pub root: Cid,
    /// The root that the name points to, if it resolves. Where it is another, the
    /// base is published even if nothing is new.
    pub published: Option<Cid>,
    /// The journals of the key, the newest first.
    pub journals: Vec<Journal>,
}

/// Decides which root to go on from. `given` is a person's word (`--base`).
///
/// # Errors
/// Whenever that is not certain: each error names the way out.
pub fn choose_base(
    view: &PublicationView,
    state: &NameState,
    given: Option<Cid>,
) -> Result<Cid, PublicationError> {
    let root = match given {
        Some(root) => root,
        None => candidate(&view.key.id, state)?,
    };
    match Tree::new(view.node, root).is_mirror() {
        Ok(true) => Ok(root),
        Ok(false) => Err(PublicationError::NotAMirror {
            root: Box::new(root),
        }),
        // As on a new machine, before anything was fetched from the network.
        Err(PublicationError::Node(source)) if source.is_missing() => Err(not_whole(root, source)),
        Err(error) => Err(error),
    }
}

/// The root that name and journals agree on.
fn candidate(name: &str, state: &NameState) -> Result<Cid, PublicationError> {
    let name = || name.to_owned();
    let newest = state.journals.first().map(|journal| journal.root);
    let mut journals = state.journals.iter();
    match (state.published, newest) {
        (Some(resolved), Some(newest)) => {
            let is_known = journals
                .any(|journal| journal.root == resolved || journal.previous == Some(resolved));
            match is_known {
                true => Ok(newest),
                false => Err(PublicationError::Diverged {
                    name: name(),
                    resolved: Box::new(resolved),
                    journal: Box::new(newest),
                }),
            }
        }
        (None, Some(root)) | (Some(root), None) => Ok(root),
        (None, None) => Err(PublicationError::Unknown { name: name() }),
    }
}

fn not_whole(root: Cid, source: NodeError) -> PublicationError {
    PublicationError::NotWhole {
        root: Box::new(root),
        source,
    }
}

/// Goes on from the chosen root and makes sure that a journal holds it. Under a
/// new key a first root is made.
pub fn adopt_root(publisher: &mut Publisher, given: Option<Cid>) -> Result<Base, PublicationError> {
    let state = read_name_state(&publisher.view)?;
    if publisher.key_age == KeyAge::New && given.is_none() {
        return create_first_root(publisher, state, CidVersion::V0);
    }
    let root = choose_base(&publisher.view, &state, given)?;
    let mut base = Base {
        root,
        published: state.published,
        journals: state.journals,
    };
    if base.journals.first().map(|journal| journal.root) != Some(root) {
        if given.is_none() {
            refuse_mixed(publisher, root)?;
        }
        let journal = pin_adopted(publisher, &base)?;
        base.journals.insert(0, journal);
    }
    publisher.name_new_key()?;
    Ok(base)
}

/// Goes on from the chosen root though parts of it, or its journal, cannot be read. Where
/// no journal holds it, none is written: it could not be pinned.
pub fn adopt_damaged(publisher: &Publisher) -> Result<Base, PublicationError> {
    let state = read_name_state(&publisher.view)?;
    let root = candidate(&publisher.view.key.id, &state)?;
    let tree = Tree::new(publisher.node(), root);
    match (tree.is_mirror(), tree.top(&root)) {
        (Ok(false), _) => {
            return Err(PublicationError::NotAMirror {
                root: Box::new(root),
            });
        }
        // Nothing of it can be known.
        (_, Err(PublicationError::Node(source))) if source.is_of_block() => {
            return Err(not_whole(root, source));
        }
        (Err(error), _) if !error.is_of_block() => return Err(error),
        _ => {}
    }
    Ok(Base {
        root,
        published: state.published,
        journals: state.journals,
    })
}

/// Makes the first root, with `nix-cache-info` alone. It is not published yet.
pub fn create_first_root(
    publisher: &mut Publisher,
    mut state: NameState,
    version: CidVersion,
) -> Result<Base, PublicationError> {
    let (root, blocks) = first_root(version);
    let newest = state.journals.first();
    // A run that was killed may have come so far.
    if newest.map(|journal| journal.root) != Some(root.cid) {
        let journal = write_journal(publisher, &root, blocks, None, newest)?;
        state.journals.insert(0, journal);
    }
    publisher.name_new_key()?;
    Ok(Base {
        root: root.cid,
        published: state.published,
        journals: state.journals,
    })
}

/// The first root with its blocks.
fn first_root(version: CidVersion) -> (Entry, NewBlocks) {
    let mut blocks = NewBlocks::new();
    let mut sink = |cid, block| {
        blocks.push((cid, block));
        Ok::<_, Infallible>(())
    };
    let mut file = FileBuilder::new(version);
    let Ok(()) = file.push(CACHE_INFO, &mut sink);
    let Ok(added) = file.finish(&mut sink);
    let entry = Entry {
        cid: added.cid,
        size: added.cumulative,
    };
    let entries = [(CACHE_INFO_NAME.to_owned(), entry)].into();
    let (block, root) = PlainDirectory { entries }.encode(version);
    blocks.push((root.cid, block));
    (root, blocks)
}

/// Fails for a root that this program has not made and that holds CIDs of both
/// versions.
fn refuse_mixed(publisher: &Publisher, root: Cid) -> Result<(), PublicationError> {
    match Tree::new(publisher.node(), root).entry_of_other_version() {
        Ok(Some(path)) => Err(PublicationError::Mixed {
            root: Box::new(root),
            path,
        }),
        // Pinning it will tell.
        Err(PublicationError::Node(error)) if error.is_missing() => Ok(()),
        done => done.map(|_| ()),
    }
}

/// Pins a root that no journal holds through a new journal, which also proves that
/// it is whole on the node.
fn pin_adopted(publisher: &Publisher, base: &Base) -> Result<Journal, PublicationError> {
    let block = publisher.node().block(&base.root)?;
    let size = PbNode::decode(&block).map_or(0, |node| node.cumulative_size(block.len()));
    let root = Entry {
        cid: base.root,
        size,
    };
    let newest = base.journals.first();
    let written = write_journal(publisher, &root, NewBlocks::new(), base.published, newest);
    written.map_err(|error| match error.is_missing() {
        true => not_whole(base.root, error),
        false => error.into(),
    })
}

/// Composes, stores and pins the journal of a root, of which the node lacks no more
/// than `blocks`.
fn write_journal(
    publisher: &Publisher,
    root: &Entry,
    mut blocks: NewBlocks,
    previous: Option<Cid>,
    older: Option<&Journal>,
) -> Result<Journal, NodeError> {
    let key_id = &publisher.view.key.id;
    let (journal, own) = Journal::compose(key_id, root, previous, older);
    blocks.extend(own);
    let mut segment = Segment::default();
    for (cid, block) in blocks {
        segment.push(cid, block);
    }
    let staging = publisher.import(&segment.seal())?;
    let pinned = journal.pin(publisher.node(), key_id, older);
    publisher.drop_staging(&[staging])?;
    pinned.map(|()| journal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{RAW, cid_of};

    fn root(number: u8) -> Cid {
        cid_of(CidVersion::V1, RAW, &[number])
    }

    fn state(published: Option<u8>, journals: &[(u8, Option<u8>)]) -> NameState {
        let journals = journals
            .iter()
            .zip((1..=9).rev())
            .map(|((held, before), number)| Journal {
                cid: root(held + 100),
                root: root(*held),
                number,
                previous: before.map(root),
            });
        NameState {
            published: published.map(root),
            journals: journals.collect(),
        }
    }

    #[test]
    fn name_and_journals_decide_which_root_to_go_on_from() {
        let chosen = |published, journals: &[_]| {
            let state = state(published, journals);
            candidate("name", &state).map_err(|error| error.to_string())
        };
        assert_eq!(chosen(Some(1), &[(1, None)]), Ok(root(1)));
        // Killed between pinning and publishing: the new root counts.
        assert_eq!(chosen(Some(1), &[(2, Some(1)), (1, None)]), Ok(root(2)));
        assert_eq!(chosen(Some(1), &[(2, Some(1))]), Ok(root(2)));
        assert_eq!(chosen(None, &[(2, Some(1))]), Ok(root(2)));
        assert_eq!(chosen(Some(1), &[]), Ok(root(1)));
        let unknown = chosen(None, &[]).unwrap_err();
        assert!(
            unknown.contains("nothing is known of /ipns/name"),
            "{unknown}"
        );
        let diverged = chosen(Some(3), &[(2, Some(1))]).unwrap_err();
        assert!(
            diverged.contains("another writer uses the key"),
            "{diverged}"
        );
    }
}
