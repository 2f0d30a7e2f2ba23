//! What `sync` and `add` do once they know what is wanted: plan, stage each
//! file through the nar check, graft what is whole and closed, commit.

use super::parallel;
use super::plan::{Item, LeftOut, Plan, Planner, narinfo_name};
use super::session::Session;
use crate::cli::{Global, Mirror, Publish, Wanted};
use crate::failure::{Exit, Failure};
use crate::guix::{CheckedNar, Expect, HashPart, NarError, Upstream};
use crate::ipfs::cid::CidVersion;
use crate::ipfs::directory::Entry;
use crate::node::{Node, NodeError, Problem};
use crate::publication::graft::{NewFile, add_link};
use crate::publication::{Base, Committed, KeyState, Site, Tree, adopt, chosen, commit, find};
use crate::publication::{join, stage};
use crate::report::{Report, bytes};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::io;

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
        .map(|url| Ok(Upstream::new(url, global.connect_timeout, global.read_timeout)?))
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
    let (key, key_state) = session.key_or_new(&told.global.key)?;
    let _lock = session.lock(&key)?;
    let site = session.site(key, told.publish)?;
    let mut base = adopt(&site, find(&site)?, key_state, told.mirror.base)?;
    if key_state == KeyState::New {
        // A run that is killed after this goes on from here.
        let root = base.root;
        commit(&site, &mut base, root)?;
    }
    let before = base.published;

    let tree = Tree::new(site.node, base.root);
    let planner = planner(told, &tree, upstreams);
    let mut plan = planner.plan(wanted(&tree)?)?;
    say_plan(told.report, &plan);
    let files = mirror(told, &site, &planner, &mut plan)?;

    let root = match files.is_empty() {
        true => base.root,
        false => add_link(site.node, &tree, &files)?,
    };
    let committed = commit(&site, &mut base, root)?;
    Ok(finish(told, &site, &base, before, committed, &plan, &files))
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
        upstreams,
        jobs: told.global.jobs,
        closure: !told.mirror.no_closure,
        max_nar_size: told.mirror.max_nar_size,
    }
}

/// Stages the planned items and gives the files to graft: those of items that
/// are whole, and closed where closures are followed.
fn mirror(
    told: &Told,
    site: &Site,
    planner: &Planner,
    plan: &mut Plan,
) -> Result<Vec<NewFile>, Failure> {
    let version = CidVersion::of(&planner.tree.root);
    let stager = Stager {
        node: site.node,
        version,
        upstreams: planner.upstreams,
        report: told.report,
    };
    let items: Vec<&Item> = plan.items.iter().collect();
    let staged = parallel::map(told.global.jobs, items, |item| {
        (item.narinfo.store_path.hash(), stager.item(item))
    });

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

/// Why these files cannot be linked: another item's file, here or in the root,
/// has the name and other content.
fn occupied(
    tree: &Tree,
    taken: &mut BTreeMap<Vec<String>, Entry>,
    files: &[NewFile],
) -> Result<Option<String>, Failure> {
    for file in files {
        let there = match taken.get(&file.path) {
            Some(entry) => Some(*entry),
            None => tree.find(&file.path)?,
        };
        if there.is_some_and(|entry| entry.cid != file.entry.cid) {
            return Ok(Some(format!(
                "{} is already published with other content",
                join(&file.path)
            )));
        }
    }
    taken.extend(files.iter().map(|file| (file.path.clone(), file.entry)));
    Ok(None)
}

struct Stager<'a> {
    node: &'a Node,
    version: CidVersion,
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
            let refused = |reason: String| {
                StageError::Refused(format!("{}: {reason}", variant.url))
            };
            let path = variant.path().map_err(|error| refused(error.to_string()))?;
            let download = self.upstreams[item.upstream]
                .nar(&variant.url)
                .map_err(|error| refused(error.to_string()))?;
            let expect = Expect {
                compression: &variant.compression,
                file_size: variant.file_size,
                nar_hash: narinfo.nar_hash,
                nar_size: narinfo.nar_size,
            };
            let bar = self
                .report
                .bar(narinfo.store_path.name(), variant.file_size.or(download.length));
            let mut checked = CheckedNar::new(bar.wrap_read(download.reader), expect)
                .map_err(|error| refused(error.to_string()))?;
            let staged = self.file(path.components, &mut checked);
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

    fn file(
        &self,
        path: Vec<String>,
        content: &mut dyn io::Read,
    ) -> Result<NewFile, StageError> {
        match stage(self.node, self.version, content) {
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
    let files: usize = plan.items.iter().map(|item| item.narinfo.variants.len() + 1).sum();
    let known: u64 = plan.items.iter().filter_map(file_bytes).sum();
    report.say(&format!(
        "to mirror: {} items, {files} files, {} of nars",
        plan.items.len(),
        bytes(known)
    ));
}

/// The bytes of an item's nars, where its narinfo lists them all.
fn file_bytes(item: &Item) -> Option<u64> {
    item.narinfo.variants.iter().map(|variant| variant.file_size).sum()
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
