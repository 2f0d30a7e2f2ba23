//! Plain requests through an HTTP proxy: `GET http://HOST/PATH`, sent to the proxy.
//! ureq itself only supports tunnels (`CONNECT`), which proxies refuse to port 80.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::sync::Arc;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, TcpConnector, Transport,
};
use ureq::{Error, Proxy};

/// The end of a request's head.
const END: &[u8] = b"\r\n\r\n";

/// Connects to the proxy of the configuration for every request.
#[derive(Debug)]
pub(super) struct ForwardConnector<C> {
    to_proxy: C,
}

/// A connector for an agent whose requests are all forwarded.
pub(super) fn connector() -> ForwardConnector<impl Connector<Out: Transport>> {
    ForwardConnector {
        to_proxy: ().chain(TcpConnector::default()).chain(RustlsConnector::default()),
    }
}

impl<C: Connector> Connector for ForwardConnector<C> {
    type Out = Forward<C::Out>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        _: Option<()>,
    ) -> Result<Option<Self::Out>, Error> {
        let Some(proxy) = details.config.proxy() else {
            return Ok(None);
        };
        let addrs = details
            .resolver
            .resolve(proxy.uri(), details.config, details.timeout)?;
        let to_proxy = self.to_proxy.connect(
            &ConnectionDetails {
                uri: proxy.uri(),
                addrs,
                config: details.config,
                request_level: details.request_level,
                resolver: details.resolver,
                now: details.now,
                timeout: details.timeout,
                current_time: Arc::clone(&details.current_time),
                run_connector: Arc::clone(&details.run_connector),
                register_shutdown: Arc::clone(&details.register_shutdown),
            },
            None,
        )?;
        let authority = details.uri.authority().map_or("", |it| it.as_str());
        let host = authority.rsplit('@').next().unwrap_or_default();
        Ok(to_proxy.map(|transport| Forward {
            transport,
            origin: format!("http://{host}"),
            authorization: authorization(proxy),
            is_within_head: false,
        }))
    }
}

/// A connection to a proxy on which the requests for one server are sent.
#[derive(Debug)]
pub(super) struct Forward<T> {
    transport: T,
    /// The beginning of each URL asked for.
    origin: String,
    /// A header line, or nothing.
    authorization: String,
    /// The beginning of a head was sent, and its end was not.
    is_within_head: bool,
}

impl<T: Transport> Forward<T> {
    /// A head whose target is the whole URL, or the rest of one.
    fn rewritten(&mut self, head: &[u8]) -> Vec<u8> {
        let is_first = !std::mem::replace(&mut self.is_within_head, !head.ends_with(END));
        let target = head.iter().position(|byte| *byte == b' ');
        let line_end = head.iter().position(|byte| *byte == b'\n');
        match (target, line_end) {
            (Some(target), Some(end)) if is_first => [
                &head[..=target],
                self.origin.as_bytes(),
                &head[target + 1..=end],
                self.authorization.as_bytes(),
                &head[end + 1..],
            ]
            .concat(),
            _ => head.to_vec(),
        }
    }
}

impl<T: Transport> Transport for Forward<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.transport.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let head = self.transport.buffers().output()[..amount].to_vec();
        let mut rest = &self.rewritten(&head)[..];
        while !rest.is_empty() {
            let output = self.transport.buffers().output();
            let (now, later) = rest.split_at(rest.len().min(output.len()));
            output[..now.len()].copy_from_slice(now);
            self.transport.transmit_output(now.len(), timeout)?;
            rest = later;
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.transport.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.transport.is_open()
    }
}

/// The header line with the proxy's credentials.
fn authorization(proxy: &Proxy) -> String {
    let Some(user) = proxy.username() else {
        return String::new();
    };
    let password = proxy.password().unwrap_or_default();
    let secret = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("Proxy-Authorization: Basic {secret}\r\n")
}
