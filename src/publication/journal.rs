//! The program's only state: a small directory on the node, pinned under the name
//! `guix-ipfs/KEYID`. It lives where the data lives, and a kill between pinning and
//! publishing loses nothing.

use super::error::PublicationError;
use super::moved::Moved;
use super::view::PublicationView;
use crate::ipfs::cid::{Cid, CidVersion, RAW, cid_of};
use crate::ipfs::directory::{Entry, PlainDirectory};
use crate::node::{KnownBlocks, Node, NodeError, Refusal};
use serde::{Deserialize, Serialize};

/// Blocks that are not stored yet, children first.
pub type NewBlocks = Vec<(Cid, Vec<u8>)>;

/// The journals of a key.
#[derive(Debug, Default)]
pub struct Journals {
    /// Those that can be read, the newest first.
    pub readable: Vec<Journal>,
    /// Those that are known already and still pinned.
    pub known: Vec<Cid>,
    /// Pins of journals whose own blocks the node has lost, each with the reason.
    pub lost: Vec<(Cid, PublicationError)>,
}

/// The content of a mirror: all that a move to another node takes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The root, as a directory above it links to it.
    pub root: Entry,
    /// The directory of the ledger.
    pub ledger: Option<Entry>,
}

impl Content {
    /// A directory with both, whose pin keeps all. The pin has the name of a journal's,
    /// which the journal takes over from it; without a `state` it is not a journal.
    pub(super) fn keeper(&self) -> (Cid, Vec<u8>) {
        self.directory(None)
    }

    fn directory(&self, state: Option<Entry>) -> (Cid, Vec<u8>) {
        let root = Some(self.root);
        let parts = [("root", root), ("state", state), ("ledger", self.ledger)].into_iter();
        let parts = parts.filter_map(|(name, entry)| Some((name.to_owned(), entry?)));
        let directory = PlainDirectory {
            entries: parts.collect(),
        };
        let (block, entry) = directory.encode(CidVersion::V1);
        (entry.cid, block)
    }
}

/// A root that was to be published, and the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The journal's own directory.
    pub cid: Cid,
    /// The root that it holds, and so keeps pinned.
    pub root: Cid,
    /// It rises with every commit; the highest wins.
    pub number: u64,
    /// The root that the name held before.
    pub previous: Option<Cid>,
    /// The directory of its ledger. A journal of an older program has none.
    pub ledger: Option<Entry>,
    /// The mark of a mirror that left this node.
    pub moved: Option<Moved>,
}

/// The journal's `state` file, as JSON.
#[derive(Serialize, Deserialize)]
struct State {
    key: String,
    number: u64,
    previous: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved: Option<Moved>,
}

/// The journals of a key that cannot be read, each with the reason. Their content is
/// not known, and their pins stop the node's collector.
pub fn unreadable_journals(
    view: &PublicationView,
) -> Result<Vec<(Cid, PublicationError)>, PublicationError> {
    Ok(Journal::all(view, &[])?.lost)
}

/// Returns true where the node keeps a journal of what was published.
pub fn has_journal(view: &PublicationView) -> Result<bool, PublicationError> {
    Ok(!Journal::pins(view)?.is_empty())
}

/// The names of the keys that have a journal on the node: the mirrors it publishes.
pub fn keys_with_journals(node: &dyn Node) -> Result<Vec<String>, PublicationError> {
    let mut names = Vec::new();
    for key in node.keys()? {
        let view = PublicationView { node, key };
        if has_journal(&view)? {
            names.push(view.key.name);
        }
    }
    Ok(names)
}

/// The mark of the newest of these journals, which come the newest first.
pub fn mark_among(journals: &[Journal]) -> Option<&Moved> {
    let newest = journals.first()?.number;
    // A writer that had not seen the mark may have taken the same number.
    let mut newest = journals.iter().take_while(|it| it.number == newest);
    newest.find_map(|journal| journal.moved.as_ref())
}

impl Journal {
    /// The name of a key's journal pins.
    pub fn pin_name(key_id: &str) -> String {
        format!("guix-ipfs/{key_id}")
    }

    /// The pins with the name of a key's journals.
    pub fn pins(view: &PublicationView) -> Result<Vec<Cid>, NodeError> {
        view.node.pins_named(&Self::pin_name(&view.key.id))
    }

    /// The journals of a key; those that are `known` are not read again. More than one are
    /// left when a run was killed, or while two writers are at work.
    pub fn all(view: &PublicationView, known: &[Cid]) -> Result<Journals, PublicationError> {
        let mut pins = Self::pins(view)?;
        let mut journals = Journals {
            known: pins.extract_if(.., |pin| known.contains(pin)).collect(),
            ..Journals::default()
        };
        for pin in pins {
            match Self::read(view, pin) {
                Ok(journal) => journals.readable.extend(journal),
                Err(error) if error.is_of_block() => journals.lost.push((pin, error.into())),
                Err(error) => return Err(error.into()),
            }
        }
        let newest_first = |journal: &Self| std::cmp::Reverse(journal.age());
        journals.readable.sort_by_key(newest_first);
        Ok(journals)
    }

    /// The place among the journals of a key, the highest for the newest. Two writers see
    /// journals of the same number in the same order.
    pub fn age(&self) -> (u64, Cid) {
        (self.number, self.cid)
    }

    /// `None` for a pin that has the name but is not a journal of this key.
    fn read(view: &PublicationView, cid: Cid) -> Result<Option<Self>, NodeError> {
        let block = view.node.block(&cid)?;
        let Ok(directory) = PlainDirectory::decode(&block) else {
            return Ok(None);
        };
        let entry = |name| directory.entries.get(name).map(|entry| entry.cid);
        let (Some(root), Some(state)) = (entry("root"), entry("state")) else {
            return Ok(None);
        };
        let state = view.node.block(&state)?;
        let state = serde_json::from_slice::<State>(&state).ok();
        let own = state.filter(|state| state.key == view.key.id);
        Ok(own.map(|state| Self {
            cid,
            root,
            number: state.number,
            previous: state.previous.and_then(|root| root.parse().ok()),
            ledger: directory.entries.get("ledger").copied(),
            moved: state.moved,
        }))
    }

    /// The journal of a root, and its blocks without those of the ledger. `moved` is the
    /// mark of a mirror that leaves the node.
    pub fn compose(
        key_id: &str,
        content: &Content,
        previous: Option<Cid>,
        older: Option<&Self>,
        moved: Option<Moved>,
    ) -> (Self, NewBlocks) {
        let number = older.map_or(1, |journal| journal.number.saturating_add(1));
        let state = State {
            key: key_id.to_owned(),
            number,
            previous: previous.map(|root| root.to_string()),
            moved: moved.clone(),
        };
        // A struct of text and numbers always serialises.
        let state = serde_json::to_vec(&state).unwrap_or_default();
        let state_entry = Entry {
            cid: cid_of(CidVersion::V1, RAW, &state),
            size: state.len() as u64,
        };
        let (cid, block) = content.directory(Some(state_entry));
        let journal = Self {
            cid,
            root: content.root.cid,
            number,
            previous,
            ledger: content.ledger,
            moved,
        };
        (journal, vec![(state_entry.cid, state), (cid, block)])
    }

    /// Pins a journal whose blocks are stored, and with it its root. Fails when
    /// anything below the root is missing, so it is also the proof that the root is
    /// whole.
    pub fn pin(&self, view: &PublicationView, older: Option<&Self>) -> Result<(), NodeError> {
        let pinned = match older {
            Some(older) => view.node.pin_update(&older.cid, &self.cid),
            None => return self.pin_alone(view),
        };
        match pinned {
            // Another writer came to the same root at the same time.
            Err(error) if error.is(Refusal::AlreadyPinned) => Ok(()),
            // Another writer unpinned the older one, or blocks below it are lost or
            // damaged. Below the new one all may be there.
            Err(error) if error.is_refusal() => self.pin_alone(view),
            other => other,
        }
    }

    /// The same without an older journal: all below the new one is looked at.
    fn pin_alone(&self, view: &PublicationView) -> Result<(), NodeError> {
        let PublicationView { node, key } = view;
        // Ended by its time limit, a pin of a pinned CID would lose it.
        if node.is_pinned(&self.cid)? {
            return Ok(());
        }
        let known = match node.is_pinned(&self.root)? {
            true => KnownBlocks::All,
            false => KnownBlocks::Unsure,
        };
        node.pin(&self.cid, &Self::pin_name(&key.id), known)
    }
}
