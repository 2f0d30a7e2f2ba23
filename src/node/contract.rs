//! The contract of a node: blocks, segments, pins, names and keys.

use super::error::{AddFileError, NodeError};
use super::private_key::PrivateKey;
use super::segment::SealedSegment;
use super::services::{RemotePin, RemoteQuery, RemoteStatus, no_services};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::file::Added;
use serde::Serialize;
use std::io::Read;
use std::time::Duration;

/// A node. Threads may share it.
///
/// Every method ends within a limit of time, also where a block is nowhere to be
/// had. Both back ends pass the same suite, `tests/contract`.
pub trait Node: Send + Sync {
    /// The node's identity, software and capabilities, as they were when it was
    /// opened.
    fn description(&self) -> &NodeDescription;

    /// Returns these blocks in this order, each checked against its CID.
    ///
    /// # Errors
    /// [`Refusal::Missing`](super::Refusal::Missing) when the node does not hold
    /// one of them. The network is not searched.
    fn blocks(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError>;

    /// Returns one block, checked against its CID. Errors as [`Node::blocks`].
    fn block(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
        let mut blocks = self.blocks(std::slice::from_ref(cid))?;
        Ok(blocks.pop().unwrap_or_default())
    }

    /// Returns one block, checked against its CID, wherever it is: the network is
    /// searched too. What comes from there stays on the node until its collector runs.
    ///
    /// # Errors
    /// [`Problem::Unfetched`](super::Problem::Unfetched) when nobody sends it within
    /// the limit of a call, [`Refusal::Offline`](super::Refusal::Offline) when the node
    /// lacks it and has no network.
    fn fetch_block(&self, cid: &Cid) -> Result<Vec<u8>, NodeError>;

    /// The size in bytes of a block that the node holds; `None` when it does not.
    fn block_size(&self, cid: &Cid) -> Result<Option<u64>, NodeError>;

    /// Stores a block, unprotected from the collector.
    fn put_block(&self, cid: &Cid, block: &[u8]) -> Result<(), NodeError>;

    /// Stores a segment and pins its staging directory, so that the collector
    /// takes none of its blocks until that pin is removed.
    fn import(&self, segment: &SealedSegment) -> Result<(), NodeError>;

    /// Adds the bytes of `content` as one file, unprotected from the collector.
    ///
    /// # Errors
    /// [`AddFileError::Content`] when `content` cannot be read to its end. Some of its
    /// blocks may then be on the node, where nothing refers to them.
    fn add_file(&self, version: CidVersion, content: &mut dyn Read) -> Result<Added, AddFileError>;

    /// The content of a file, as a stream. A node that fails on the way cuts it,
    /// so the reader compares what comes with a size or a hash.
    fn read_file(&self, file: &Cid) -> Result<Box<dyn Read + Send>, NodeError>;

    /// The plain directory `directory` with one more entry, or one replaced. The
    /// target's size is read from its block.
    ///
    /// The caller ensures that the directory is plain: an old Kubo answers for a
    /// sharded one too, and corrupts it.
    fn add_link(&self, directory: &Cid, name: &str, target: &Cid) -> Result<Cid, NodeError>;

    /// Pins `root` and all below it under `name`.
    ///
    /// Not for a CID that may be pinned already: on Kubo such a call, ended by its
    /// time limit, loses the pin. Ask [`Node::is_pinned`] first.
    ///
    /// # Errors
    /// [`NodeError::is_missing`] when a block is not to be had.
    fn pin(&self, root: &Cid, name: &str, known: KnownBlocks) -> Result<(), NodeError>;

    /// Pins `new` beside `old`, under the name of `old`'s pin, looking only at what
    /// differs.
    ///
    /// # Errors
    /// [`NodeError::is_missing`] when anything below `new` is missing,
    /// [`Refusal::NotPinned`](super::Refusal::NotPinned) when `old` is not pinned,
    /// [`Refusal::AlreadyPinned`](super::Refusal::AlreadyPinned) when `new` is.
    fn pin_update(&self, old: &Cid, new: &Cid) -> Result<(), NodeError>;

    /// Removes a recursive pin, if there is one.
    fn unpin(&self, root: &Cid) -> Result<(), NodeError>;

    /// Returns true when `root` has a recursive pin of its own.
    fn is_pinned(&self, root: &Cid) -> Result<bool, NodeError>;

    /// The roots of the recursive pins with exactly this name.
    fn pins_named(&self, name: &str) -> Result<Vec<Cid>, NodeError>;

    /// The recursive pins whose names begin so: each name with its root.
    fn pins_beginning(&self, name: &str) -> Result<Vec<(String, Cid)>, NodeError>;

    /// The keys of the node, `self` included.
    fn keys(&self) -> Result<Vec<Key>, NodeError>;

    /// Makes an Ed25519 key.
    fn create_key(&self, name: &str) -> Result<Key, NodeError>;

    /// Takes a key that was made elsewhere, under a name that no key of the node has.
    ///
    /// # Errors
    /// [`Refusal::KeyExists`](super::Refusal::KeyExists).
    fn import_key(&self, name: &str, private: &PrivateKey) -> Result<Key, NodeError>;

    /// The private half of a key; `None` where the node hands out none, as Kubo over its
    /// RPC.
    fn export_key(&self, key: &Key) -> Result<Option<PrivateKey>, NodeError>;

    /// Gives a key another name on the node. Its IPNS name stays.
    fn rename_key(&self, key: &Key, name: &str) -> Result<(), NodeError>;

    /// The path that an IPNS name points to, past all caches. `None` when the node
    /// cannot resolve it, which never proves that nothing was published.
    fn resolve(&self, name: &str) -> Result<Option<String>, NodeError>;

    /// The record of an IPNS name; `None` where the node finds none or cannot read
    /// records ([`Capabilities::sequence`]).
    fn record(&self, name: &str) -> Result<Option<Record>, NodeError>;

    /// Publishes `/ipfs/ROOT` under a key. Success does not mean that the name now
    /// resolves to it: a lower sequence number loses silently.
    ///
    /// # Errors
    /// [`Refusal::Offline`](super::Refusal::Offline) on a node without a network,
    /// unless the options allow it.
    fn publish(&self, key: &Key, root: &Cid, options: &PublishOptions) -> Result<(), NodeError>;

    /// The others that a publication reaches.
    fn reach(&self) -> Result<Reach, NodeError>;

    /// Announces to the network that this node has `root`, so that it is found at
    /// once.
    fn announce(&self, root: &Cid) -> Result<(), NodeError>;

    /// The number of others that announce a block, of at most twenty, as far as the network
    /// reports them within `limit`; `None` where the node runs without one.
    fn providers(&self, cid: &Cid, limit: Duration) -> Result<Option<usize>, NodeError>;

    /// The node's gateway on this machine, `http://HOST:PORT`, if there is one.
    fn gateway(&self) -> Result<Option<String>, NodeError>;

    /// The room that the node takes.
    fn usage(&self) -> Result<Usage, NodeError>;

    /// The bytes that are free on the node's disk, if the node reports it.
    fn free_bytes(&self) -> Result<Option<u64>, NodeError>;

    /// Removes every block that no pin reaches, and returns their number.
    ///
    /// # Errors
    /// Nothing is removed where a block below a pin is missing or damaged:
    /// [`NodeError::is_of_block`].
    fn collect_garbage(&self) -> Result<u64, NodeError>;

    /// The names of the pinning services that are set up on the node. It and what follows
    /// is for a node with [`Capabilities::services`]; others refuse.
    fn services(&self) -> Result<Vec<String>, NodeError> {
        no_services()
    }

    /// The pins at a service in every state, the newest first. The list of a service that
    /// fails on the way may lack older ones.
    ///
    /// # Errors
    /// [`Refusal::UnknownService`](super::Refusal::UnknownService),
    /// [`Refusal::Service`](super::Refusal::Service).
    fn remote_pins(&self, _: &str, _: RemoteQuery) -> Result<Vec<RemotePin>, NodeError> {
        no_services()
    }

    /// Asks a service to hold `root` and all below it under `name`, and does not wait for
    /// it. Errors as [`Node::remote_pins`].
    fn pin_remotely(
        &self,
        _service: &str,
        _root: &Cid,
        _name: &str,
    ) -> Result<RemoteStatus, NodeError> {
        no_services()
    }

    /// Removes the pins of `root` at a service that have exactly this name and are in
    /// one of these states. Errors as [`Node::remote_pins`].
    fn unpin_remotely(
        &self,
        _service: &str,
        _root: &Cid,
        _name: &str,
        _states: &[RemoteStatus],
    ) -> Result<(), NodeError> {
        no_services()
    }
}

impl Blocks for dyn Node + '_ {
    type Error = NodeError;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
        self.block(cid)
    }

    fn answers_many(&self) -> bool {
        true
    }

    fn get_many(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError> {
        self.blocks(cids)
    }
}

/// The identity of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeDescription {
    /// The peer ID, `12D3Koo…`, which contains letters and digits only.
    pub peer_id: String,
    /// Its software, such as `kubo/0.42.0`.
    pub agent: String,
    /// Abilities that not every node has.
    pub capabilities: Capabilities,
}

/// Abilities that not every node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The node can be connected to others, and is asked to be: publishing without
    /// a connection needs a person's word.
    pub network: bool,
    /// The sequence number of a record can be read and set.
    pub sequence: bool,
    /// The node's repository has a limit beyond which its collector runs.
    pub storage_limit: bool,
    /// The node asks pinning services.
    pub services: bool,
}

/// A key on the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The node's word for it.
    pub name: String,
    /// The IPNS name, `k51…`.
    pub id: String,
}

/// An IPNS record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// `/ipfs/CID`, or another path.
    pub value: String,
    /// The record with the highest number is the one that counts.
    pub sequence: u64,
    /// The end of its validity, as RFC 3339 writes it.
    pub validity: String,
}

/// The terms of a publication.
#[derive(Clone, Debug)]
pub struct PublishOptions {
    /// The record's time of validity.
    pub lifetime: Duration,
    /// Permission for a node without a network to publish for itself only.
    pub allow_offline: bool,
    /// The record's sequence number, where the node's own count is behind the
    /// network's.
    pub sequence: Option<u64>,
}

/// The certainty that the node holds all blocks below a root that is to be pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownBlocks {
    /// All of them, because something that is pinned already holds them: the walk
    /// may take long.
    All,
    /// Perhaps not all. Nothing but a time limit ends the search for a missing
    /// one, so that is short.
    Unsure,
}

/// The others that a publication reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nobody: the node runs without a network.
    Offline,
    /// So many peers.
    Peers(usize),
}

/// The room that a node takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// All that its repository holds.
    pub bytes: u64,
    /// The size from which its collector runs by itself; it refuses nothing.
    pub limit: Option<u64>,
}
