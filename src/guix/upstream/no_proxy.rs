//! The hosts of `$no_proxy`, as curl reads it.

use crate::util::address;
use std::net::IpAddr;

/// The hosts that are asked without a proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NoProxy {
    is_everything: bool,
    entries: Vec<Entry>,
}

/// Some hosts, and the one port of them, if it is given. curl supports no ports.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    /// A domain with all below it, in lower case.
    Domain(String),
    /// The addresses that have so many bits in common with this one.
    Network(IpAddr, u32),
}

impl NoProxy {
    /// Reads a list that commas or blanks separate; `*` alone is every host.
    pub fn parse(list: &str) -> Self {
        let entries = list.split([',', ' ', '\t']).filter_map(Entry::parse);
        Self {
            is_everything: list.trim() == "*",
            entries: entries.collect(),
        }
    }

    /// Returns true for a host, as it stands in a URL, that is asked without a proxy.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        let mut entries = self.entries.iter();
        self.is_everything
            || entries.any(|entry| {
                entry.port.is_none_or(|only| only == port) && entry.hosts.contain(host)
            })
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let (text, bits) = match text.split_once('/') {
            Some((text, bits)) => (text, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        if let Some(hosts) = Hosts::network(text, bits) {
            return Some(Self { hosts, port: None });
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let hosts = Hosts::network(name, bits).or_else(|| Hosts::domain(name))?;
        Some(Self { hosts, port })
    }
}

impl Hosts {
    /// An address, in brackets or not, or a network of them.
    fn network(text: &str, bits: Option<u32>) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let address: IpAddr = bare.unwrap_or(text).parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        // To curl 0 bits are as good as none.
        match bits {
            None | Some(0) => Some(Self::Network(address, width)),
            Some(bits) => (bits <= width).then_some(Self::Network(address, bits)),
        }
    }

    /// `example.org`, `.example.org` and `*.example.org` are one, the last not in curl.
    fn domain(text: &str) -> Option<Self> {
        let name = text.strip_prefix('*').filter(|name| name.starts_with('.'));
        let name = name.unwrap_or(text);
        let name = name.strip_prefix('.').unwrap_or(name);
        let name = name.strip_suffix('.').unwrap_or(name);
        (!name.is_empty()).then(|| Self::Domain(name.to_ascii_lowercase()))
    }

    fn contain(&self, host: &str) -> bool {
        match (self, address::literal(host)) {
            (Self::Domain(name), None) => {
                let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
                let rest = host.strip_suffix(name.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Self::Network(IpAddr::V4(network), bits), Some(IpAddr::V4(address))) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= *bits
            }
            (Self::Network(IpAddr::V6(network), bits), Some(IpAddr::V6(address))) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= *bits
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_covered_as_in_curl() {
        for (list, host) in [
            ("*", "h"),
            (" * ", "10.0.0.1"),
            ("example.org", "example.org"),
            ("example.org", "www.example.org"),
            (".example.org", "www.example.org"),
            (".example.org", "example.org"),
            ("*.example.org", "www.example.org"),
            ("EXAMPLE.org", "Www.Example.ORG"),
            ("example.org.", "example.org"),
            ("example.org", "example.org."),
            ("a,example.org", "example.org"),
            ("a, example.org", "example.org"),
            ("a example.org b", "b"),
            ("org", "example.org"),
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.0/8", "10.1.2.3"),
            ("192.168.1.16/29", "192.168.1.23"),
            ("10.0.0.1/32", "10.0.0.1"),
            ("10.0.0.1/0", "10.0.0.1"),
            ("::2", "[::2]"),
            ("[::2]", "[::2]"),
            ("fd00::/8", "[fd12:3::1]"),
            ("0:0:0:0:0:0:0:2", "[::2]"),
            ("example.org:80", "example.org"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[::2]:80", "[::2]"),
        ] {
            assert!(NoProxy::parse(list).covers(host, 80), "{list} {host}");
        }
        for (list, host) in [
            ("", "h"),
            (",, ,", "h"),
            (".", "h"),
            ("*,h", "g"),
            ("*h", "gh"),
            ("example.org", "nonexample.org"),
            ("example.org", "example.org.evil.example"),
            ("www.example.org", "example.org"),
            ("0.0.1", "10.0.0.1"),
            ("10.0.0.0/8", "11.0.0.1"),
            ("10.0.0.0/33", "10.0.0.0"),
            ("10.0.0.0/x", "10.0.0.0"),
            ("0.0.0.0/0", "10.0.0.1"),
            ("192.168.1.16/29", "192.168.1.24"),
            ("fd00::/8", "[fe00::1]"),
            ("::2", "0.0.0.2"),
            ("example.org:81", "example.org"),
            ("example.org:x", "example.org"),
            ("10.0.0.1:81", "10.0.0.1"),
        ] {
            assert!(!NoProxy::parse(list).covers(host, 80), "{list} {host}");
        }
    }
}
