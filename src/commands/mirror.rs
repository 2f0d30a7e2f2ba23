//! What `sync` and `add` do once they know what is wanted: plan, stage each
//! file through the nar check, graft what is whole and closed, commit.

use super::plan::{Item, LeftOut, Plan, Planner, Source, narinfo_name};
use super::session::Session;
use super::transfer::stage_items;
use crate::cli::{Global, Mirror, Publish, Wanted};
use crate::failure::{Exit, Failure};
use crate::guix::Upstream;
use crate::ipfs::cid::CidVersion;
use crate::publication::graft::{self, Engine, NewFile};
use crate::publication::{
    Base, Committed, Journal, KeyState, Site, Tree, adopt, chosen, commit, find, republish, staging,
};
use crate::report::{Report, bytes};
use serde_json::json;

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

/// The substitute servers to take from, in order.
pub fn upstreams(global: &Global) -> Result<Vec<Upstream>, Failure> {
    global
        .upstreams
        .iter()
        .map(|url| {
            Ok(Upstream::new(
                url,
                global.connect_timeout,
                global.read_timeout,
            )?)
        })
        .collect()
}

/// Runs a verb; `wanted` lists its items when it has seen what is published.
pub fn run(
    told: &Told,
    upstreams: &[Upstream],
    wanted: impl FnOnce(&Tree) -> Result<Vec<Wanted>, Failure>,
) -> Result<Exit, Failure> {
    let session = Session::open(told.global)?;
    if told.mirror.dry_run {
        return dry_run(told, &session, upstreams, wanted);
    }
    if session.key(&told.global.key)?.is_none() {
        session.refuse_beside_self(&told.global.key)?;
    }
    let (mut site, key_state) = session.site(&told.global.key, told.publish)?;
    let found = find(&site)?;
    let mut base = adopt(&mut site, found, key_state, told.mirror.base)?;
    if key_state == KeyState::New {
        // A run that is killed after this goes on from here.
        republish(&site, &mut base)?;
    }
    let before = base.published;

    let tree = Tree::new(site.node, base.root);
    let planner = planner(told, &tree, upstreams);
    let mut plan = planner.plan(wanted(&tree)?)?;
    say_plan(told.report, &plan);
    let wish = told.mirror.graft.0;
    let engine = engine(wish, &tree, &plan)?;
    let mut done = mirror_with(engine, told, &site, &mut base, &planner, &mut plan);
    if engine == Engine::AddLink && wish.is_none() && base.root == tree.root {
        // Nothing is pinned: the collector was quicker, or the node does not
        // know add-link any more. CAR has neither problem.
        if let Err(error @ (Failure::Node(_) | Failure::Publication(_))) = &done
            && error.exit() == Exit::Failed
        {
            told.report
                .detail(&format!("{error}; once more with --graft car"));
            done = mirror_with(Engine::Car, told, &site, &mut base, &planner, &mut plan);
        }
    }
    let (files, committed) = done?;
    Ok(finish(told, &site, &base, before, committed, &plan, &files))
}

/// Stages, grafts and commits what is planned.
fn mirror_with(
    engine: Engine,
    told: &Told,
    site: &Site,
    base: &mut Base,
    planner: &Planner,
    plan: &mut Plan,
) -> Result<(Vec<NewFile>, Committed), Failure> {
    let tree = planner.tree;
    let version = CidVersion::of(&tree.root);
    let ((files, journal), staged) = staging(site, version, engine, |stage| {
        let files = stage_items(told, stage, planner, plan)?;
        if files.is_empty() {
            return Ok((files, None));
        }
        let root = match engine {
            Engine::AddLink => graft::add_link(site.node, tree, &files)?,
            Engine::Car => graft::car(tree, &files, &mut |cid, block| stage.block(&cid, &block))?,
        };
        let newest = base.journals.first();
        let (journal, blocks) = Journal::compose(&site.key.id, &root, base.published, newest);
        for (cid, block) in blocks {
            stage.block(&cid, &block)?;
        }
        Ok::<_, Failure>((files, Some(journal)))
    })?;
    let committed = match journal {
        Some(journal) => commit(site, base, journal),
        None => republish(site, base),
    };
    site.drop_staging(&staged.staging)?;
    Ok((files, committed?))
}

/// How to graft what is planned. A wish for add-link that cannot be fulfilled is
/// found out here, before anything is fetched.
fn engine(wish: Option<Engine>, tree: &Tree, plan: &Plan) -> Result<Engine, Failure> {
    let mut paths = Vec::new();
    for item in &plan.items {
        paths.push(vec![narinfo_name(&item.narinfo.store_path.hash())]);
        for variant in &item.narinfo.variants {
            // Planned items have only valid paths.
            paths.extend(variant.path().map(|path| path.components().to_vec()));
        }
    }
    let paths = paths.iter().map(Vec::as_slice);
    match wish {
        None => Ok(graft::choose(tree, paths)?),
        Some(Engine::Car) => Ok(Engine::Car),
        Some(Engine::AddLink) => {
            graft::require_plain(tree, paths)?;
            Ok(Engine::AddLink)
        }
    }
}

fn dry_run(
    told: &Told,
    session: &Session,
    upstreams: &[Upstream],
    wanted: impl FnOnce(&Tree) -> Result<Vec<Wanted>, Failure>,
) -> Result<Exit, Failure> {
    let tree = match session.key(&told.global.key)? {
        None => Tree::empty(&session.node, CidVersion::V0),
        Some(key) => {
            let site = session.site_without_publishing(key);
            let found = find(&site)?;
            Tree::new(&session.node, chosen(&site, &found, told.mirror.base)?)
        }
    };
    let plan = planner(told, &tree, upstreams).plan(wanted(&tree)?)?;
    for item in &plan.items {
        let line = match file_bytes(item) {
            Some(size) => format!("{} {}", item.narinfo.store_path, bytes(size)),
            None => item.narinfo.store_path.to_string(),
        };
        told.report.result(&line);
    }
    say_plan(told.report, &plan);
    let left_out = say_left_out(told, &plan);
    told.report.sum(&json!({
        "command": name_of(told.verb),
        "dry_run": true,
        "items": plan.items.iter().map(|item| item.narinfo.store_path.to_string()).collect::<Vec<_>>(),
        "files": plan.items.iter().map(|item| item.narinfo.variants.len() + 1).sum::<usize>(),
        "already": plan.already,
        "missing": plan.missing,
        "waiting": plan.waiting,
        "refused": plan.refused,
    }));
    Ok(left_out)
}

fn planner<'a>(told: &Told, tree: &'a Tree<'a>, upstreams: &'a [Upstream]) -> Planner<'a> {
    Planner {
        tree,
        source: Source {
            upstreams,
            max_nar_size: told.mirror.max_nar_size,
        },
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
    report.say(&format!(
        "to mirror: {} items, {files} files, {} of nars",
        plan.items.len(),
        bytes(known)
    ));
}

/// The bytes of an item's nars, where its narinfo lists them all.
fn file_bytes(item: &Item) -> Option<u64> {
    item.narinfo
        .variants
        .iter()
        .map(|variant| variant.file_size)
        .sum()
}

/// Names what was left out, as loudly as the verb requires.
fn say_left_out(told: &Told, plan: &Plan) -> Exit {
    let report = told.report;
    for LeftOut { item, reason } in &plan.refused {
        report.error(&format!("{item}: {reason}"));
    }
    for LeftOut { item, reason } in plan.missing.iter().chain(&plan.waiting) {
        match told.verb {
            Verb::Add => report.error(&format!("{item}: {reason}")),
            Verb::Sync => report.detail(&format!("{item}: {reason}")),
        }
    }
    let absent = told.verb == Verb::Add && !(plan.missing.is_empty() && plan.waiting.is_empty());
    match absent || !plan.refused.is_empty() {
        true => Exit::Partly,
        false => Exit::Done,
    }
}

fn finish(
    told: &Told,
    site: &Site,
    base: &Base,
    before: Option<crate::ipfs::cid::Cid>,
    committed: Committed,
    plan: &Plan,
    files: &[NewFile],
) -> Exit {
    let size: u64 = files.iter().map(|file| file.entry.size).sum();
    told.report.say(&match committed {
        Committed::Published => format!(
            "mirrored {} items, {}; /ipns/{} points to /ipfs/{}",
            plan.items.len(),
            bytes(size),
            site.key.id,
            base.root
        ),
        Committed::Unchanged => format!(
            "nothing new; /ipns/{} points to /ipfs/{}",
            site.key.id, base.root
        ),
    });
    let exit = say_left_out(told, plan);
    told.report.sum(&json!({
        "command": name_of(told.verb),
        "key": site.key.name,
        "name": site.key.id,
        "root": base.root.to_string(),
        "before": before.map(|root| root.to_string()),
        "published": committed == Committed::Published,
        "mirrored": plan.items.iter().map(|item| item.narinfo.store_path.to_string()).collect::<Vec<_>>(),
        "files": files.len(),
        "bytes": size,
        "already": plan.already,
        "missing": plan.missing,
        "waiting": plan.waiting,
        "refused": plan.refused,
    }));
    exit
}

fn name_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Sync => "sync",
        Verb::Add => "add",
    }
}
