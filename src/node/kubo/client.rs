//! The client of one Kubo.

use super::super::contract::{
    Capabilities, Key, KnownBlocks, Node, NodeDescription, PublishOptions, Reach, Record, Usage,
};
use super::super::error::{AddFileError, NodeError};
use super::super::private_key::PrivateKey;
use super::super::segment::SealedSegment;
use super::super::services::{RemotePin, RemoteQuery, RemoteStatus};
use super::address::Address;
use super::blocks::BatchSize;
use super::call::Rpc;
use super::version::{OLDEST, TELLS_RECORDS};
use super::{blocks, files, info, names, pins, services};
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::file::Added;
use crate::util::resolver::RememberingResolver;
use std::io::Read;
use std::time::Duration;
use ureq::Agent;
use ureq::unversioned::transport::DefaultConnector;

/// Connections kept for the next call: as many as there may be jobs.
const IDLE_CONNECTIONS: usize = 64;

/// A Kubo that answers.
#[derive(Debug)]
pub struct KuboNode {
    rpc: Rpc,
    batch_size: BatchSize,
    description: NodeDescription,
}

/// Limits of a connection's parts; a call's own limit comes on top.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// For making the connection.
    pub connect: Duration,
    /// For a single read or write while data flows, and for a call that transfers
    /// nothing.
    pub read: Duration,
}

impl KuboNode {
    /// Asks the node at `address` for its version and identity.
    ///
    /// # Errors
    /// [`Problem::Unreachable`](super::super::Problem::Unreachable) when nobody
    /// answers there, [`Problem::TooOld`](super::super::Problem::TooOld) for a Kubo
    /// before 0.29.
    pub fn connect(address: &Address, limits: TimeLimits) -> Result<Self, NodeError> {
        let config = Agent::config_builder()
            // A proxy from the environment is for the world, not for a node beside us.
            .proxy(None)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .timeout_connect(Some(limits.connect))
            .timeout_per_write(Some(limits.read))
            .user_agent(concat!("guix-ipfs/", env!("CARGO_PKG_VERSION")))
            .build();
        let rpc = Rpc {
            agent: Agent::with_parts(
                config,
                DefaultConnector::default(),
                RememberingResolver::default(),
            ),
            base: address.url.clone(),
            authorization: address.authorization.clone(),
            short: limits.read,
        };
        let (peer_id, agent) = info::identity(&rpc)?;
        let version = info::version(&rpc, &agent, OLDEST)?;
        Ok(Self {
            description: NodeDescription {
                peer_id,
                agent,
                capabilities: Capabilities {
                    network: true,
                    sequence: version >= TELLS_RECORDS,
                    storage_limit: true,
                    services: true,
                },
            },
            rpc,
            batch_size: BatchSize::default(),
        })
    }
}

impl Node for KuboNode {
    fn description(&self) -> &NodeDescription {
        &self.description
    }

    fn blocks(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError> {
        blocks::many(&self.rpc, &self.batch_size, cids)
    }

    fn fetch_block(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
        blocks::fetch(&self.rpc, cid)
    }

    fn block_size(&self, cid: &Cid) -> Result<Option<u64>, NodeError> {
        files::block_size(&self.rpc, cid)
    }

    fn put_block(&self, cid: &Cid, block: &[u8]) -> Result<(), NodeError> {
        files::put_block(&self.rpc, cid, block)
    }

    fn import(&self, segment: &SealedSegment) -> Result<(), NodeError> {
        files::import(&self.rpc, segment)
    }

    fn add_file(&self, version: CidVersion, content: &mut dyn Read) -> Result<Added, AddFileError> {
        files::add(&self.rpc, version, content)
    }

    fn read_file(&self, file: &Cid) -> Result<Box<dyn Read + Send>, NodeError> {
        files::read(&self.rpc, file)
    }

    fn add_link(&self, directory: &Cid, name: &str, target: &Cid) -> Result<Cid, NodeError> {
        files::add_link(&self.rpc, directory, name, target)
    }

    fn pin(&self, root: &Cid, name: &str, known: KnownBlocks) -> Result<(), NodeError> {
        pins::add(&self.rpc, root, name, known)
    }

    fn pin_update(&self, old: &Cid, new: &Cid) -> Result<(), NodeError> {
        pins::update(&self.rpc, old, new)
    }

    fn unpin(&self, root: &Cid) -> Result<(), NodeError> {
        pins::remove(&self.rpc, root)
    }

    fn is_pinned(&self, root: &Cid) -> Result<bool, NodeError> {
        pins::contain(&self.rpc, root)
    }

    fn pins_named(&self, name: &str) -> Result<Vec<Cid>, NodeError> {
        pins::named(&self.rpc, name)
    }

    fn pins_beginning(&self, name: &str) -> Result<Vec<(String, Cid)>, NodeError> {
        pins::beginning(&self.rpc, name)
    }

    fn keys(&self) -> Result<Vec<Key>, NodeError> {
        names::keys(&self.rpc)
    }

    fn create_key(&self, name: &str) -> Result<Key, NodeError> {
        names::create_key(&self.rpc, name)
    }

    fn import_key(&self, name: &str, private: &PrivateKey) -> Result<Key, NodeError> {
        names::import_key(&self.rpc, name, private)
    }

    fn export_key(&self, _: &Key) -> Result<Option<PrivateKey>, NodeError> {
        // `key/export` exists on the command line alone.
        Ok(None)
    }

    fn rename_key(&self, key: &Key, name: &str) -> Result<(), NodeError> {
        names::rename_key(&self.rpc, key, name)
    }

    fn resolve(&self, name: &str) -> Result<Option<String>, NodeError> {
        names::resolve(&self.rpc, name)
    }

    fn record(&self, name: &str) -> Result<Option<Record>, NodeError> {
        names::record(&self.rpc, name)
    }

    fn publish(&self, key: &Key, root: &Cid, options: &PublishOptions) -> Result<(), NodeError> {
        names::publish(&self.rpc, key, root, options)
    }

    fn reach(&self) -> Result<Reach, NodeError> {
        info::reach(&self.rpc)
    }

    fn announce(&self, root: &Cid) -> Result<(), NodeError> {
        names::announce(&self.rpc, root)
    }

    fn providers(&self, cid: &Cid, limit: Duration) -> Result<Option<usize>, NodeError> {
        info::providers(&self.rpc, &self.description.peer_id, cid, limit)
    }

    fn gateway(&self) -> Result<Option<String>, NodeError> {
        info::gateway(&self.rpc)
    }

    fn usage(&self) -> Result<Usage, NodeError> {
        info::usage(&self.rpc)
    }

    fn free_bytes(&self) -> Result<Option<u64>, NodeError> {
        info::free_bytes(&self.rpc)
    }

    fn collect_garbage(&self) -> Result<u64, NodeError> {
        pins::collect_garbage(&self.rpc)
    }
    fn services(&self) -> Result<Vec<String>, NodeError> {
        services::names(&self.rpc)
    }

    fn remote_pins(&self, service: &str, query: RemoteQuery) -> Result<Vec<RemotePin>, NodeError> {
        services::pins(&self.rpc, service, query)
    }

    fn pin_remotely(
        &self,
        service: &str,
        root: &Cid,
        name: &str,
    ) -> Result<RemoteStatus, NodeError> {
        services::add(&self.rpc, service, root, name)
    }

    fn unpin_remotely(
        &self,
        service: &str,
        root: &Cid,
        name: &str,
        states: &[RemoteStatus],
    ) -> Result<(), NodeError> {
        services::remove(&self.rpc, service, root, name, states)
    }
}
