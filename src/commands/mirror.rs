//! What `sync` and `add` do once they know what is wanted: plan, mirror what is
//! new batch by batch, and sum up.

use super::batch::{Budget, in_order};
use super::mirroring::{Done, Mirroring, engine};
use super::plan::{LeftOut, Plan, Planner, Wishes};
use super::refusals::Refusals;
use super::session::{Session, cache_folder};
use super::source::{Item, Source};
use super::stop::Stop;
use super::transfer::Transfer;
use crate::cli::{Global, Mirror, Publish};
use crate::failure::{Exit, Failure};
use crate::guix::Upstream;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::publication::{Base, Committed, KeyState, Site, Tree, adopt, chosen, find, republish};
use crate::report::{Report, bytes, items};
use serde_json::json;
use std::collections::HashSet;

/// The verb that mirrors, which decides how absent items count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// What the upstream lacks is no failure: it may come.
    Sync,
    /// Each item was named, so each that is not there is a failure.
    Add,
}

/// What both verbs were told.
pub struct Told<'a> {
    /// The verb.
    pub verb: Verb,
    /// Options of every command.
    pub global: &'a Global,
    /// What to mirror.
    pub mirror: &'a Mirror,
    /// How to publish.
    pub publish: &'a Publish,
    /// What speaks.
    pub report: &'a Report,
}

/// Runs a verb; `wanted` lists its items when it has seen what is published.
pub fn run(
    told: &Told,
    upstreams: &[Upstream],
    wanted: impl FnOnce(&Tree) -> Result<Wishes, Failure>,
) -> Result<Exit, Failure> {
    let session = Session::open(told.global)?;
    if told.mirror.dry_run {
        return dry_run(told, &session, upstreams, wanted);
    }
    let stop = Stop::on_signals(upstreams)?;
    if session.key(&told.global.key)?.is_none() {
        session.refuse_beside_self(&told.global.key)?;
    }
    let budget = Budget::new(stop.clone(), told.mirror.max_bytes, told.mirror.max_time);
    let (mut site, key_state) = session.site(&told.global.key, told.publish)?;
    let found = find(&site)?;
    let mut base = adopt(&mut site, found, key_state, told.mirror.base)?;
    if key_state == KeyState::New {
        // A run that is killed after this goes on from here.
        republish(&site, &mut base)?;
    }
    let before = base.published;

    let tree = Tree::new(site.node, base.root);
    let planner = planner(told, &tree, upstreams, &stop);
    let waiting = told.report.waiting("asking what is new");
    let planned = wanted(&tree).and_then(|wanted| planner.plan(wanted));
    drop(waiting);
    let mut plan = match planned {
        // What the signal broke off says nothing about the upstream.
        _ if stop.is_asked() => Plan::default(),
        planned => planned?,
    };
    if !plan.items.is_empty() {
        session.warn_if_full(told.report)?;
    }
    say_plan(told.report, &plan);
    let wish = told.mirror.graft.0;
    let mut mirroring = Mirroring {
        site: &site,
        tree: &tree,
        transfer: Transfer {
            source: &planner.source,
            jobs: told.global.jobs,
            report: told.report,
            stop: &stop,
        },
        budget,
        refusals: &Refusals::open(cache_folder()),
        engine: engine(wish, &tree, &plan)?,
        may_change_engine: wish.is_none(),
        closure: !told.mirror.no_closure,
        overwrite: false,
        batch_items: told.mirror.checkpoint as usize,
        gone: HashSet::new(),
        done: Done::default(),
    };
    let mut queue = in_order(std::mem::take(&mut plan.items));
    if told.verb == Verb::Sync {
        queue = mirroring.without_refused(queue, &mut plan);
    }
    mirroring.run(&mut base, queue, &mut plan)?;
    let committed = republish(&site, &mut base)?;
    mirroring.done.published |= committed == Committed::Published;
    if mirroring.done.published {
        session.announce(&site, &base.root, told.report);
    }
    let run = Run {
        told,
        site: &site,
        base: &base,
        before,
        done: &mirroring.done,
    };
    let exit = run.finish(&plan, mirroring.refusals);
    Ok(stop.exit().unwrap_or(exit))
}

fn dry_run(
    told: &Told,
    session: &Session,
    upstreams: &[Upstream],
    wanted: impl FnOnce(&Tree) -> Result<Wishes, Failure>,
) -> Result<Exit, Failure> {
    // A signal may end this run where it is.
    let stop = &Stop::default();
    let tree = match session.key(&told.global.key)? {
        None => Tree::empty(&session.node, CidVersion::V0),
        Some(key) => {
            let site = session.site_without_publishing(key);
            let found = find(&site)?;
            Tree::new(&session.node, chosen(&site, &found, told.mirror.base)?)
        }
    };
    let plan = planner(told, &tree, upstreams, stop).plan(wanted(&tree)?)?;
    for item in &plan.items {
        let line = match file_bytes(item) {
            Some(size) => format!("{} {}", item.narinfo.store_path, bytes(size)),
            None => item.narinfo.store_path.to_string(),
        };
        told.report.result(&line);
    }
    say_plan(told.report, &plan);
    let left_out = say_left_out(told, &plan, |_| false);
    told.report.sum(&json!({
        "command": name_of(told.verb),
        "dry_run": true,
        "items": plan.items.iter().map(|item| item.narinfo.store_path.to_string()).collect::<Vec<_>>(),
        "files": plan.items.iter().map(|item| item.narinfo.variants.len() + 1).sum::<usize>(),
        "already": plan.already,
        "missing": plan.missing,
        "waiting": plan.waiting,
        "refused": plan.refused,
        "broken": plan.broken,
    }));
    Ok(left_out)
}

fn planner<'a>(
    told: &Told<'a>,
    tree: &'a Tree<'a>,
    upstreams: &'a [Upstream],
    stop: &'a Stop,
) -> Planner<'a> {
    Planner {
        tree,
        source: Source::new(upstreams, stop).within(told.mirror),
        jobs: told.global.jobs,
        closure: !told.mirror.no_closure,
    }
}

fn say_plan(report: &Report, plan: &Plan) {
    if plan.items.is_empty() {
        return;
    }
    let files: usize = plan
        .items
        .iter()
        .map(|item| item.narinfo.variants.len() + 1)
        .sum();
    let known: u64 = plan.items.iter().filter_map(file_bytes).sum();
    let unknown = plan.items.iter().filter(|item| file_bytes(item).is_none());
    let unknown = match unknown.count() {
        0 => String::new(),
        count => format!(", and {} of unknown size", items(count)),
    };
    report.say(&format!(
        "to mirror: {}, {files} files, {} of nars{unknown}",
        items(plan.items.len()),
        bytes(known)
    ));
}

/// The bytes of an item's nars, where its narinfo lists them all.
pub fn file_bytes(item: &Item) -> Option<u64> {
    item.narinfo
        .variants
        .iter()
        .map(|variant| variant.file_size)
        .sum()
}

/// Names what was left out, as loudly as the verb requires. What `was_said`
/// knows is not said again.
fn say_left_out(told: &Told, plan: &Plan, was_said: impl Fn(&LeftOut) -> bool) -> Exit {
    let report = told.report;
    let mut exit = Exit::Done;
    let mut say = |left_out: &LeftOut, loudly: bool, way_out: &str| {
        let line = format!("{}: {}{way_out}", left_out.item, left_out.reason);
        match loudly {
            true => {
                report.error(&line);
                exit = Exit::Partly;
            }
            false => report.detail(&line),
        }
    };
    for refused in &plan.refused {
        say(refused, told.verb == Verb::Add || !was_said(refused), "");
    }
    for broken in &plan.broken {
        say(broken, true, "");
    }
    let by_name = told.verb == Verb::Add;
    if !by_name && !plan.missing.is_empty() {
        let count = items(plan.missing.len());
        report.say(&format!("{count} that no upstream has (yet)"));
    }
    for missing in &plan.missing {
        let way_out = match by_name && !missing.reason.contains('\n') {
            true => "\nsee that it is named rightly; what the farm has not built yet may come",
            false => "",
        };
        say(missing, by_name, way_out);
    }
    for waiting in &plan.waiting {
        say(waiting, by_name, "");
    }
    exit
}

/// A run that is done.
struct Run<'a> {
    told: &'a Told<'a>,
    site: &'a Site<'a>,
    base: &'a Base,
    before: Option<Cid>,
    done: &'a Done,
}

impl Run<'_> {
    /// Sums it up.
    fn finish(&self, plan: &Plan, refusals: &Refusals) -> Exit {
        let Self {
            told,
            site,
            base,
            done,
            ..
        } = self;
        let name = &site.key.id;
        let exit = say_left_out(told, plan, |left_out| {
            refusals.was_said(&left_out.item, &left_out.reason)
        });
        told.report.say(&match done.published {
            true => format!(
                "mirrored {}, {}; /ipns/{name} points to /ipfs/{}",
                items(done.mirrored.len()),
                bytes(done.bytes),
                base.root
            ),
            false => format!("nothing new; /ipns/{name} points to /ipfs/{}", base.root),
        });
        if done.left > 0 {
            let are = if done.left == 1 { "is" } else { "are" };
            let line = format!("{} {are} left for another run", items(done.left));
            told.report.say(&line);
        }
        told.report.sum(&json!({
            "command": name_of(told.verb),
            "key": site.key.name,
            "name": name,
            "root": base.root.to_string(),
            "before": self.before.map(|root| root.to_string()),
            "published": done.published,
            "added": done.mirrored,
            "files": done.files,
            "bytes": done.bytes,
            "left": done.left,
            "already": plan.already,
            "missing": plan.missing,
            "waiting": plan.waiting,
            "refused": plan.refused,
            "broken": plan.broken,
        }));
        exit
    }
}

fn name_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Sync => "sync",
        Verb::Add => "add",
    }
}
