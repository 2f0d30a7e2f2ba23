//! The client of a node's RPC (`/api/v0`): what Kubo answers, and what the
//! embedded node answers in the same words. One method a call.
//!
//! Every call has a time limit on both sides: the node is given `timeout=`, and
//! the client waits a little longer than that. A node that is asked for a block
//! it lacks searches the network without end, so calls about blocks also say
//! `offline=true`.

mod address;
mod authorization;
mod call;
mod content;
mod error;
mod info;
mod names;
mod pins;

pub use address::{Address, AddressError};
pub use authorization::{Authorization, AuthorizationError, VARIABLE as AUTHORIZATION_VARIABLE};
pub use content::{Imported, Listed};
pub use error::{NodeError, Problem};
pub use info::{Identity, RepoStat, Version};
pub use names::{Key, Publish, Record, TELLS_RECORDS};
pub use pins::Pin;

use std::time::Duration;
use ureq::Agent;

/// The oldest Kubo whose answers are known: it has `pin/ls?name=`.
pub const OLDEST: Version = Version {
    major: 0,
    minor: 29,
};

/// How long a name may be searched for on the network: as Kubo's own limit.
const SHORT: Duration = Duration::from_secs(60);
/// How many times longer than a call that transfers nothing a pin of what was
/// just stored may take; a node that is collecting garbage begins when it is done.
const PIN_FACTOR: u32 = 5;
/// How long a walk of the whole tree may take; a first pin of a million
/// entries took 3 s, on a machine that did nothing else.
const LONG: Duration = Duration::from_secs(1800);
/// How long an answer may pause, or come after an upload: a node that is
/// collecting garbage answers when it is done.
const STALL: Duration = Duration::from_secs(300);
/// Connections kept for the next call: as many as there may be jobs.
const IDLE_CONNECTIONS: usize = 64;
/// How much longer than the node the client waits, so that the node's own
/// message arrives.
const GRACE: Duration = Duration::from_secs(10);

/// A node that answers.
#[derive(Debug)]
pub struct Node {
    agent: Agent,
    /// `http://host:port`, without a slash at the end.
    base: String,
    authorization: Option<Authorization>,
    /// How long a call may take where nothing is transferred.
    short: Duration,
    /// What the node said of itself when the connection was made.
    pub version: Version,
    /// The node's peer ID and software.
    pub identity: Identity,
}

/// Limits of a connection's parts; a call's own limit comes on top.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimits {
    /// For the connection to be made.
    pub connect: Duration,
    /// For a single read or write while data flows, and for a call that
    /// transfers nothing.
    pub read: Duration,
}

impl Node {
    /// Asks the node at `address` who it is.
    ///
    /// # Errors
    /// [`Problem::Unreachable`] when nobody answers there, [`Problem::TooOld`]
    /// for a Kubo before [`OLDEST`].
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
        let mut node = Self {
            agent: Agent::new_with_config(config),
            base: address.url.clone(),
            authorization: address.authorization.clone(),
            short: limits.read,
            version: OLDEST,
            identity: Identity::default(),
        };
        node.version = node.ask_version()?;
        node.identity = node.ask_identity()?;
        Ok(node)
    }

    /// Whether this is the embedded node, which is offline by design.
    pub fn is_embedded(&self) -> bool {
        self.identity.agent.starts_with("guix-ipfs")
    }
}
