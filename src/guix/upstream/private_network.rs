//! Redirects that would lead from a public server into a private network: to services
//! of this machine that trust whoever asks, or to a cloud's metadata.

use crate::util::address;
use crate::util::resolver::RememberingResolver;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The network that a server which a person named is in. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Network {
    is_private: Arc<AtomicBool>,
}

/// A name that leads into a private network.
#[derive(Debug, thiserror::Error)]
#[error("its host is {0}, in a private network, and a public server must not lead there")]
pub(super) struct PrivateAddress(IpAddr);

/// Reasons against a host that is written as an address.
pub(super) const PRIVATE_HOST: &str =
    "its host is in a private network, and a public server must not lead there";

impl Network {
    /// The network of a URL's host. That of a name is known once it is resolved.
    pub fn of_host(host: &str) -> Self {
        let is_private = address::is_private_host(host);
        Self {
            is_private: Arc::new(AtomicBool::new(is_private)),
        }
    }

    /// Returns true for a server that may lead to others in private networks.
    pub fn is_private(&self) -> bool {
        self.is_private.load(Ordering::Relaxed)
    }
}

/// A resolver that notes the network of a named server, or refuses private ones.
#[derive(Debug)]
pub(super) struct GuardedResolver<R = RememberingResolver> {
    inner: R,
    named: Option<Network>,
}

impl GuardedResolver {
    /// For requests to a server that a person named, whose network is noted, or for
    /// redirects, to public servers alone.
    pub fn new(named: Option<Network>) -> Self {
        let inner = RememberingResolver::default();
        Self { inner, named }
    }
}

impl<R: Resolver> Resolver for GuardedResolver<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let addresses = self.inner.resolve(uri, config, timeout)?;
        // A proxy may be anywhere.
        if config.proxy().is_some_and(|proxy| proxy.uri() == uri) {
            return Ok(addresses);
        }
        let mut found = addresses.iter().map(|address| address.ip());
        let private = found.clone().find(|address| address::is_private(*address));
        match (&self.named, private) {
            (Some(named), _) => {
                let is_private = found.all(address::is_private);
                named.is_private.store(is_private, Ordering::Relaxed);
            }
            (None, Some(address)) => return Err(Error::Other(PrivateAddress(address).into())),
            (None, None) => {}
        }
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    /// Resolves every name to these.
    #[derive(Debug)]
    struct Fixed(Vec<&'static str>);

    impl Resolver for Fixed {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let mut addresses = self.empty();
            for address in &self.0 {
                addresses.push(SocketAddr::new(address.parse().unwrap(), 80));
            }
            Ok(addresses)
        }
    }

    fn resolved(addresses: &[&'static str], named: Option<Network>) -> Result<(), Error> {
        let inner = Fixed(addresses.to_vec());
        let uri = Uri::from_static("http://name.example/");
        let resolver = GuardedResolver { inner, named };
        let timeout = NextTimeout::default();
        resolver
            .resolve(&uri, &Config::default(), timeout)
            .map(|_| ())
    }

    #[test]
    fn a_name_that_leads_into_a_private_network_is_refused_in_a_redirect() {
        assert!(resolved(&["8.8.8.8", "2001:db8::1"], None).is_ok());
        for private in ["127.0.0.1", "::1", "10.0.0.1", "::ffff:192.168.0.1"] {
            let error = resolved(&["8.8.8.8", private], None).unwrap_err();
            assert!(error.to_string().contains(private), "{error}");
        }
    }

    #[test]
    fn a_named_server_may_be_anywhere_and_its_network_is_noted() {
        for (addresses, is_private) in [
            (&["8.8.8.8"][..], false),
            (&["10.0.0.1", "fd00::1"], true),
            (&["10.0.0.1", "8.8.8.8"], false),
        ] {
            let network = Network::of_host("name.example");
            assert!(!network.is_private());
            assert!(resolved(addresses, Some(network.clone())).is_ok());
            assert_eq!(network.is_private(), is_private);
        }
        assert!(Network::of_host("2130706433").is_private());
    }
}
