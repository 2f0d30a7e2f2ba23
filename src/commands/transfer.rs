//! From the upstream to the node: each planned item's files, through the nar
//! check, and which of them may be grafted.

use super::mirror::Told;
use super::parallel;
use super::plan::{Item, LeftOut, Plan, Planner, narinfo_name};
use super::retry::retry;
use crate::failure::Failure;
use crate::guix::{CheckedNar, Expect, HashPart, NarError, Upstream, Variant};
use crate::ipfs::directory::{DirectoryError, Entry, TreeError};
use crate::node::{NodeError, Problem};
use crate::publication::graft::NewFile;
use crate::publication::{PublicationError, Stage, Tree, join};
use crate::report::Report;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::io;
use std::ops::Bound;

/// Stages the planned items and gives the files to graft: those of items that
/// are whole, and closed where closures are followed.
pub fn stage_items(
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
            Err(StageError::Refused(reason) | StageError::Broken(reason)) => Err(reason),
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
    /// The network or a busy server spoiled it; it may well succeed.
    Broken(String),
    /// The node fails, so nothing can.
    Node(NodeError),
}

impl StageError {
    fn is_transient(&self) -> bool {
        matches!(self, Self::Broken(_))
    }

    /// Says which file it was.
    fn about(self, url: &str) -> Self {
        match self {
            Self::Refused(reason) => Self::Refused(format!("{url}: {reason}")),
            Self::Broken(reason) => Self::Broken(format!("{url}: {reason}")),
            node => node,
        }
    }
}

impl Stager<'_> {
    /// Stages an item's narinfo and every nar that it lists: a client takes
    /// whichever it likes best, so all must be there.
    fn item(&self, item: &Item) -> Result<Vec<NewFile>, StageError> {
        let narinfo = &item.narinfo;
        let mut files = Vec::new();
        for variant in &narinfo.variants {
            let staged = retry(StageError::is_transient, || self.nar(item, variant));
            files.push(staged.map_err(|error| error.about(&variant.url))?);
        }
        let name = narinfo_name(&narinfo.store_path.hash());
        files.push(self.file(vec![name], &mut narinfo.bytes())?);
        Ok(files)
    }

    fn nar(&self, item: &Item, variant: &Variant) -> Result<NewFile, StageError> {
        let narinfo = &item.narinfo;
        let refused = |error: &dyn Display| StageError::Refused(error.to_string());
        let path = variant.path().map_err(|error| refused(&error))?;
        let download = self.upstreams[item.upstream].nar(&variant.url);
        let download = download.map_err(|error| match error.is_transient() {
            true => StageError::Broken(error.to_string()),
            false => refused(&error),
        })?;
        let expect = Expect::of(narinfo, variant);
        let bar = self.report.bar(
            narinfo.store_path.name(),
            variant.file_size.or(download.length),
        );
        let checked = CheckedNar::new(bar.wrap_read(download.reader), expect);
        let mut checked = checked.map_err(|error| refused(&error))?;
        let staged = self.file(path.components().to_vec(), &mut checked);
        bar.finish_and_clear();
        staged
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
            }) => Err(match NarError::from_io(&error) {
                Some(nar_error) => StageError::Refused(nar_error.to_string()),
                None => StageError::Broken(format!("the download broke off: {error}")),
            }),
            Err(error) => Err(StageError::Node(error)),
        }
    }
}
