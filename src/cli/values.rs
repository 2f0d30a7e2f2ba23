//! The values of options.

use crate::guix::Compression;
use crate::ipfs::cid::CidVersion;
use crate::mirror::GraftChoice;
use crate::node::NodeAddress;
use crate::node::kubo::AddressError;
use crate::publication::Engine;
use crate::util::diagnosis::Diagnosis;
use crate::util::duration::parse;
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use std::ffi::OsStr;
use std::num::NonZeroU64;
use std::time::Duration;

/// Reads `--api` without repeating a password when it is wrong.
#[derive(Clone)]
pub(super) struct ApiParser;

impl TypedValueParser for ApiParser {
    type Value = NodeAddress;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<NodeAddress, clap::Error> {
        value
            .to_string_lossy()
            .parse()
            .map_err(|error: AddressError| {
                let advice = error.advice().unwrap_or_default();
                let text = format!("--api: {error}\n{advice}\n");
                clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
            })
    }
}

pub(super) fn graft(text: &str) -> Result<GraftChoice, String> {
    match text {
        "auto" => Ok(GraftChoice::Auto),
        "add-link" => Ok(GraftChoice::Only(Engine::AddLink)),
        "car" => Ok(GraftChoice::Only(Engine::Car)),
        _ => Err("auto, add-link or car".to_owned()),
    }
}

/// A compression that can be decompressed here.
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

/// Bytes a second, which are more than none.
pub(super) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let rate = size(text).ok().and_then(NonZeroU64::new);
    rate.ok_or_else(|| "a number of bytes a second from 1 on, such as 500K or 2M".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse(text).ok_or_else(|| "a duration such as 48h or 1h30m".to_owned())
}

/// The validity of a record, which is more than nothing.
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
    fn sizes_rates_and_lifetimes_are_read_as_people_write_them() {
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(size("17"), Ok(17));
        assert!(size("G").is_err() && size("-1").is_err() && size("99999999999G").is_err());
        assert_eq!(rate("20K").map(NonZeroU64::get), Ok(20 << 10));
        assert!(rate("0").is_err() && rate("0M").is_err() && rate("fast").is_err());
        assert_eq!(lifetime("48h"), Ok(Duration::from_secs(48 * 3600)));
        assert!(lifetime("0s").is_err());
    }
}
