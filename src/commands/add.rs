//! `add`: mirrors the named items.

use super::lists;
use super::mirror_verb::MirrorVerb;
use super::upstreams::{add_servers, upstreams};
use crate::cli::{AddArgs, GlobalArgs};
use crate::mirror::{Exit, Failure, ItemSelection, ItemSpec, Pauses};
use crate::report::Report;
use std::path::Path;

/// Runs `add`.
pub fn run(global: &GlobalArgs, args: &AddArgs, report: &Report) -> Result<Exit, Failure> {
    let mut upstreams = upstreams(global, report)?;
    let servers = args.items.iter().filter_map(|spec| match spec {
        ItemSpec::Narinfo { server, .. } => Some(server.as_str()),
        _ => None,
    });
    add_servers(global, &mut upstreams, servers)?;
    let mut specs = Vec::new();
    let mut misread = Vec::new();
    for spec in &args.items {
        match spec {
            ItemSpec::StandardInput => {
                let list = lists::read(Path::new("-"), report)?;
                specs.extend(list.items.into_iter().map(ItemSpec::Item));
                misread.extend(list.misread);
            }
            spec => specs.push(spec.clone()),
        }
    }
    let verb = MirrorVerb {
        name: "add",
        pauses: Pauses::Ignored,
        global,
        args: &args.mirror,
        root: &args.root,
        retention: None,
        collecting: None,
        misread,
    };
    let selection = ItemSelection::Named(specs);
    verb.run(upstreams, selection, args.system.as_deref(), report)
}
