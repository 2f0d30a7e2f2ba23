//! The values of options.

use super::lists::{ListParser, Paths, Words};
use super::secrets::WithoutSecrets;
use crate::guix::Compression;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::ipns::key_hash;
use crate::mirror::{Encoding, GraftChoice};
use crate::node::NodeAddress;
use crate::node::kubo::AddressError;
use crate::publication::Engine;
use crate::util::diagnosis::Diagnosis;
use crate::util::duration::parse;
use crate::util::timestamp::DAY;
use crate::util::url;
use clap::builder::{
    NonEmptyStringValueParser, PathBufValueParser, PossibleValuesParser, StringValueParser,
    TypedValueParser,
};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
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
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<NodeAddress, clap::Error> {
        self.parse_ref_(command, arg, value, ValueSource::CommandLine)
    }

    fn parse_ref_(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
        source: ValueSource,
    ) -> Result<NodeAddress, clap::Error> {
        value
            .to_string_lossy()
            .parse()
            .map_err(|error: AddressError| {
                let advice = error.advice().unwrap_or_default();
                let long = arg.and_then(clap::Arg::get_long).unwrap_or("api");
                let given_by = match source {
                    ValueSource::EnvVariable => format!("$GUIX_IPFS_API (--{long})"),
                    _ => format!("--{long}"),
                };
                let text = format!("{given_by}: {error}\n{advice}\n");
                clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
            })
    }
}

/// Substitute servers, separated by spaces.
pub(super) fn upstreams() -> Words<impl TypedValueParser<Value = String>> {
    fn upstream(text: &str) -> Result<String, String> {
        match url::base(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(fault) => Err(format!("{fault}; give a server as https://HOST")),
        }
    }
    ListParser(WithoutSecrets(upstream))
}

/// Gateways, separated by spaces.
pub(super) fn gateways() -> Words<impl TypedValueParser<Value = String>> {
    fn gateway(text: &str) -> Result<String, String> {
        let (base, _) =
            url::base(text).map_err(|fault| format!("{fault}; give a gateway as https://HOST"))?;
        // As in the URL of a mirror.
        match base.contains("/ipns/") || base.contains("/ipfs/") {
            false => Ok(text.to_owned()),
            true => Err("give the gateway as https://HOST, and the name as NAME".to_owned()),
        }
    }
    ListParser(WithoutSecrets(gateway))
}

/// Files, separated by colons.
pub(super) fn files() -> Paths<PathBufValueParser> {
    ListParser(PathBufValueParser::new())
}

/// Compressions that can be decompressed here, separated by spaces.
pub(super) fn compressions() -> Words<impl TypedValueParser<Value = Compression>> {
    let names = PossibleValuesParser::new(["gzip", "lzip", "zstd", "none"]);
    ListParser(names.map(|name| {
        let Ok(compression) = name.parse();
        compression
    }))
}

/// Pinning services, separated by spaces.
pub(super) fn services() -> Words<StringValueParser> {
    ListParser(StringValueParser::new())
}

/// The ways of grafting.
pub(super) fn graft() -> impl TypedValueParser<Value = GraftChoice> {
    PossibleValuesParser::new(["auto", "add-link", "car"]).map(|name| match name.as_str() {
        "add-link" => GraftChoice::Only(Engine::AddLink),
        "car" => GraftChoice::Only(Engine::Car),
        _ => GraftChoice::Auto,
    })
}

/// The encodings of nars.
pub(super) fn encoding() -> impl TypedValueParser<Value = Encoding> {
    PossibleValuesParser::new(["upstream", "delta"]).map(|name| match name.as_str() {
        "delta" => Encoding::Delta,
        _ => Encoding::Upstream,
    })
}

/// The versions of CIDs.
pub(super) fn cid_version() -> impl TypedValueParser<Value = CidVersion> {
    PossibleValuesParser::new(["0", "1"]).map(|number| match number.as_str() {
        "1" => CidVersion::V1,
        _ => CidVersion::V0,
    })
}

/// The node's word for a key, as opposed to the IPNS name of one.
pub(super) fn key() -> impl TypedValueParser<Value = String> {
    text().try_map(named_key)
}

/// Text that is not empty.
pub(super) fn text() -> NonEmptyStringValueParser {
    NonEmptyStringValueParser::new()
}

fn named_key(text: String) -> Result<String, String> {
    match key_hash(text.strip_prefix("/ipns/").unwrap_or(&text)) {
        None => Ok(text),
        Some(_) => Err(
            "this is an IPNS name; a key has a name on the node, such as guix-ipfs \
             (`ipfs key list -l` shows both)"
                .to_owned(),
        ),
    }
}

/// A root, as a CID or as its path.
pub(super) fn root(text: &str) -> Result<Cid, String> {
    let cid = text.strip_prefix("/ipfs/").unwrap_or(text);
    let cid = cid.trim_end_matches('/').parse();
    cid.map_err(|_| "not the CID of a root, such as Qm… or bafy…".to_owned())
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("a whole number of seconds from 1 to 86400".to_owned()),
    }
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.char_indices().next_back() {
        Some((at, 'K' | 'k')) => (&text[..at], 1 << 10),
        Some((at, 'M' | 'm')) => (&text[..at], 1 << 20),
        Some((at, 'G' | 'g')) => (&text[..at], 1 << 30),
        Some((at, 'T' | 't')) => (&text[..at], 1 << 40),
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
    rate.ok_or_else(|| "a number of bytes a second, 1 or more, such as 500K or 2M".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse(text).ok_or_else(|| "a duration such as 48h or 1h30m".to_owned())
}

/// The validity of a record, which is more than nothing.
pub(super) fn lifetime(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("longer than 0, such as 48h".to_owned()),
        lifetime => Ok(lifetime),
    }
}

/// The time for which an item is kept. The ledger has the days of a little more than a
/// year.
pub(super) fn keep_for(text: &str) -> Result<Duration, String> {
    match parse(text) {
        Some(time) if (DAY..=365 * DAY).contains(&time) => Ok(time),
        _ => Err("a time from 1d to 365d, such as 90d".to_owned()),
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
        assert_eq!(size("2T"), Ok(2 << 40));
        assert_eq!(keep_for("90d"), Ok(90 * DAY));
        assert_eq!(keep_for("36h"), Ok(Duration::from_secs(36 * 3600)));
        assert!(keep_for("0d").is_err() && keep_for("23h").is_err() && keep_for("366d").is_err());
    }

    #[test]
    fn a_key_is_named_by_the_nodes_own_word() {
        for name in ["guix-ipfs", "self", "k51", "Qm"] {
            assert_eq!(named_key(name.to_owned()), Ok(name.to_owned()));
        }
        let id = "k51qzi5uqu5dgyg3xos212pqpfmzl7b4q72dpr4mp54n5vdoqllf8mkfc43cea";
        let peer = "12D3KooWBuZfgeC5U27PovNA8x1kFAZ94vhoHqCAtgFGe5eJQMny";
        for name in [id, peer, &format!("/ipns/{id}")] {
            assert!(named_key(name.to_owned()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_root_is_named_by_its_cid_or_its_path() {
        let cid = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
        for text in [
            cid.to_owned(),
            format!("/ipfs/{cid}"),
            format!("/ipfs/{cid}/"),
        ] {
            assert_eq!(root(&text).map(|root| root.to_string()), Ok(cid.to_owned()));
        }
        for text in ["", "x", "/ipns/x", "/ipfs/", &cid[1..]] {
            assert!(root(text).is_err(), "{text}");
        }
    }
}
