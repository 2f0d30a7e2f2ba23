//! What `sync` and `add` do once they know what is wanted: plan, stage each
//! file through the nar check, graft what is whole and closed, commit.

use super::parallel;
use super::plan::{Item, LeftOut, Plan, Planner, Source, narinfo_name};
use super::session::Session;
use crate::cli::{Global, Mirror, Publish, Wanted};
use crate::failure::{Exit, Failure};
use crate::guix::{CheckedNar, Expect, HashPart, NarError, Upstream};
use crate::ipfs::cid::CidVersion;
use crate::ipfs::directory::{DirectoryError, Entry, TreeError};
use crate::node::{NodeError, Problem};
use crate::publication::graft::{self, Engine, NewFile};
use crate::publication::{
    Base, Committed, Journal, KeyState, PublicationError, Site, Stage, Tree, adopt, chosen, commit,
    find, join, republish, staging,
};
use crate::report::{Report, bytes};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Bound;

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

/// Stages the planned items and gives the files to graft: those of items that
/// are whole, and closed where closures are followed.
fn stage_items(
    told: &Told,
    stage: &Stage,
    planner: &Planner,
    plan: &mut Plan,
) -> Result<Vec<NewFile>, Failure> {
    let stager = Stager {
        stage,
        upstreams: planner.source.upstreams,
        report: told.report,
    };
    let items: Vec<&Item> = plan.items.iter().collect();
    let staged = parallel::map(told.global.jobs, items, |item| {
        (item.narinfo.store_path.hash(), stager.item(item))
    });

    look_ahead(planner, &staged);
    let mut failed = HashMap::new();
    let mut whole: HashMap<HashPart, Vec<NewFile>> = HashMap::new();
    let mut taken: BTreeMap<Vec<String>, Entry> = BTreeMap::new();
    for (hash, outcome) in staged {
        let checked = match outcome {
            Ok(files) => occupied(planner.tree, &mut taken, &files)?.map_or(Ok(files), Err),
            Err(StageError::Refused(reason)) => Err(reason),
            Err(StageError::Node(error)) => return Err(error.into()),
        };
        match checked {
            Ok(files) => {
                whole.insert(hash, files);
            }
            Err(reason) => {
                failed.insert(hash, reason);
            }
        }
    }
    for item in &plan.items {
        if let Some(reason) = failed.get(&item.narinfo.store_path.hash()) {
            plan.refused.push(LeftOut {
                item: item.narinfo.store_path.to_string(),
                reason: reason.clone(),
            });
        }
    }
    plan.items
        .retain(|item| !failed.contains_key(&item.narinfo.store_path.hash()));
    if planner.closure {
        planner.hold_back(plan)?;
    }
    let mut files = Vec::new();
    for item in &plan.items {
        let store_path = &item.narinfo.store_path;
        told.report.detail(&format!("{store_path}"));
        files.extend(whole.remove(&store_path.hash()).unwrap_or_default());
    }
    Ok(files)
}

/// Looks for the new files in the root, several at a time, so that the shards on
/// the way to each are at hand when it is compared and grafted.
fn look_ahead(planner: &Planner, staged: &[(HashPart, Result<Vec<NewFile>, StageError>)]) {
    let items = staged.iter().flat_map(|(_, staged)| staged);
    let paths = items.flatten().map(|file| &file.path).collect();
    // What fails here fails again where it matters.
    parallel::map(planner.jobs, paths, |path: &Vec<String>| {
        planner.tree.find(path).is_ok()
    });
}

/// Why these files cannot be linked: something else, here or in the root, has
/// the name of one, or stands where a directory on its way would have to be.
fn occupied(
    tree: &Tree,
    taken: &mut BTreeMap<Vec<String>, Entry>,
    files: &[NewFile],
) -> Result<Option<String>, Failure> {
    for file in files {
        let path = &file.path;
        let there = match taken.get(path) {
            Some(entry) => Some(*entry),
            None => match tree.find(path) {
                Err(PublicationError::Tree(TreeError::Malformed {
                    reason: DirectoryError::Codec | DirectoryError::NotADirectory(_),
                    ..
                })) => return Ok(Some(format!("a file stands in the way of {}", join(path)))),
                found => found?,
            },
        };
        if there.is_some_and(|entry| entry.cid != file.entry.cid) {
            return Ok(Some(format!(
                "{} is already published with other content",
                join(path)
            )));
        }
        let is_below_a_file = (1..path.len()).any(|at| taken.contains_key(&path[..at]));
        let next = taken.range::<Vec<String>, _>((Bound::Excluded(path), Bound::Unbounded));
        let is_above_a_file = next.take(1).any(|(other, _)| other.starts_with(path));
        if is_below_a_file || is_above_a_file {
            return Ok(Some(format!("a file stands in the way of {}", join(path))));
        }
    }
    taken.extend(files.iter().map(|file| (file.path.clone(), file.entry)));
    Ok(None)
}

struct Stager<'a> {
    stage: &'a Stage<'a>,
    upstreams: &'a [Upstream],
    report: &'a Report,
}

enum StageError {
    /// This item cannot be mirrored; others can.
    Refused(String),
    /// The node fails, so nothing can.
    Node(NodeError),
}

impl Stager<'_> {
    /// Stages an item's narinfo and every nar that it lists: a client takes
    /// whichever it likes best, so all must be there.
    fn item(&self, item: &Item) -> Result<Vec<NewFile>, StageError> {
        let narinfo = &item.narinfo;
        let mut files = Vec::new();
        for variant in &narinfo.variants {
            let refused =
                |reason: String| StageError::Refused(format!("{}: {reason}", variant.url));
            let path = variant.path().map_err(|error| refused(error.to_string()))?;
            let download = self.upstreams[item.upstream]
                .nar(&variant.url)
                .map_err(|error| refused(error.to_string()))?;
            let expect = Expect::of(narinfo, variant);
            let bar = self.report.bar(
                narinfo.store_path.name(),
                variant.file_size.or(download.length),
            );
            let mut checked = CheckedNar::new(bar.wrap_read(download.reader), expect)
                .map_err(|error| refused(error.to_string()))?;
            let staged = self.file(path.components().to_vec(), &mut checked);
            bar.finish_and_clear();
            files.push(staged.map_err(|error| match error {
                StageError::Refused(reason) => refused(reason),
                node => node,
            })?);
        }
        let name = narinfo_name(&narinfo.store_path.hash());
        files.push(self.file(vec![name], &mut narinfo.bytes())?);
        Ok(files)
    }

    fn file(&self, path: Vec<String>, content: &mut dyn io::Read) -> Result<NewFile, StageError> {
        match self.stage.file(content) {
            Ok(added) => Ok(NewFile {
                path,
                entry: Entry {
                    cid: added.cid,
                    size: added.cumulative,
                },
            }),
            Err(NodeError {
                problem: Problem::Source(error),
                ..
            }) => Err(StageError::Refused(match NarError::from_io(&error) {
                Some(nar_error) => nar_error.to_string(),
                None => format!("the download broke off: {error}"),
            })),
            Err(error) => Err(StageError::Node(error)),
        }
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
