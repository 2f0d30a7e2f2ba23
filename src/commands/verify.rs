//! `verify`: walks the published root. Every narinfo must be one, be about the
//! item in its name, and list only nars that are there.

use super::batch::{Budget, in_order};
use super::mirroring::{Done, Mirroring};
use super::plan::LeftOut;
use super::refusals::Refusals;
use super::scan::{self, Found};
use super::session::Session;
use super::source::Source;
use super::stop::Stop;
use super::transfer::Transfer;
use super::upstreams::upstreams;
use crate::cli::{Global, Verify, Wanted};
use crate::failure::{Exit, Failure};
use crate::guix::{CheckedNar, Expect, HashPart, NarError, Narinfo, Variant};
use crate::ipfs::cid::Cid;
use crate::node::Node;
use crate::publication::graft::Engine;
use crate::publication::{Tree, adopt, chosen, find};
use crate::report::Report;
use serde_json::json;
use std::collections::HashSet;
use std::io;

/// Runs `verify`.
pub fn run(global: &Global, args: &Verify, report: &Report) -> Result<Exit, Failure> {
    let session = Session::open(global)?;
    let Some(key) = session.key(&global.key)? else {
        return Err(Failure::NoKey(global.key.clone()));
    };
    let site = session.site_without_publishing(key);
    let found = find(&site)?;
    let root = match found.published {
        Some(root) => root,
        None => chosen(&site, &found, None)?,
    };
    let check = Check {
        tree: &Tree::new(&session.node, root),
        node: &session.node,
        deep: args.deep,
        jobs: global.jobs,
    };
    let mut seen = check.root(report)?;
    let mut root = root;
    if args.repair && !seen.broken.is_empty() {
        (root, seen) = repair(global, args, report, &session, seen)?;
    }
    for Broken { name, reason, .. } in &seen.broken {
        report.error(&format!("{name}: {reason}"));
    }
    let line = match seen.broken.len() {
        0 => format!("/ipfs/{root}: {} narinfos, all whole", seen.narinfos),
        broken => format!("/ipfs/{root}: {} narinfos, {broken} broken", seen.narinfos),
    };
    report.say(&line);
    if !seen.broken.is_empty() && !args.repair {
        report.say("`guix-ipfs verify --repair` fetches what is broken again");
    }
    report.sum(&json!({
        "command": "verify",
        "root": root.to_string(),
        "deep": args.deep,
        "narinfos": seen.narinfos,
        "nars": seen.nars,
        "broken": seen.broken.iter().map(|broken| LeftOut {
            item: broken.name.clone(),
            reason: broken.reason.clone(),
        }).collect::<Vec<_>>(),
        "repaired": seen.repaired,
    }));
    Ok(match seen.broken.is_empty() {
        true => Exit::Done,
        false => Exit::Partly,
    })
}

/// What was seen on the way.
#[derive(Default)]
struct Seen {
    narinfos: u64,
    nars: u64,
    broken: Vec<Broken>,
    repaired: Vec<String>,
}

/// A narinfo that is not what it should be, or a nar of it.
struct Broken {
    name: String,
    hash: Option<HashPart>,
    reason: String,
}

struct Check<'a> {
    tree: &'a Tree<'a>,
    node: &'a Node,
    /// Whether nars are read and hashed.
    deep: bool,
    jobs: u16,
}

impl Check<'_> {
    fn root(&self, report: &Report) -> Result<Seen, Failure> {
        let mut seen = Seen::default();
        let work = |found: Found| {
            let nars = found.narinfo.as_ref().map_or(0, |it| it.variants.len());
            let hash = found.hash();
            let verdict = found.narinfo.and_then(|narinfo| self.nars(&narinfo));
            (found.name, hash, nars, verdict)
        };
        scan::narinfos(self.tree, self.jobs, work, |(name, hash, nars, verdict)| {
            seen.narinfos += 1;
            seen.nars += nars as u64;
            match verdict {
                Ok(()) => report.detail(&format!("{name}: whole")),
                Err(reason) => seen.broken.push(Broken { name, hash, reason }),
            }
        })?;
        Ok(seen)
    }

    /// Why a nar that a narinfo lists is not there as it says.
    fn nars(&self, narinfo: &Narinfo) -> Result<(), String> {
        for variant in &narinfo.variants {
            let about = |error: &dyn std::fmt::Display| format!("{}: {error}", variant.url);
            let path = variant.path().map_err(|error| about(&error))?;
            let entry = self.tree.find(path.components());
            let Some(entry) = entry.map_err(|error| about(&error))? else {
                return Err(about(&"it is not there"));
            };
            let checked = match self.deep {
                true => self.hash(&entry.cid, narinfo, variant),
                false => self.size(&entry.cid, variant),
            };
            checked.map_err(|reason| about(&reason))?;
        }
        Ok(())
    }

    fn size(&self, file: &Cid, variant: &Variant) -> Result<(), String> {
        let size = self.tree.file_size(file);
        let size = size.map_err(|error| error.to_string())?;
        match variant.file_size {
            Some(listed) if listed != size => {
                Err(format!("it has {size} bytes, where FileSize says {listed}"))
            }
            _ => Ok(()),
        }
    }

    fn hash(&self, file: &Cid, narinfo: &Narinfo, variant: &Variant) -> Result<(), String> {
        let content = self.node.cat(file).map_err(|error| error.to_string())?;
        let expect = Expect::of(narinfo, variant);
        let mut nar = CheckedNar::new(content, expect).map_err(|error| error.to_string())?;
        match io::copy(&mut nar, &mut io::sink()) {
            Ok(_) => Ok(()),
            Err(error) => Err(match NarError::from_io(&error) {
                Some(error) => error.to_string(),
                None => format!("the node broke off: a block is missing or damaged ({error})"),
            }),
        }
    }
}

/// Fetches what is broken again, publishes the root in which it is whole, and
/// looks at that root.
fn repair(
    global: &Global,
    args: &Verify,
    report: &Report,
    session: &Session,
    seen: Seen,
) -> Result<(Cid, Seen), Failure> {
    let upstreams = upstreams(global)?;
    let stop = Stop::on_signals(&upstreams)?;
    let (mut site, key_state) = session.site(&global.key, &args.publish)?;
    let found = find(&site)?;
    let mut base = adopt(&mut site, found, key_state, None)?;
    let source = Source::new(&upstreams, &stop).only(&args.variants);
    let wanted = seen.broken.iter().filter_map(|broken| {
        let hash = broken.hash?;
        let label = broken.name.clone();
        Some(Wanted { hash, label })
    });
    let mut plan = source.plan_of(global.jobs, wanted.collect())?;
    let mut mirroring = Mirroring {
        site: &site,
        tree: &Tree::new(site.node, base.root),
        transfer: Transfer {
            source: &source,
            jobs: global.jobs,
            report,
            stop: &stop,
        },
        budget: Budget::new(stop.clone(), None, None),
        refusals: &Refusals::open(None),
        engine: Engine::Car,
        may_change_engine: false,
        closure: false,
        overwrite: true,
        batch_items: usize::MAX,
        gone: HashSet::new(),
        done: Done::default(),
    };
    let queue = in_order(std::mem::take(&mut plan.items));
    mirroring.run(&mut base, queue, &mut plan)?;
    let done = mirroring.done;
    if done.published {
        session.announce(&site, &base.root, report);
    }
    let left_out = [&plan.missing, &plan.refused, &plan.broken];
    for LeftOut { item, reason } in left_out.into_iter().flatten() {
        report.error(&format!("{item}: not repaired: {reason}"));
    }
    let check = Check {
        tree: &Tree::new(&session.node, base.root),
        node: &session.node,
        deep: args.deep,
        jobs: global.jobs,
    };
    let mut now = check.root(report)?;
    now.repaired = done.mirrored;
    Ok((base.root, now))
}
