//! The substitute servers to take from, and whose signatures on what they serve
//! are believed.

use crate::cli::Global;
use crate::failure::Failure;
use crate::guix::{TrustedKeys, Upstream};
use std::path::Path;

/// The upstreams of the command line, in order. Each is held to the keys of
/// `--trusted-keys` and, where it is an official farm, to the farm's own.
pub fn upstreams(global: &Global) -> Result<Vec<Upstream>, Failure> {
    let given = given_keys(global)?;
    let urls = global.upstreams.iter();
    urls.map(|url| {
        let mut keys = given.clone();
        keys.extend(&TrustedKeys::of_server(url));
        upstream(global, url, keys)
    })
    .collect()
}

/// Adds servers that were named by the way, after the others. They are held to
/// every key that is known, since nobody said what they are to be trusted with.
pub fn add_servers<'u>(
    global: &Global,
    upstreams: &mut Vec<Upstream>,
    urls: impl Iterator<Item = &'u str>,
) -> Result<(), Failure> {
    for url in urls {
        let mut keys = TrustedKeys::of_server(url);
        for upstream in &*upstreams {
            keys.extend(upstream.keys());
        }
        let server = upstream(global, url, keys)?;
        if upstreams.iter().all(|known| known.base() != server.base()) {
            upstreams.push(server);
        }
    }
    Ok(())
}

/// A line for each upstream: by which keys it is checked, if by any.
pub fn trust(upstreams: &[Upstream]) -> impl Iterator<Item = String> {
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

fn upstream(global: &Global, url: &str, keys: TrustedKeys) -> Result<Upstream, Failure> {
    let upstream = Upstream::new(url, global.connect_timeout, global.read_timeout)?;
    Ok(upstream.trusting(keys))
}

fn given_keys(global: &Global) -> Result<TrustedKeys, Failure> {
    let mut all = TrustedKeys::default();
    for path in &global.trusted_keys {
        all.extend(&read_keys(path).map_err(|reason| Failure::KeyFile {
            path: path.clone(),
            reason,
        })?);
    }
    Ok(all)
}

fn read_keys(path: &Path) -> Result<TrustedKeys, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    TrustedKeys::parse(&bytes).map_err(|error| error.to_string())
}
