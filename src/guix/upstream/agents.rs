//! The agents that ask one substitute server: one for each way to it, made when it is
//! first needed.

use super::certificates::AUTHORITIES;
use super::forward;
use super::limits::ConnectionLimits;
use super::private_network::{GuardedResolver, Network};
use super::proxy::NamedProxy;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use ureq::config::Config;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Proxy, ProxyProtocol};

/// Bytes of the largest header of an answer accepted.
const MAX_HEADER_BYTES: usize = 64 << 10;

/// Connections kept open to the server, beyond any sensible number of jobs.
const IDLE_CONNECTIONS: usize = 32;

/// The agents of a client and its clones.
#[derive(Clone, Debug)]
pub(super) struct Agents {
    limits: ConnectionLimits,
    network: Network,
    made: Arc<Mutex<Made>>,
}

#[derive(Debug, Default)]
struct Made {
    agents: HashMap<Way, Agent>,
    is_closed: bool,
}

/// A way to a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Way {
    proxy: Option<Proxy>,
    /// The server's scheme is https.
    is_secure: bool,
    /// A redirect that must not lead into a private network.
    is_guarded: bool,
}

impl Agents {
    /// Agents for a server in this network.
    pub fn new(limits: ConnectionLimits, network: Network) -> Self {
        Self {
            limits,
            network,
            made: Arc::default(),
        }
    }

    /// The agent for a server of http or https, which must be a public one if
    /// `is_guarded`.
    pub fn of(&self, proxy: Option<&NamedProxy>, is_secure: bool, is_guarded: bool) -> Agent {
        let way = Way {
            proxy: proxy.map(|named| named.proxy.clone()),
            is_secure,
            is_guarded,
        };
        let is_forwarded = !is_secure && proxy.is_some_and(NamedProxy::is_http);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_closed = made.is_closed;
        let agent = made.agents.entry(way).or_insert_with_key(|way| {
            let config = self.config(way);
            let named = (!is_guarded).then(|| self.network.clone());
            let resolver = GuardedResolver::new(named);
            let agent = match is_forwarded {
                true => Agent::with_parts(config, forward::connector(), resolver),
                false => Agent::with_parts(config, DefaultConnector::default(), resolver),
            };
            if is_closed {
                agent.clone().shutdown();
            }
            agent
        });
        agent.clone()
    }

    /// Breaks off all that is asked for, and lets nothing else be asked.
    pub fn break_off(&self) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.is_closed = true;
        for agent in made.agents.values() {
            agent.clone().shutdown();
        }
    }

    fn config(&self, way: &Way) -> Config {
        let limits = &self.limits;
        let config = Agent::config_builder()
            .user_agent(concat!("guix-ipfs/", env!("CARGO_PKG_VERSION")))
            .accept_encoding("identity")
            .proxy(way.proxy.clone())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_response_header_size(MAX_HEADER_BYTES)
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_per_read(Some(limits.read))
            .timeout_recv_response(Some(limits.headers()))
            .timeout_per_write(Some(limits.read));
        let https = ProxyProtocol::Https;
        let is_secure_proxy = way.proxy.as_ref().is_some_and(|it| it.protocol() == https);
        match way.is_secure || is_secure_proxy {
            true => {
                let roots = AUTHORITIES.roots.clone();
                config.tls_config(TlsConfig::builder().root_certs(roots).build())
            }
            false => config,
        }
        .build()
    }
}
