//! The address of a node's RPC: a URL or a multiaddr.

use super::authorization::Authorization;
use crate::util::diagnosis::Diagnosis;
use percent_encoding::percent_decode_str;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::str::FromStr;
use thiserror::Error;

/// The address at which Kubo listens by default.
const DEFAULT: &str = "http://127.0.0.1:5001";

/// The address of a node's RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http://host:port` or `https://host:port`, with a path where the node
    /// stands behind one, without a slash at the end.
    pub url: String,
    /// The user and password of the URL.
    pub authorization: Option<Authorization>,
}

/// The reason why a text is not an address.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{text:?} is not the address of a node's RPC: {reason}")]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

/// The fault of a local store's address, such as `embedded:$DIR` without the variable.
const NO_FOLDER: &str = "it names no folder";

impl Address {
    /// The address that a daemon on this machine has written to
    /// `$IPFS_PATH/api`, or Kubo's default where there is none.
    ///
    /// # Errors
    /// The file is there but holds no address.
    pub fn of_local_daemon(ipfs_path: Option<&Path>) -> Result<Self, AddressError> {
        let written = ipfs_path.and_then(|path| std::fs::read_to_string(path.join("api")).ok());
        let Some(written) = written else {
            return DEFAULT.parse();
        };
        match written.trim() {
            address if address.starts_with('/') => address.parse(),
            other => Err(AddressError {
                text: other.to_owned(),
                reason: "it does not begin with /",
            }),
        }
    }
}

impl Diagnosis for AddressError {
    fn advice(&self) -> Option<String> {
        let text = match self.reason {
            NO_FOLDER => "try embedded:DIR, or embedded for your own store",
            _ => "try /ip4/127.0.0.1/tcp/5001 or http://127.0.0.1:5001",
        };
        Some(text.to_owned())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let parsed = match text {
            "embedded:" => Err(NO_FOLDER),
            _ if text.starts_with('/') => from_multiaddr(text).map(|url| (url, None)),
            _ => from_url(text),
        };
        let (url, authorization) = parsed.map_err(|reason| AddressError {
            text: without_password(text),
            reason,
        })?;
        Ok(Self { url, authorization })
    }
}

fn from_multiaddr(text: &str) -> Result<String, &'static str> {
    let mut parts = text.split('/').skip(1);
    let host = match (parts.next(), parts.next()) {
        (Some("ip4"), Some(ip)) => {
            let ip: Ipv4Addr = ip.parse().map_err(|_| "not an IPv4 address after /ip4")?;
            ip.to_string()
        }
        (Some("ip6"), Some(ip)) => {
            let ip: Ipv6Addr = ip.parse().map_err(|_| "not an IPv6 address after /ip6")?;
            format!("[{ip}]")
        }
        (Some("dns" | "dns4" | "dns6"), Some(name)) if is_host(name) => name.to_owned(),
        (Some("unix"), _) => return Err("Unix sockets are not supported"),
        _ => return Err("it does not begin with one of /ip4, /ip6, /dns, /dns4, /dns6"),
    };
    let port = match (parts.next(), parts.next()) {
        (Some("tcp"), Some(port)) => port.parse::<u16>().map_err(|_| "not a port after /tcp")?,
        _ => return Err("/tcp/PORT is missing"),
    };
    let rest: Vec<&str> = parts.collect();
    let scheme = match rest.as_slice() {
        [] | ["http"] => "http",
        ["https"] | ["tls", "http"] => "https",
        _ => return Err("only /http, /https or /tls/http may follow the port"),
    };
    Ok(format!("{scheme}://{host}:{port}"))
}

/// The text for messages.
fn without_password(text: &str) -> String {
    match text.rsplit_once('@') {
        None => text.to_owned(),
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            let scheme = scheme.to_owned() + if scheme.is_empty() { "" } else { "://" };
            format!("{scheme}…@{host}")
        }
    }
}

fn from_url(text: &str) -> Result<(String, Option<Authorization>), &'static str> {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    if !matches!(scheme, "http" | "https") {
        return Err("the scheme is neither http nor https");
    }
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            port.parse::<u16>()
                .map_err(|_| "the port is not a number")?;
            name
        }
        _ => host,
    };
    let is_ip6 = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok());
    if !is_ip6 && !is_host(name) {
        return Err("the host is missing or malformed");
    }
    if path.contains(['?', '#', ' ']) {
        return Err("it has a query, a fragment or a space");
    }
    let path = path.trim_end_matches('/').trim_end_matches("/api/v0");
    let basic = user.map(|user| {
        let user: Vec<u8> = percent_decode_str(user).collect();
        Authorization::basic(&user)
    });
    Ok((format!("{scheme}://{host}{path}"), basic))
}

fn is_host(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiaddrs_and_urls_name_the_same_node() {
        for (text, url) in [
            ("/ip4/127.0.0.1/tcp/5001", "http://127.0.0.1:5001"),
            ("/ip4/127.0.0.1/tcp/5001/http", "http://127.0.0.1:5001"),
            ("/ip6/::1/tcp/5001", "http://[::1]:5001"),
            (
                "/dns4/node.example/tcp/443/tls/http",
                "https://node.example:443",
            ),
            ("http://127.0.0.1:5001/", "http://127.0.0.1:5001"),
            ("127.0.0.1:5001", "http://127.0.0.1:5001"),
            (
                "https://node.example/ipfs/api/v0",
                "https://node.example/ipfs",
            ),
            ("http://[::1]:5001", "http://[::1]:5001"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.url, url, "{text}");
            assert_eq!(address.authorization, None);
        }
    }

    #[test]
    fn a_user_and_password_become_a_header_and_leave_the_url() {
        for (text, header) in [
            ("http://me:secret@127.0.0.1:5001", "Basic bWU6c2VjcmV0"),
            ("http://me:s%40%2F@127.0.0.1:5001", "Basic bWU6c0Av"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.url, "http://127.0.0.1:5001");
            assert_eq!(address.authorization.unwrap().header(), header);
        }
    }

    #[test]
    fn a_password_is_not_in_the_message() {
        for text in [
            "http://me:secret@host:port",
            "me:secret@host:x",
            "ftp://secret@host",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(
                error.contains("host") && !error.contains("secret"),
                "{error}"
            );
        }
    }

    #[test]
    fn other_text_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "host is missing"),
            ("/ip4/localhost/tcp/5001", "not an IPv4 address"),
            ("/ip4/127.0.0.1/udp/5001", "/tcp/PORT is missing"),
            ("/ip4/127.0.0.1/tcp/70000", "not a port"),
            ("/unix/run/ipfs.sock", "not supported"),
            ("ftp://127.0.0.1", "scheme"),
            ("http://127.0.0.1:port", "port is not a number"),
            ("/ip4/127.0.0.1/tcp/5001/ws", "may follow the port"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
