//! `sync`: mirrors the farm's latest builds, or the store paths of a list.

use super::mirror::{Told, Verb, run as mirror, upstreams};
use super::plan::narinfo_name;
use crate::cli::{Global, Sync, Wanted};
use crate::failure::{Exit, Failure};
use crate::guix::{Build, HttpError, Upstream};
use crate::publication::Tree;
use crate::report::Report;
use std::io::{self, Read};
use std::path::Path;

/// The most builds that Cuirass lists.
const MOST_BUILDS: u32 = 1000;

/// Runs `sync`.
pub fn run(global: &Global, args: &Sync, report: &Report) -> Result<Exit, Failure> {
    let told = Told {
        verb: Verb::Sync,
        global,
        mirror: &args.mirror,
        publish: &args.publish,
        report,
    };
    let upstreams = upstreams(global)?;
    mirror(&told, &upstreams, |tree| match &args.from {
        Some(path) => read_list(path),
        None => latest(args, &upstreams, tree),
    })
}

/// The outputs of the latest builds. Asks for more until one is published
/// already, so that no gap opens between two runs; on a mirror that has none
/// of them after [`MOST_BUILDS`], and on an empty one, there is no gap to close.
fn latest(args: &Sync, upstreams: &[Upstream], tree: &Tree) -> Result<Vec<Wanted>, Failure> {
    let is_new = !tree.has_narinfos()?;
    let mut count = args.latest;
    loop {
        let builds = builds(args, upstreams, count)?;
        let wanted = outputs(args, &builds);
        let is_all = (builds.len() as u32) < count || count >= MOST_BUILDS;
        if is_new || is_all || any_published(&wanted, tree)? {
            return Ok(wanted);
        }
        count = (count * 2).min(MOST_BUILDS);
    }
}

/// The list of the first upstream that has one.
fn builds(args: &Sync, upstreams: &[Upstream], count: u32) -> Result<Vec<Build>, HttpError> {
    let system = system(args);
    let mut failure = None;
    for upstream in upstreams {
        match upstream.latest_builds(count, Some(&system), args.jobset.as_deref()) {
            Ok(builds) => return Ok(builds),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    failure.map_or(Ok(Vec::new()), Err)
}

/// The farm filters by system, but a server without that filter lists all.
fn outputs(args: &Sync, builds: &[Build]) -> Vec<Wanted> {
    let system = system(args);
    builds
        .iter()
        .filter(|build| build.system.as_ref().is_none_or(|of| *of == system))
        .flat_map(|build| &build.outputs)
        .map(|path| Wanted {
            hash: path.hash(),
            label: path.to_string(),
        })
        .collect()
}

fn any_published(wanted: &[Wanted], tree: &Tree) -> Result<bool, Failure> {
    for item in wanted {
        if tree.find(&[narinfo_name(&item.hash)])?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Guix's name for a system.
fn system(args: &Sync) -> String {
    args.system.clone().unwrap_or_else(|| {
        let processor = match std::env::consts::ARCH {
            "x86" => "i686",
            "arm" => "armhf",
            other => other,
        };
        format!("{processor}-linux")
    })
}

/// Hashes and store paths, one or more a line. What is neither is passed over,
/// so that the output of `guix` commands can be piped in; so are derivations,
/// which are built, not substituted.
fn read_list(path: &Path) -> Result<Vec<Wanted>, Failure> {
    let mut text = Vec::new();
    let read = match path.to_str() {
        Some("-") => io::stdin().read_to_end(&mut text).map(|_| ()),
        _ => std::fs::read(path).map(|bytes| text = bytes),
    };
    read.map_err(|source| Failure::Input {
        path: path.to_owned(),
        source,
    })?;
    Ok(String::from_utf8_lossy(&text)
        .split_whitespace()
        .filter(|word| !word.ends_with(".drv"))
        .filter_map(|word| word.parse().ok())
        .collect())
}
