//! The program's only memory: a small directory on the node, pinned under the
//! name `guix-ipfs/KEYID`. It lives where the data lives, and a kill between
//! pinning and publishing loses nothing.

use super::segment::Segment;
use super::{PublicationError, Site};
use crate::ipfs::cid::{Cid, CidVersion, RAW, cid_of};
use crate::ipfs::directory::{Directory, Entry};
use serde::{Deserialize, Serialize};

/// Blocks that are stored nowhere yet.
pub type Blocks = Vec<(Cid, Vec<u8>)>;

/// What was to be published, and what had been before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The journal's own directory.
    pub cid: Cid,
    /// The root that it holds, and so keeps pinned.
    pub root: Cid,
    /// Rises with every commit; the highest wins.
    pub number: u64,
    /// The root that the name held before.
    pub previous: Option<Cid>,
}

/// The journal's `state` file, as JSON.
#[derive(Serialize, Deserialize)]
struct State {
    key: String,
    number: u64,
    previous: Option<String>,
}

impl Journal {
    /// The name of a key's journal pins.
    pub fn pin_name(key_id: &str) -> String {
        format!("guix-ipfs/{key_id}")
    }

    /// The journals of a key, the newest first. More than one are left when a
    /// run was killed.
    pub fn find(site: &Site) -> Result<Vec<Self>, PublicationError> {
        let mut journals = Vec::new();
        for pin in site.node.pins_named(&Self::pin_name(&site.key.id))? {
            journals.extend(Self::read(site, pin.cid)?);
        }
        journals.sort_by_key(|journal| std::cmp::Reverse(journal.number));
        Ok(journals)
    }

    /// `None` for a pin that bears the name but is no journal of this key.
    fn read(site: &Site, cid: Cid) -> Result<Option<Self>, PublicationError> {
        let block = site.node.block_get(&cid)?;
        let Ok(directory) = Directory::decode(&block) else {
            return Ok(None);
        };
        let entry = |name| directory.entries.get(name).map(|entry| entry.cid);
        let (Some(root), Some(state)) = (entry("root"), entry("state")) else {
            return Ok(None);
        };
        let state = site.node.block_get(&state)?;
        Ok(serde_json::from_slice::<State>(&state)
            .ok()
            .filter(|state| state.key == site.key.id)
            .map(|state| Self {
                cid,
                root,
                number: state.number,
                previous: state.previous.and_then(|root| root.parse().ok()),
            }))
    }

    /// The journal of a new root, and its blocks, which are stored nowhere yet.
    pub fn compose(
        key_id: &str,
        root: &Entry,
        previous: Option<Cid>,
        older: Option<&Self>,
    ) -> (Self, Blocks) {
        let number = older.map_or(1, |journal| journal.number + 1);
        let state = State {
            key: key_id.to_owned(),
            number,
            previous: previous.map(|root| root.to_string()),
        };
        // A struct of text and numbers always serialises.
        let state = serde_json::to_vec(&state).unwrap_or_default();
        let state_entry = Entry {
            cid: cid_of(CidVersion::V1, RAW, &state),
            size: state.len() as u64,
        };
        let directory = Directory {
            entries: [("root", *root), ("state", state_entry)]
                .map(|(name, entry)| (name.to_owned(), entry))
                .into(),
        };
        let (block, Entry { cid, .. }) = directory.encode(CidVersion::V1);
        let journal = Self {
            cid,
            root: root.cid,
            number,
            previous,
        };
        (journal, vec![(state_entry.cid, state), (cid, block)])
    }

    /// Pins a journal whose blocks are stored, and with it its root. Fails when
    /// anything below the root is missing, so it is also the proof that the
    /// root is whole.
    pub fn pin(&self, site: &Site, older: Option<&Self>) -> Result<(), PublicationError> {
        let pinned = match older {
            Some(older) => site.node.pin_update(&older.cid, &self.cid),
            // Ended by its time limit, a pin of what is pinned would lose it.
            None if site.node.is_pinned(&self.cid)? => Ok(()),
            None => {
                let holds = site.node.is_pinned(&self.root)?;
                let name = Self::pin_name(&site.key.id);
                site.node.pin_add(&self.cid, &name, holds)
            }
        };
        match pinned {
            // Another writer came to the same root at the same time.
            Err(error) if error.says("already recursively pinned") => Ok(()),
            other => Ok(other?),
        }
    }

    /// Composes, stores and pins the journal of a root, of which the node lacks
    /// no more than `blocks`.
    pub fn write(
        site: &Site,
        root: &Entry,
        mut blocks: Blocks,
        previous: Option<Cid>,
        older: Option<&Self>,
    ) -> Result<Self, PublicationError> {
        let (journal, own) = Self::compose(&site.key.id, root, previous, older);
        blocks.extend(own);
        let mut segment = Segment::default();
        for (cid, block) in &blocks {
            segment.push(cid, block);
        }
        let staging = segment.send(site)?;
        let pinned = journal.pin(site, older);
        site.drop_staging(&[staging])?;
        pinned.map(|()| journal)
    }
}
