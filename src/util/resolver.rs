//! Addresses of hosts that are remembered for a while. The HTTP client asks for them before
//! each request, also where a connection is kept, and starts a thread for each question.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// The time for which addresses are taken to be right. A host that moved is found
/// again after it.
const LIFETIME: Duration = Duration::from_secs(30);

/// A resolver that remembers the addresses of hosts that it found.
#[derive(Debug)]
pub struct RememberingResolver<R = DefaultResolver> {
    inner: R,
    lifetime: Duration,
    known: Mutex<HashMap<String, (Instant, ResolvedSocketAddrs)>>,
}

impl Default for RememberingResolver {
    fn default() -> Self {
        Self::new(DefaultResolver::default(), LIFETIME)
    }
}

impl<R> RememberingResolver<R> {
    fn new(inner: R, lifetime: Duration) -> Self {
        Self {
            inner,
            lifetime,
            known: Mutex::default(),
        }
    }
}

impl<R: Resolver> Resolver for RememberingResolver<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let parts = uri.scheme().zip(uri.authority());
        let host =
            parts.and_then(|(scheme, authority)| DefaultResolver::host_and_port(scheme, authority));
        let Some(host) = host else {
            return self.inner.resolve(uri, config, timeout);
        };
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((found, addresses)) = known().get(&host)
            && found.elapsed() < self.lifetime
        {
            return Ok(addresses.clone());
        }
        let addresses = self.inner.resolve(uri, config, timeout)?;
        known().insert(host, (Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicU16, Ordering};

    /// Resolves every name to another port each time.
    #[derive(Debug, Default)]
    struct Counting(AtomicU16);

    impl Resolver for Counting {
        fn resolve(
            &self,
            uri: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let port = self.0.fetch_add(1, Ordering::Relaxed);
            if uri.host() == Some("lost.example") {
                return Err(Error::HostNotFound);
            }
            let mut addresses = self.empty();
            addresses.push(SocketAddr::from(([127, 0, 0, 1], port)));
            Ok(addresses)
        }
    }

    fn port(resolver: &RememberingResolver<Counting>, uri: &str) -> Option<u16> {
        let uri = uri.parse().unwrap();
        let resolved = resolver.resolve(&uri, &Config::default(), NextTimeout::default());
        resolved.ok().map(|addresses| addresses[0].port())
    }

    #[test]
    fn a_host_is_asked_for_once_in_a_while() {
        let resolver = RememberingResolver::new(Counting::default(), LIFETIME);
        assert_eq!(port(&resolver, "http://name.example/a"), Some(0));
        assert_eq!(port(&resolver, "http://name.example:80/b"), Some(0));
        assert_eq!(port(&resolver, "https://name.example/a"), Some(1));
        assert_eq!(port(&resolver, "http://other.example/"), Some(2));
        assert_eq!(port(&resolver, "http://name.example/c"), Some(0));
        let short = RememberingResolver::new(Counting::default(), Duration::ZERO);
        assert_eq!(port(&short, "http://name.example/"), Some(0));
        assert_eq!(port(&short, "http://name.example/"), Some(1));
    }

    #[test]
    fn a_host_that_was_not_found_is_asked_for_again() {
        let resolver = RememberingResolver::new(Counting::default(), LIFETIME);
        for _ in 0..3 {
            assert_eq!(port(&resolver, "http://lost.example/"), None);
        }
        assert_eq!(resolver.inner.0.into_inner(), 3);
    }
}
