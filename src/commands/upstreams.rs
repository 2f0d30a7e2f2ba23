//! The substitute servers of the command line, and the keys that must have signed
//! the narinfos of each.

use crate::cli::{GlobalArgs, List};
use crate::guix::{ConnectionLimits, KeyFile, RateLimit, TrustedKeys, UpstreamClient};
use crate::mirror::Failure;
use crate::report::Report;
use std::path::Path;

/// The servers of `--upstream`, in order. Each is held to the keys of
/// `--trusted-keys` and, where it is an official farm, to the farm's own. All share
/// one limit of the rate.
pub fn upstreams(global: &GlobalArgs, report: &Report) -> Result<Vec<UpstreamClient>, Failure> {
    let given = given_keys(global, report)?;
    let rate = global.limit_rate.map(RateLimit::new).unwrap_or_default();
    let urls = List::all(&global.upstreams);
    urls.map(|url| {
        let mut keys = given.clone();
        keys.extend(&TrustedKeys::of_server(url));
        Ok(client(global, url, keys)?.limited(rate.clone()))
    })
    .collect()
}

/// Adds servers that were named with an item, after the others. They are checked
/// against every known key, since no option assigns keys to them.
pub fn add_servers<'u>(
    global: &GlobalArgs,
    upstreams: &mut Vec<UpstreamClient>,
    urls: impl Iterator<Item = &'u str>,
) -> Result<(), Failure> {
    for url in urls {
        let mut keys = TrustedKeys::of_server(url);
        for upstream in &*upstreams {
            keys.extend(upstream.keys());
        }
        let rate = upstreams.first().map(|first| first.rate().clone());
        let server = client(global, url, keys)?.limited(rate.unwrap_or_default());
        if upstreams.iter().all(|known| known.base() != server.base()) {
            upstreams.push(server);
        }
    }
    Ok(())
}

/// A gateway as a server to ask.
pub fn gateway(global: &GlobalArgs, url: &str) -> Result<UpstreamClient, Failure> {
    client(global, url, TrustedKeys::default())
}

/// A line for each upstream: the keys it is checked by, if any.
pub fn trust(upstreams: &[UpstreamClient]) -> impl Iterator<Item = String> {
    upstreams.iter().map(|upstream| {
        let keys = upstream.keys().keys().iter().map(ToString::to_string);
        let keys: Vec<_> = keys.collect();
        let base = upstream.base();
        match keys.is_empty() {
            true => format!(
                "signatures of {base} are not checked, hashes are: no key is known \
                 (--trusted-keys FILE)"
            ),
            false => format!("signatures of {base} are checked by {}", keys.join(", ")),
        }
    })
}

fn client(global: &GlobalArgs, url: &str, keys: TrustedKeys) -> Result<UpstreamClient, Failure> {
    let limits = ConnectionLimits {
        connect: global.connect_timeout,
        read: global.read_timeout,
        low_speed: global.low_speed_time,
    };
    Ok(UpstreamClient::new(url, limits)?.trusting(keys))
}

/// The keys that may have signed what somebody else mirrors: those of the farms, and
/// those of `--trusted-keys`.
pub fn believed_keys(global: &GlobalArgs, report: &Report) -> Result<TrustedKeys, Failure> {
    let mut keys = TrustedKeys::of_farms();
    keys.extend(&given_keys(global, report)?);
    Ok(keys)
}

/// The keys of `--trusted-keys`.
pub fn given_keys(global: &GlobalArgs, report: &Report) -> Result<TrustedKeys, Failure> {
    let mut all = TrustedKeys::default();
    for path in List::all(&global.trusted_keys) {
        let file = read_keys(path).map_err(|reason| Failure::KeyFile {
            path: path.clone(),
            reason,
        })?;
        if !file.others.is_empty() {
            let path = path.display();
            report.verbose(&format!("{path}: keys ignored: {}", file.others));
        }
        all.extend(&file.keys);
    }
    Ok(all)
}

fn read_keys(path: &Path) -> Result<KeyFile, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    KeyFile::parse(&bytes).map_err(|error| error.to_string())
}
