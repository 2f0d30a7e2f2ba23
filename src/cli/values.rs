//! How the values of options are read.

use crate::guix::Compression;
use crate::ipfs::cid::CidVersion;
use crate::publication::graft::Engine;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Which node is meant by `--api`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Api {
    /// A node that runs somewhere.
    Remote(crate::node::Address),
    /// The node inside this program, over this folder or the default one.
    Embedded(Option<PathBuf>),
}

impl FromStr for Api {
    type Err = crate::node::AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("embedded") {
            Some("") => Ok(Self::Embedded(None)),
            Some(folder) if folder.len() > 1 && folder.starts_with(':') => {
                Ok(Self::Embedded(Some(PathBuf::from(&folder[1..]))))
            }
            _ => text.parse().map(Self::Remote),
        }
    }
}

/// Reads `--api` without repeating a password when it is wrong.
#[derive(Clone)]
pub(super) struct ApiParser;

impl TypedValueParser for ApiParser {
    type Value = Api;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Api, clap::Error> {
        value.to_string_lossy().parse().map_err(|error| {
            let text = format!("--api: {error}\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

/// The engine that is wished for; none under `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graft(pub Option<Engine>);

pub(super) fn graft(text: &str) -> Result<Graft, String> {
    match text {
        "auto" => Ok(Graft(None)),
        "add-link" => Ok(Graft(Some(Engine::AddLink))),
        "car" => Ok(Graft(Some(Engine::Car))),
        _ => Err("auto, add-link or car".to_owned()),
    }
}

/// One that can be checked.
pub(super) fn compression(text: &str) -> Result<Compression, String> {
    match text.parse() {
        Ok(Compression::Other(_)) => Err("gzip, lzip, zstd or none".to_owned()),
        Ok(known) => Ok(known),
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("a whole number of seconds from 1 to 86400".to_owned()),
    }
}

pub(super) fn cid_version(text: &str) -> Result<CidVersion, String> {
    match text {
        "0" => Ok(CidVersion::V0),
        "1" => Ok(CidVersion::V1),
        _ => Err("0 or 1".to_owned()),
    }
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let bytes = number.parse::<u64>().ok();
    bytes
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| "a number of bytes, such as 500M or 2G".to_owned())
}

/// A duration in hours, minutes and seconds, as Go writes it.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut seconds = Some(0u64);
    while let Some(at) = rest.find(['h', 'm', 's']) {
        let unit = match rest.as_bytes()[at] {
            b'h' => 3600,
            b'm' => 60,
            _ => 1,
        };
        let number = rest[..at].parse::<u64>().ok();
        let part = number.and_then(|number| number.checked_mul(unit));
        seconds = seconds.and_then(|sum| sum.checked_add(part?));
        rest = &rest[at + 1..];
    }
    match seconds {
        Some(seconds) if rest.is_empty() && !text.is_empty() => Ok(Duration::from_secs(seconds)),
        _ => Err("a duration such as 48h or 1h30m".to_owned()),
    }
}

/// How long a record may be valid: not no time at all.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("longer than nothing, such as 48h".to_owned()),
        lifetime => Ok(lifetime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_lifetimes_are_read_as_people_write_them() {
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(size("17"), Ok(17));
        assert!(size("G").is_err() && size("-1").is_err() && size("99999999999G").is_err());
        assert_eq!(lifetime("48h"), Ok(Duration::from_secs(48 * 3600)));
        assert!(lifetime("0s").is_err());
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("48").is_err() && duration("h").is_err() && duration("2 days").is_err());
    }
}
