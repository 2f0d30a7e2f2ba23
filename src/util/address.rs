//! Addresses that only a machine or its own network can reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns true for an address of this machine or of a private network: loopback,
/// private, link-local, unique-local, carrier-grade NAT, unspecified; also for an IPv6
/// address that stands for such an IPv4 one.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_private_v4(v4),
        IpAddr::V6(v6) => is_private_v6(v6),
    }
}

/// The address that a URL's host spells, as the system's resolver reads it: also
/// `2130706433`, `0x7f.1` and `0177.0.0.1`, and IPv6 with or without brackets.
pub fn literal(host: &str) -> Option<IpAddr> {
    let host = host.trim_end_matches('.');
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    // A zone (`%eth0`) names an interface of this machine.
    let v6 = bare.unwrap_or(host).split('%').next();
    if let Some(v6) = v6.and_then(|text| text.parse().ok()) {
        return Some(IpAddr::V6(v6));
    }
    v4(host).map(IpAddr::V4)
}

/// Returns true for a host that spells an address of [`is_private`], and for
/// `localhost` and the names below it (RFC 6761).
pub fn is_private_host(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || literal(&name).is_some_and(is_private)
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || first == 0
        || (first == 100 && second & 0xc0 == 64)
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    address.is_loopback()
        || address.is_unspecified()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        // Site-local, which RFC 3879 took back and networks still have.
        || segments[0] & 0xffc0 == 0xfec0
        || embedded_v4(segments).is_some_and(is_private_v4)
}

/// The IPv4 address within one of IPv6: mapped (`::ffff:0:0/96`), compatible
/// (`::/96`), translated (`64:ff9b::/96`) or 6to4 (`2002::/16`).
fn embedded_v4(segments: [u16; 8]) -> Option<Ipv4Addr> {
    let (high, low) = match segments {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] => (high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => (high, low),
        [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

/// An IPv4 address as `inet_aton` reads it: one to four numbers, decimal, octal (`0…`)
/// or hexadecimal (`0x…`), of which the last fills what remains.
fn v4(host: &str) -> Option<Ipv4Addr> {
    let parts: Option<Vec<u32>> = host.split('.').map(number).collect();
    let parts = parts.filter(|parts| parts.len() <= 4)?;
    let (last, first) = parts.split_last()?;
    let mut address: u32 = 0;
    for (at, part) in first.iter().enumerate() {
        let byte = u8::try_from(*part).ok()?;
        address |= u32::from(byte) << (24 - 8 * at);
    }
    let room = u32::MAX.checked_shr(8 * first.len() as u32).unwrap_or(0);
    (*last <= room).then(|| Ipv4Addr::from(address | last))
}

fn number(text: &str) -> Option<u32> {
    let hexadecimal = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let (digits, radix) = match (hexadecimal, text.strip_prefix('0')) {
        (Some(""), _) => return Some(0),
        (Some(digits), _) => (digits, 16),
        (None, Some("")) => return Some(0),
        (None, Some(digits)) => (digits, 8),
        (None, None) => (text, 10),
    };
    // `from_str_radix` takes a sign.
    let is_number = digits.chars().all(|digit| digit.is_digit(radix));
    is_number.then(|| u32::from_str_radix(digits, radix).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine_and_of_private_networks_are_known_in_every_spelling() {
        let private = "
            localhost LOCALHOST. a.localhost
            127.0.0.1 127.1 127.0.0.1. 2130706433 0x7f.1 0x7F000001 0177.0.0.1 017700000001
            127.0.513 0 0.0.0.0
            10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254
            100.64.0.1 100.127.255.255 255.255.255.255
            [::1] ::1 [::] [0:0:0:0:0:0:0:1]
            [::ffff:127.0.0.1] [::ffff:7f00:1] [::127.0.0.1] [64:ff9b::10.0.0.1] [2002:7f00:1::]
            [fe80::1] [fe80::1%eth0] [fd00::1] [fc00::] [fec0::1]
            1 0x";
        // `1` is 0.0.0.1, and `0x` is 0: of the unspecified network.
        for host in private.split_whitespace() {
            assert!(is_private_host(host), "{host}");
        }
        let others = "
            . example.org localhost.example notlocalhost 127.0.0.1.nip.io a
            8.8.8.8 11.0.0.1 128.0.0.1 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 192.169.0.1
            127.0.0.256 127.1.2.3.4 08.1.1.1 +127.1 127..1 0xg 99999999999
            [2001:db8::1] [::ffff:8.8.8.8] [64:ff9b::8.8.8.8] [fe00::1] [::1";
        for host in others.split_whitespace().chain([""]) {
            assert!(!is_private_host(host), "{host}");
        }
    }
}
