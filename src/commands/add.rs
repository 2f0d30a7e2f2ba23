//! `add`: mirrors the named items.

use super::farm::{Farm, system};
use super::lists;
use super::mirror::{Told, Verb, run as mirror};
use super::plan::Wishes;
use super::upstreams::{add_servers, upstreams};
use crate::cli::{Add, Global, Wish};
use crate::failure::{Exit, Failure};
use crate::report::Report;
use std::path::Path;

/// Runs `add`.
pub fn run(global: &Global, args: &Add, report: &Report) -> Result<Exit, Failure> {
    let told = Told {
        verb: Verb::Add,
        global,
        mirror: &args.mirror,
        publish: &args.publish,
        report,
    };
    let mut upstreams = upstreams(global)?;
    let servers = args.items.iter().filter_map(|wish| match wish {
        Wish::Narinfo { server, .. } => Some(server.as_str()),
        _ => None,
    });
    add_servers(global, &mut upstreams, servers)?;
    let farm = Farm {
        upstreams: &upstreams,
        system: system(args.system.as_deref()),
    };
    mirror(&told, &upstreams, |_| wishes(&args.items, &farm, report))
}

fn wishes(words: &[Wish], farm: &Farm, report: &Report) -> Result<Wishes, Failure> {
    let mut wishes = Wishes::default();
    for word in words {
        match word {
            Wish::Item(item) | Wish::Narinfo { item, .. } => wishes.items.push(item.clone()),
            Wish::StandardInput => wishes.items.extend(lists::read(Path::new("-"))?),
            Wish::Package(package) => match farm.package(package, report)? {
                Ok(items) => wishes.items.extend(items),
                Err(unknown) => wishes.unknown.push(unknown),
            },
        }
    }
    Ok(wishes)
}
