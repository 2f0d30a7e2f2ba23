//! The roots that a node holds because it follows their names.
//!
//! Each is pinned below a small directory of this program, with the name in a file beside
//! it: Kubo keeps one pin a CID, so that two names with one root, or a root that a person
//! pinned, would share a pin of the root itself.

use crate::ipfs::cid::{Cid, CidVersion, RAW, cid_of};
use crate::ipfs::directory::{Entry, PlainDirectory};
use crate::mirror::json;
use crate::node::{KnownBlocks, Node, NodeError, Refusal};
use crate::util::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The beginning of the names of these pins.
const PREFIX: &str = "guix-ipfs/follow/";

/// A root that is held for a name.
#[derive(Clone, Debug, Serialize)]
pub struct HeldRoot {
    /// The IPNS name.
    pub name: String,
    /// The root.
    #[serde(serialize_with = "json::text")]
    pub root: Cid,
    /// The figures that go with it.
    #[serde(flatten)]
    pub figures: HeldFigures,
    /// The directory that is pinned.
    #[serde(skip)]
    pub(super) pin: Cid,
}

/// The figures of a root, as they were counted when it was pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldFigures {
    /// The number of its narinfos.
    pub items: u64,
    /// Bytes of all its files.
    pub bytes: u64,
    /// Bytes of those that are no narinfo and no nar that one lists.
    pub others: u64,
    /// The time at which it was pinned.
    pub since: Timestamp,
}

/// The file beside the root, as JSON.
#[derive(Serialize, Deserialize)]
struct State {
    name: String,
    #[serde(flatten)]
    figures: HeldFigures,
}

/// The pins for one name. More than one are left when a run was killed.
#[derive(Debug, Default)]
pub(super) struct Pins {
    /// The roots that they hold, the newest first.
    pub roots: Vec<HeldRoot>,
    /// Pins that cannot be read, or are something else.
    unreadable: Vec<Cid>,
}

/// The roots that the node holds for the names that it follows, by name.
pub fn held_roots(node: &dyn Node) -> Result<Vec<HeldRoot>, NodeError> {
    let mut held = Vec::new();
    for name in followed_names(node)? {
        held.extend(held_root(node, &name)?);
    }
    Ok(held)
}

/// The names that the node follows, those included whose pins cannot be read.
pub fn followed_names(node: &dyn Node) -> Result<Vec<String>, NodeError> {
    let pins = node.pins_beginning(PREFIX)?.into_iter();
    let mut names: Vec<String> = pins
        .map(|(name, _)| name[PREFIX.len()..].to_owned())
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// The root that the node holds for a name.
pub fn held_root(node: &dyn Node, name: &str) -> Result<Option<HeldRoot>, NodeError> {
    Ok(Pins::of(node, name)?.roots.into_iter().next())
}

impl HeldRoot {
    /// The root that is to be held for a name, and the blocks around it.
    pub(super) fn compose(
        name: &str,
        root: Entry,
        figures: HeldFigures,
    ) -> (Self, Vec<(Cid, Vec<u8>)>) {
        let state = State {
            name: name.to_owned(),
            figures,
        };
        // A struct of text and numbers always serialises.
        let state = serde_json::to_vec(&state).unwrap_or_default();
        let file = Entry {
            cid: cid_of(CidVersion::V1, RAW, &state),
            size: state.len() as u64,
        };
        let entries = [("root", root), ("state", file)];
        let entries = entries.map(|(name, entry)| (name.to_owned(), entry));
        let directory = PlainDirectory {
            entries: entries.into(),
        };
        let (block, Entry { cid: pin, .. }) = directory.encode(CidVersion::V1);
        let held = Self {
            name: name.to_owned(),
            root: root.cid,
            figures,
            pin,
        };
        (held, vec![(file.cid, state), (pin, block)])
    }

    /// Pins a root whose blocks are all on the node, but for those around it, beside
    /// another that is whole.
    pub(super) fn pin(
        &self,
        node: &dyn Node,
        blocks: Vec<(Cid, Vec<u8>)>,
        old: Option<&Self>,
    ) -> Result<(), NodeError> {
        for (cid, block) in blocks {
            node.put_block(&cid, &block)?;
        }
        let Some(old) = old else {
            return self.pin_alone(node);
        };
        match node.pin_update(&old.pin, &self.pin) {
            Err(error) if error.is(Refusal::AlreadyPinned) => Ok(()),
            // Blocks below the old one are lost, or its pin went meanwhile.
            Err(error) if error.is_refusal() => self.pin_alone(node),
            other => other,
        }
    }

    /// The same without another: all below it is looked at.
    fn pin_alone(&self, node: &dyn Node) -> Result<(), NodeError> {
        // Ended by its time limit, a pin of a pinned CID would lose it.
        match node.is_pinned(&self.pin)? {
            true => Ok(()),
            false => node.pin(&self.pin, &pin_name(&self.name), KnownBlocks::All),
        }
    }

    /// Reads what is pinned for a name; `None` where that is something else.
    fn read(node: &dyn Node, name: &str, pin: Cid) -> Result<Option<Self>, NodeError> {
        let block = node.block(&pin)?;
        let Ok(directory) = PlainDirectory::decode(&block) else {
            return Ok(None);
        };
        let entry = |name| directory.entries.get(name).map(|entry| entry.cid);
        let (Some(root), Some(state)) = (entry("root"), entry("state")) else {
            return Ok(None);
        };
        let state = serde_json::from_slice::<State>(&node.block(&state)?).ok();
        let own = state.filter(|state| state.name == name);
        Ok(own.map(|State { name, figures }| Self {
            name,
            root,
            figures,
            pin,
        }))
    }
}

impl Pins {
    /// The pins for a name.
    pub fn of(node: &dyn Node, name: &str) -> Result<Self, NodeError> {
        let mut pins = Self::default();
        for pin in node.pins_named(&pin_name(name))? {
            match HeldRoot::read(node, name, pin) {
                Ok(Some(held)) => pins.roots.push(held),
                Ok(None) => pins.unreadable.push(pin),
                Err(error) if error.is_of_block() => pins.unreadable.push(pin),
                Err(error) => return Err(error),
            }
        }
        let age = |held: &HeldRoot| std::cmp::Reverse((held.figures.since, held.pin));
        pins.roots.sort_by_key(age);
        Ok(pins)
    }

    /// Returns true where there is none.
    pub fn is_empty(&self) -> bool {
        self.roots.is_empty() && self.unreadable.is_empty()
    }

    /// Removes all pins but that of `kept`.
    pub fn remove_all_but(
        &self,
        node: &dyn Node,
        kept: Option<&HeldRoot>,
    ) -> Result<(), NodeError> {
        let roots = self.roots.iter().map(|held| held.pin);
        let pins = roots.chain(self.unreadable.iter().copied());
        let kept = kept.map(|held| held.pin);
        for pin in pins.filter(|pin| Some(*pin) != kept) {
            node.unpin(&pin)?;
        }
        Ok(())
    }
}

/// The name of the pins for a name.
fn pin_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}
