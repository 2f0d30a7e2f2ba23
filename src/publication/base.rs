//! The root to continue from, chosen by what the name and the journal hold.

use super::choice::candidate;
use super::error::PublicationError;
use super::journal::{Content, Journal, NewBlocks};
use super::ledger::LedgerFiles;
use super::name_state::{NameState, read_name_state};
use super::publisher::{KeyAge, Publisher};
use super::tree::{CACHE_INFO_NAME, Tree};
use super::view::PublicationView;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::{Entry, PlainDirectory};
use crate::ipfs::file::file_blocks;
use crate::node::{Node, NodeError};

/// The one file of a first root. Nix and older Guix ask for it.
pub const CACHE_INFO: &[u8] = b"StoreDir: /gnu/store\nWantMassQuery: 0\nPriority: 100\n";

/// The root that new files are grafted onto.
#[derive(Clone, Debug)]
pub struct Base {
    /// The root.
    pub root: Cid,
    /// The state of the name. Where it points to another root, the base is published even
    /// if nothing is new; a foreign path is one that `--base` replaces. The journals are
    /// first that of the root, which stays pinned, then those that are unpinned once the
    /// name points to the root. The pins of lost ones are unpinned likewise.
    pub state: NameState,
    /// The ledger of the first journal.
    pub ledger: LedgerFiles,
}

impl Base {
    fn from_state(root: Cid, state: NameState) -> Self {
        Self {
            root,
            state,
            ledger: LedgerFiles::default(),
        }
    }

    /// Reads the ledger of the first journal.
    pub(super) fn load_ledger(&mut self, node: &dyn Node) -> Result<(), PublicationError> {
        self.ledger = self.state.ledger(node, &self.root)?;
        Ok(())
    }

    /// The first of the journals.
    pub(super) fn journal(&self) -> Option<&Journal> {
        self.state.journals.first()
    }

    /// Returns true where the name points to the root, and one journal holds it.
    pub(super) fn is_settled(&self) -> bool {
        let state = &self.state;
        state.published == Some(self.root) && state.journals.len() < 2 && state.lost.is_empty()
    }

    /// The newest of the journals, which need not be the first.
    pub(super) fn newest(&self) -> Option<&Journal> {
        let journals = self.state.journals.iter();
        journals.max_by_key(|journal| journal.age())
    }

    /// Puts the newest journal that holds the root first. Among those of the same
    /// number, one that is not `known` comes before those that are: a run repeats its
    /// own changes to the ledger, but not those of another writer. Returns false where
    /// none holds the root.
    pub(super) fn lead_with_root(&mut self, known: &[Cid]) -> bool {
        let journals = self.state.journals.iter().enumerate();
        let holding = journals.filter(|(_, journal)| journal.root == self.root);
        let newest = holding.max_by_key(|(_, journal)| {
            let (number, cid) = journal.age();
            (number, !known.contains(&cid), cid)
        });
        let Some((at, _)) = newest else {
            return false;
        };
        self.state.journals[..=at].rotate_right(1);
        true
    }
}

/// Decides which root to continue from. `given` is the user's choice (`--base`).
///
/// # Errors
/// The choice is not certain: each error names the way out.
pub fn choose_base(
    view: &PublicationView,
    state: &NameState,
    given: Option<Cid>,
) -> Result<Cid, PublicationError> {
    let root = match given {
        Some(root) => root,
        None => candidate(&view.key.id, state)?,
    };
    let tree = Tree::new(view.node, root);
    // A journal holds only roots that were found to be mirrors.
    let is_mirror = match state.journal_of(&root) {
        Some(_) => tree.top(&root).map(|_| true),
        None => tree.is_mirror(),
    };
    match is_mirror {
        Ok(true) => Ok(root),
        Ok(false) => Err(PublicationError::NotAMirror(Box::new(root))),
        // As on a new machine, before anything was fetched from the network.
        Err(PublicationError::Node(source)) if source.is_missing() => Err(not_whole(root, source)),
        Err(error) => Err(error),
    }
}

fn not_whole(root: Cid, source: NodeError) -> PublicationError {
    PublicationError::NotWhole {
        root: Box::new(root),
        source,
    }
}

/// Continues from the chosen root and makes sure that a journal holds it. Under a new
/// key a first root is made.
pub fn adopt_root(publisher: &mut Publisher, given: Option<Cid>) -> Result<Base, PublicationError> {
    let state = read_name_state(&publisher.view)?;
    publisher.options.log.note_found(state.published);
    // Another writer may have started with the same key, and got further.
    let is_new = publisher.key_age == KeyAge::New && state.shown_publication().is_none();
    if is_new && given.is_none() {
        return create_first_root(publisher, state, CidVersion::V0);
    }
    // `--base` brings back a mirror that was moved to another node.
    if given.is_none() {
        state.refuse_moved(&publisher.view.key.id)?;
    }
    let is_marked = state.moved().is_some();
    let mut base = choose(publisher, state, given)?;
    if is_marked {
        pin_adopted(publisher, &mut base)?;
    }
    base.load_ledger(publisher.node())?;
    publisher.name_new_key()?;
    Ok(base)
}

/// The base with a journal that holds its root, but without the ledger.
fn choose(
    publisher: &Publisher,
    state: NameState,
    given: Option<Cid>,
) -> Result<Base, PublicationError> {
    let root = choose_base(&publisher.view, &state, given)?;
    let mut base = Base::from_state(root, state);
    if !base.lead_with_root(&[]) {
        if given.is_none() {
            refuse_mixed(publisher, root)?;
        }
        pin_adopted(publisher, &mut base)?;
    }
    Ok(base)
}

/// Continues from the chosen root, to leave the node: a mark that it was left already
/// does not matter.
pub fn adopt_to_leave(publisher: &Publisher) -> Result<Base, PublicationError> {
    let state = read_name_state(&publisher.view)?;
    choose(publisher, state, None)
}

/// Continues from the chosen root though parts of it, or its journal, cannot be read. If
/// no journal holds it, none is written: it could not be pinned.
pub fn adopt_damaged(publisher: &Publisher) -> Result<Base, PublicationError> {
    let state = read_name_state(&publisher.view)?;
    state.refuse_moved(&publisher.view.key.id)?;
    let root = candidate(&publisher.view.key.id, &state)?;
    let tree = Tree::new(publisher.node(), root);
    match (tree.is_mirror(), tree.top(&root)) {
        (Ok(false), _) => return Err(PublicationError::NotAMirror(Box::new(root))),
        // Its content is unknown.
        (_, Err(PublicationError::Node(source))) if source.is_of_block() => {
            return Err(not_whole(root, source));
        }
        (Err(error), _) if !error.is_of_block() => return Err(error),
        _ => {}
    }
    let mut base = Base::from_state(root, state);
    base.lead_with_root(&[]);
    match base.load_ledger(publisher.node()) {
        // A ledger that is lost with its journal starts empty.
        Err(error) if !error.is_of_block() => Err(error),
        _ => Ok(base),
    }
}

/// Creates the first root, with `nix-cache-info` alone. It is not published yet.
pub fn create_first_root(
    publisher: &mut Publisher,
    state: NameState,
    version: CidVersion,
) -> Result<Base, PublicationError> {
    let newest = state.journals.first().cloned();
    begin(publisher, state, version, newest)
}

/// The same under a name that had others before, of which nothing need be left on the
/// node.
pub fn begin_anew(
    publisher: &mut Publisher,
    state: NameState,
    version: CidVersion,
) -> Result<Base, PublicationError> {
    begin(publisher, state, version, None)
}

/// Pins the journal of a first root beside `older`, of which it takes the ledger.
fn begin(
    publisher: &mut Publisher,
    state: NameState,
    version: CidVersion,
    older: Option<Journal>,
) -> Result<Base, PublicationError> {
    state.refuse_moved(&publisher.view.key.id)?;
    let (root, blocks) = first_root(version);
    let mut base = Base::from_state(root.cid, state);
    // A killed run may have got this far.
    if older.as_ref().map(|journal| journal.root) != Some(root.cid) {
        write_journal(publisher, root, blocks, &mut base, older)?;
    }
    base.load_ledger(publisher.node())?;
    publisher.name_new_key()?;
    Ok(base)
}

/// The first root with its blocks.
fn first_root(version: CidVersion) -> (Entry, NewBlocks) {
    let (entry, mut blocks) = file_blocks(version, CACHE_INFO);
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
        // Pinning it shows that.
        Err(PublicationError::Node(error)) if error.is_missing() => Ok(()),
        done => done.map(|_| ()),
    }
}

/// Pins a root that no journal holds through a new journal, which also proves that
/// it is whole on the node.
pub(super) fn pin_adopted(publisher: &Publisher, base: &mut Base) -> Result<(), PublicationError> {
    let root = Tree::new(publisher.node(), base.root).whole()?;
    let newest = base.journal().cloned();
    let written = write_journal(publisher, root, NewBlocks::new(), base, newest);
    written.map_err(|error| match error.is_missing() {
        true => not_whole(base.root, error),
        false => error.into(),
    })
}

/// Composes, stores and pins the journal of a root, of which the node lacks no more
/// than `blocks`. `older` is a journal to pin it beside, where that is whole.
fn write_journal(
    publisher: &Publisher,
    root: Entry,
    mut blocks: NewBlocks,
    base: &mut Base,
    older: Option<Journal>,
) -> Result<(), NodeError> {
    // The ledger is carried over from the journal that the new one is pinned beside.
    let ledger = older.as_ref().and_then(|journal| journal.ledger);
    let content = Content { root, ledger };
    let key_id = &publisher.view.key.id;
    let (published, newest) = (base.state.published, base.newest());
    let (journal, own) = Journal::compose(key_id, &content, published, newest, None);
    blocks.extend(own);
    let pin = || journal.pin(&publisher.view, older.as_ref());
    publisher.import_and_pin(blocks, pin)?;
    base.state.journals.insert(0, journal);
    Ok(())
}
