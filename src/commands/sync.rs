//! `sync`: mirrors the farm's latest builds, or the store paths of a list.

use super::farm::{Farm, MOST_BUILDS, system};
use super::lists;
use super::mirror::{Told, Verb, run as mirror};
use super::plan::{Wishes, narinfo_name};
use super::upstreams::upstreams;
use crate::cli::{Global, Sync, Wanted};
use crate::failure::{Exit, Failure};
use crate::guix::Build;
use crate::publication::Tree;
use crate::report::Report;

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
    let farm = Farm {
        upstreams: &upstreams,
        system: system(args.system.as_deref()),
    };
    mirror(&told, &upstreams, |tree| {
        let items = match &args.from {
            Some(path) => lists::read(path)?,
            None => latest(args, &farm, tree)?,
        };
        Ok(Wishes::from(items))
    })
}

/// The outputs of the latest builds. Asks for more until one is published
/// already, so that no gap opens between two runs; on a mirror that has none
/// of them after [`MOST_BUILDS`], and on an empty one, there is no gap to close.
fn latest(args: &Sync, farm: &Farm, tree: &Tree) -> Result<Vec<Wanted>, Failure> {
    let is_new = !tree.has_narinfos()?;
    let mut count = args.latest;
    loop {
        let builds = farm.latest(count, args.jobset.as_deref())?;
        let wanted = outputs(farm, &builds);
        let is_all = (builds.len() as u32) < count || count >= MOST_BUILDS;
        if is_new || is_all || any_published(&wanted, tree)? {
            return Ok(wanted);
        }
        count = (count * 2).min(MOST_BUILDS);
    }
}

/// The farm filters by system, but a server without that filter lists all.
fn outputs(farm: &Farm, builds: &[Build]) -> Vec<Wanted> {
    let builds = builds.iter().filter(|build| farm.is_for_system(build));
    let outputs = builds.flat_map(|build| &build.outputs);
    outputs.map(Wanted::from).collect()
}

fn any_published(wanted: &[Wanted], tree: &Tree) -> Result<bool, Failure> {
    for item in wanted {
        if tree.find(&[narinfo_name(&item.hash)])?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
