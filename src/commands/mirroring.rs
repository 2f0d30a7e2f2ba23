//! Mirrors a queue of items, batch by batch: each is transferred, settled,
//! grafted and committed before the next begins.

use super::batch::{Budget, Gate, Queued, next_batch};
use super::mirror::file_bytes;
use super::plan::{LeftOut, Plan, narinfo_name};
use super::refusals::Refusals;
use super::settle::{Fate, Rules, settle, waits_for};
use super::transfer::{Outcome, Transfer};
use crate::failure::{Exit, Failure};
use crate::guix::HashPart;
use crate::ipfs::directory::Entry;
use crate::publication::graft::{self, Engine, NewFile};
use crate::publication::{Base, Committed, Site, Stage, Tree, transact};
use crate::report::Progress;
use std::collections::{HashSet, VecDeque};

/// A run that mirrors items.
pub struct Mirroring<'a> {
    /// Where they are published.
    pub site: &'a Site<'a>,
    /// A tree of the node, for what was read of it.
    pub tree: &'a Tree<'a>,
    /// How they are transferred.
    pub transfer: Transfer<'a>,
    /// What the run may begin.
    pub budget: Budget,
    /// What was refused lately.
    pub refusals: &'a Refusals,
    /// How files are grafted.
    pub engine: Engine,
    /// Whether to go over to CAR where add-link fails.
    pub may_change_engine: bool,
    /// Whether an item must come with all that it refers to.
    pub closure: bool,
    /// Whether other content may be replaced.
    pub overwrite: bool,
    /// How many items a batch has.
    pub batch_items: usize,
    /// Items that stay out.
    pub gone: HashSet<HashPart>,
    /// What was done.
    pub done: Done,
}

/// What a run did.
#[derive(Debug, Default)]
pub struct Done {
    /// The store paths that were mirrored.
    pub mirrored: Vec<String>,
    /// How many files they have.
    pub files: usize,
    /// Their bytes, as they are stored.
    pub bytes: u64,
    /// Whether anything was published.
    pub published: bool,
    /// How many items were left for another run.
    pub left: usize,
}

impl Mirroring<'_> {
    /// Mirrors what is queued, as far as the budget goes, and names in `plan`
    /// what was left out.
    ///
    /// # Errors
    /// What stops the run; batches before are published.
    pub fn run(
        &mut self,
        base: &mut Base,
        mut queue: VecDeque<Queued>,
        plan: &mut Plan,
    ) -> Result<(), Failure> {
        let bytes = queue.iter().filter_map(|queued| file_bytes(&queued.item));
        let progress = self.transfer.report.progress(queue.len(), bytes.sum());
        while !queue.is_empty() && !self.budget.is_spent() {
            let batch = next_batch(&mut queue, self.batch_items);
            let batch = self.without_gone(batch, plan);
            let fates = self.batch(base, &batch, &progress)?;
            let mut later = Vec::new();
            for (queued, fate) in batch.into_iter().zip(fates) {
                let path = &queued.item.narinfo.store_path;
                let left_out = |reason| LeftOut {
                    item: path.to_string(),
                    reason,
                };
                match fate {
                    Fate::Linked => {
                        self.transfer.report.detail(&path.to_string());
                        self.done.mirrored.push(path.to_string());
                    }
                    Fate::Refused(reason, lasting) => {
                        self.gone.insert(path.hash());
                        if lasting {
                            let upstream = &self.transfer.source.upstreams[queued.item.upstream];
                            self.refusals.remember_item(&queued.item, upstream, &reason);
                            plan.refused.push(left_out(reason));
                        } else {
                            plan.broken.push(left_out(reason));
                        }
                    }
                    Fate::Waiting(reason) => {
                        self.gone.insert(path.hash());
                        plan.waiting.push(left_out(reason));
                    }
                    Fate::Later => later.push(queued),
                }
            }
            for queued in later.into_iter().rev() {
                queue.push_front(queued);
            }
        }
        self.done.left = queue.len();
        Ok(())
    }

    /// The queue without what was refused lately, which `plan` then names.
    pub fn without_refused(
        &mut self,
        queue: VecDeque<Queued>,
        plan: &mut Plan,
    ) -> VecDeque<Queued> {
        let mut kept = VecDeque::new();
        for queued in queue {
            let item = &queued.item;
            let upstream = &self.transfer.source.upstreams[item.upstream];
            match self.refusals.of_item(item, upstream) {
                None => kept.push_back(queued),
                Some(reason) => {
                    let path = &item.narinfo.store_path;
                    self.gone.insert(path.hash());
                    plan.refused.push(LeftOut {
                        item: path.to_string(),
                        reason,
                    });
                }
            }
        }
        kept
    }

    /// Takes out what refers to something that stays out, before it is fetched.
    fn without_gone(&mut self, batch: Vec<Queued>, plan: &mut Plan) -> Vec<Queued> {
        if !self.closure {
            return batch;
        }
        let mut kept = Vec::new();
        for queued in batch {
            let narinfo = &queued.item.narinfo;
            let mut references = narinfo.references.iter();
            match references.find(|path| self.gone.contains(&path.hash())) {
                Some(path) => {
                    self.gone.insert(narinfo.store_path.hash());
                    plan.waiting.push(LeftOut {
                        item: narinfo.store_path.to_string(),
                        reason: waits_for(path),
                    });
                }
                None => kept.push(queued),
            }
        }
        kept
    }

    /// Mirrors a batch and commits it.
    fn batch(
        &mut self,
        base: &mut Base,
        batch: &[Queued],
        progress: &Progress,
    ) -> Result<Vec<Fate>, Failure> {
        let before = base.root;
        let done = self.batch_with_engine(base, batch, progress);
        let Err(error @ (Failure::Node(_) | Failure::Publication(_))) = done else {
            return done;
        };
        let is_over = !self.may_change_engine || error.exit() != Exit::Failed;
        if self.engine == Engine::Car || is_over || base.root != before {
            return Err(error);
        }
        // Nothing is pinned: the collector was quicker, or the node does not
        // know add-link any more. CAR has neither problem.
        let text = format!("{error}; once more with --graft car");
        self.transfer.report.detail(&text);
        self.engine = Engine::Car;
        self.batch_with_engine(base, batch, progress)
    }

    fn batch_with_engine(
        &mut self,
        base: &mut Base,
        batch: &[Queued],
        progress: &Progress,
    ) -> Result<Vec<Fate>, Failure> {
        let gate = Gate::new(&self.budget);
        let rules = Rules {
            closure: self.closure,
            overwrite: self.overwrite,
            gone: &self.gone,
        };
        let mut outcomes: Option<Vec<Outcome>> = None;
        let mut fates = Vec::new();
        let mut files = Vec::new();
        let committed = transact(self.site, base, self.tree, self.engine, |tree, stage| {
            let outcomes = match &outcomes {
                Some(outcomes) => outcomes,
                None => outcomes.insert(self.transfer.fetch(batch, &gate, stage, progress)?),
            };
            progress.publishing();
            look_ahead(tree, self.transfer.jobs, outcomes);
            fates = settle(rules, tree, batch, outcomes)?;
            files = linked(outcomes, &fates);
            graft_files(self.site, self.engine, tree, stage, &files)
        })?;
        self.done.published |= committed == Committed::Published;
        self.done.files += files.len();
        self.done.bytes += files.iter().map(|file| file.entry.size).sum::<u64>();
        Ok(fates)
    }
}

/// The files of the items that are linked.
fn linked(outcomes: &[Outcome], fates: &[Fate]) -> Vec<NewFile> {
    let mut files = Vec::new();
    for (outcome, fate) in outcomes.iter().zip(fates) {
        if let (Outcome::Whole(of_item), Fate::Linked) = (outcome, fate) {
            files.extend_from_slice(of_item);
        }
    }
    files
}

/// The root with the files in it; none where there are no files.
fn graft_files(
    site: &Site,
    engine: Engine,
    tree: &Tree,
    stage: &Stage,
    files: &[NewFile],
) -> Result<Option<Entry>, Failure> {
    if files.is_empty() {
        return Ok(None);
    }
    Ok(Some(match engine {
        Engine::AddLink => graft::add_link(site.node, tree, files)?,
        Engine::Car => graft::car(tree, files, &mut |cid, block| stage.block(&cid, &block))?,
    }))
}

/// Looks for the new files in the root, several at a time, so that the shards on
/// the way to each are at hand when it is compared and grafted.
fn look_ahead(tree: &Tree, jobs: u16, outcomes: &[Outcome]) {
    let files = outcomes.iter().flat_map(|outcome| match outcome {
        Outcome::Whole(files) => files.as_slice(),
        _ => &[],
    });
    let paths = files.map(|file| &file.path).collect();
    // What fails here fails again where it matters.
    super::parallel::map(jobs, paths, |path: &Vec<String>| tree.find(path).is_ok());
}

/// The engine for what is planned. A wish for add-link that cannot be fulfilled
/// is found out here, before anything is fetched.
pub fn engine(wish: Option<Engine>, tree: &Tree, plan: &Plan) -> Result<Engine, Failure> {
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
