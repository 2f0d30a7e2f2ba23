//! A node that refuses to be changed: what a dry run sees.

use super::contract::{
    Key, KnownBlocks, Node, NodeDescription, PublishOptions, Reach, Record, Usage,
};
use super::error::{AddFileError, NodeError, Problem};
use super::private_key::PrivateKey;
use super::segment::SealedSegment;
use super::services::{RemotePin, RemoteQuery, RemoteStatus};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::file::{AddError, Added};
use std::io::Read;
use std::time::Duration;

/// A node of which everything can be read and nothing written.
pub struct DryRun<'n>(pub &'n dyn Node);

fn refused<T>(action: &str) -> Result<T, NodeError> {
    Err(NodeError::new(action, Problem::DryRun))
}

impl Node for DryRun<'_> {
    fn description(&self) -> &NodeDescription {
        self.0.description()
    }

    fn blocks(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError> {
        self.0.blocks(cids)
    }

    fn fetch_block(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
        self.0.fetch_block(cid)
    }

    fn block_size(&self, cid: &Cid) -> Result<Option<u64>, NodeError> {
        self.0.block_size(cid)
    }

    fn put_block(&self, _: &Cid, _: &[u8]) -> Result<(), NodeError> {
        refused("store a block")
    }

    fn import(&self, _: &SealedSegment) -> Result<(), NodeError> {
        refused("store blocks")
    }

    fn add_file(&self, _: CidVersion, _: &mut dyn Read) -> Result<Added, AddFileError> {
        refused("add a file").map_err(AddError::Sink)
    }

    fn read_file(&self, file: &Cid) -> Result<Box<dyn Read + Send>, NodeError> {
        self.0.read_file(file)
    }

    fn add_link(&self, _: &Cid, _: &str, _: &Cid) -> Result<Cid, NodeError> {
        refused("add a link")
    }

    fn pin(&self, _: &Cid, _: &str, _: KnownBlocks) -> Result<(), NodeError> {
        refused("pin")
    }

    fn pin_update(&self, _: &Cid, _: &Cid) -> Result<(), NodeError> {
        refused("pin")
    }

    fn unpin(&self, _: &Cid) -> Result<(), NodeError> {
        refused("unpin")
    }

    fn is_pinned(&self, root: &Cid) -> Result<bool, NodeError> {
        self.0.is_pinned(root)
    }

    fn pins_named(&self, name: &str) -> Result<Vec<Cid>, NodeError> {
        self.0.pins_named(name)
    }

    fn pins_beginning(&self, name: &str) -> Result<Vec<(String, Cid)>, NodeError> {
        self.0.pins_beginning(name)
    }

    fn keys(&self) -> Result<Vec<Key>, NodeError> {
        self.0.keys()
    }

    fn create_key(&self, _: &str) -> Result<Key, NodeError> {
        refused("make a key")
    }

    fn import_key(&self, _: &str, _: &PrivateKey) -> Result<Key, NodeError> {
        refused("import a key")
    }

    fn export_key(&self, key: &Key) -> Result<Option<PrivateKey>, NodeError> {
        self.0.export_key(key)
    }

    fn rename_key(&self, _: &Key, _: &str) -> Result<(), NodeError> {
        refused("rename a key")
    }

    fn resolve(&self, name: &str) -> Result<Option<String>, NodeError> {
        self.0.resolve(name)
    }

    fn record(&self, name: &str) -> Result<Option<Record>, NodeError> {
        self.0.record(name)
    }

    fn publish(&self, _: &Key, _: &Cid, _: &PublishOptions) -> Result<(), NodeError> {
        refused("publish")
    }

    fn reach(&self) -> Result<Reach, NodeError> {
        self.0.reach()
    }

    fn announce(&self, _: &Cid) -> Result<(), NodeError> {
        refused("announce")
    }

    fn providers(&self, cid: &Cid, limit: Duration) -> Result<Option<usize>, NodeError> {
        self.0.providers(cid, limit)
    }

    fn gateway(&self) -> Result<Option<String>, NodeError> {
        self.0.gateway()
    }

    fn usage(&self) -> Result<Usage, NodeError> {
        self.0.usage()
    }

    fn free_bytes(&self) -> Result<Option<u64>, NodeError> {
        self.0.free_bytes()
    }

    fn collect_garbage(&self) -> Result<u64, NodeError> {
        refused("collect garbage")
    }
    fn services(&self) -> Result<Vec<String>, NodeError> {
        self.0.services()
    }

    fn remote_pins(&self, service: &str, query: RemoteQuery) -> Result<Vec<RemotePin>, NodeError> {
        self.0.remote_pins(service, query)
    }

    fn pin_remotely(&self, _: &str, _: &Cid, _: &str) -> Result<RemoteStatus, NodeError> {
        refused("ask a pinning service")
    }

    fn unpin_remotely(
        &self,
        _: &str,
        _: &Cid,
        _: &str,
        _: &[RemoteStatus],
    ) -> Result<(), NodeError> {
        refused("ask a pinning service")
    }
}
