//! A run: items are mirrored batch by batch, and each batch is fetched, admitted,
//! grafted and committed before the next begins.

use super::admission::{Decision, Policy, TakenPlace, decide};
use super::exit::Exit;
use super::failure::Failure;
use super::fetch::FetchOutcome;
use super::grafting::{engine_for, linked};
use super::ledger::{Addition, PageState};
use super::narinfos;
use super::observer::{Event, RunProgress};
use super::plan::Plan;
use super::record::{RunEnd, RunRecord};
use super::request::{Closure, GraftChoice};
use super::run_context::RunContext;
use super::schedule::{BatchGate, Scheduled, next_batch, schedule};
use super::skipped::{SkipReason, Skipped};
use crate::guix::HashPart;
use crate::publication::{
    Base, Committed, Engine, LedgerFiles, Publisher, Stage, Tree, graft, publish_with_rebase,
};
use serde::Serialize;
use std::collections::{HashSet, VecDeque};

/// A run that mirrors items.
pub struct MirrorRun<'a> {
    /// The publication.
    pub publisher: &'a Publisher<'a>,
    /// The surroundings of the run.
    pub context: &'a RunContext<'a>,
    /// The part of the run in the ledger. A repair has none.
    pub record: Option<&'a RunRecord<'a>>,
    /// The way of grafting.
    pub graft: GraftChoice,
    /// The treatment of places that are taken.
    pub taken_place: TakenPlace,
    /// Items in a batch.
    pub batch_items: usize,
}

/// The state of a run between two batches.
struct Batches<'r> {
    run: &'r MirrorRun<'r>,
    /// The way of grafting the next one.
    engine: Engine,
    /// Items that are left out of the whole run.
    excluded: HashSet<HashPart>,
    /// The result so far.
    result: RunResult,
}

/// A batch, and its place in the run.
struct BatchContext<'b> {
    batch: &'b [Scheduled],
    /// The items after it.
    rest: &'b VecDeque<Scheduled>,
    plan: &'b Plan,
    progress: &'b dyn RunProgress,
}

/// The result of a run.
#[derive(Debug, Default, Serialize)]
pub struct RunResult {
    /// The store paths that were mirrored.
    #[serde(rename = "added")]
    pub mirrored: Vec<String>,
    /// Their store hashes.
    #[serde(skip)]
    pub hashes: Vec<HashPart>,
    /// The number of their files.
    pub files: usize,
    /// The bytes of those, as they are stored.
    pub bytes: u64,
    /// A root was published.
    pub published: bool,
    /// The number of items that are left for another run.
    pub left: usize,
}

impl MirrorRun<'_> {
    /// Mirrors the items of the plan, as far as the budget goes, and adds to it those
    /// that were left out.
    ///
    /// # Errors
    /// The reason why the run stops; batches before are published.
    pub fn run(&self, base: &mut Base, plan: &mut Plan) -> Result<RunResult, Failure> {
        let mut batches = Batches {
            run: self,
            engine: engine_for(self.graft, self.context.tree, plan)?,
            excluded: HashSet::new(),
            result: RunResult::default(),
        };
        let queue = schedule(std::mem::take(&mut plan.items));
        batches.all(base, queue, plan)?;
        Ok(batches.result)
    }
}

impl Batches<'_> {
    fn all(
        &mut self,
        base: &mut Base,
        mut queue: VecDeque<Scheduled>,
        plan: &mut Plan,
    ) -> Result<(), Failure> {
        let bytes = queue.iter().filter_map(|next| next.item.file_bytes());
        let bytes = bytes.fold(0, u64::saturating_add);
        let progress = self.run.context.observer.progress(queue.len(), bytes);
        while !queue.is_empty() && !self.run.context.budget.is_spent() {
            let batch = next_batch(&mut queue, self.run.batch_items);
            let batch = self.without_excluded(batch, plan);
            let context = BatchContext {
                batch: &batch,
                rest: &queue,
                plan,
                progress: &*progress,
            };
            let decisions = self.batch(base, &context)?;
            let mut later = Vec::new();
            let mut skipped = Vec::new();
            for (scheduled, decision) in batch.into_iter().zip(decisions) {
                let path = &scheduled.item.narinfo.store_path;
                match decision {
                    Decision::Link => {
                        self.run.context.observer.notify(Event::Published(path));
                        self.result.mirrored.push(path.to_string());
                        self.result.hashes.push(path.hash());
                    }
                    Decision::Skip(reason) => {
                        skipped.push(path.hash());
                        plan.skip(path, reason);
                    }
                    Decision::Later => later.push(scheduled),
                }
            }
            // An item that a repair does not get is published all the same.
            let published =
                narinfos::published(&self.run.context.tree.at(base.root), skipped.clone())?;
            self.excluded.extend(skipped);
            self.excluded.retain(|item| !published.contains(item));
            for scheduled in later.into_iter().rev() {
                queue.push_front(scheduled);
            }
        }
        plan.left.extend(queue.iter().map(Scheduled::hash));
        Ok(())
    }

    /// Takes out items that refer to one that is left out, before they are fetched.
    fn without_excluded(&mut self, batch: Vec<Scheduled>, plan: &mut Plan) -> Vec<Scheduled> {
        if self.run.context.closure == Closure::ItemOnly {
            return batch;
        }
        let mut kept = Vec::new();
        for scheduled in batch {
            let narinfo = &scheduled.item.narinfo;
            let mut references = narinfo.references.iter();
            match references.find(|path| self.excluded.contains(&path.hash())) {
                None => kept.push(scheduled),
                Some(path) => {
                    self.excluded.insert(narinfo.store_path.hash());
                    let reason = SkipReason::WaitsFor(path.clone());
                    plan.skip(&narinfo.store_path, reason);
                }
            }
        }
        kept
    }

    /// Mirrors a batch and commits it.
    fn batch(&mut self, base: &mut Base, context: &BatchContext) -> Result<Vec<Decision>, Failure> {
        let (before, begun) = (base.root, self.run.context.budget.begun_bytes());
        let decided = self.batch_with_engine(base, context);
        let Err(error) = decided else {
            return decided;
        };
        let is_final = self.run.graft != GraftChoice::Auto
            || self.engine == Engine::Car
            || !error.is_of_node()
            || error.exit() != Exit::Failed;
        if is_final || base.root != before {
            return Err(error);
        }
        // Nothing is pinned: the collector was quicker, or the node no longer has
        // add-link. CAR has neither problem.
        let event = Event::EngineChanged(&error);
        self.run.context.observer.notify(event);
        self.engine = Engine::Car;
        self.run.context.budget.go_back_to(begun);
        let decisions = self.batch_with_engine(base, context)?;
        let is_begun = decisions
            .iter()
            .any(|decision| *decision != Decision::Later);
        match is_begun || self.run.context.budget.is_interrupted() {
            true => Ok(decisions),
            // The time is over, and the next run would come no further.
            false => Err(error),
        }
    }

    fn batch_with_engine(
        &mut self,
        base: &mut Base,
        context: &BatchContext,
    ) -> Result<Vec<Decision>, Failure> {
        let BatchContext {
            batch, progress, ..
        } = *context;
        let gate = BatchGate::new(self.run.context.budget);
        let policy = Policy {
            closure: self.run.context.closure,
            taken_place: self.run.taken_place,
            excluded: &self.excluded,
        };
        let (publisher, engine) = (self.run.publisher, self.engine);
        let mut fetched: Option<Vec<FetchOutcome>> = None;
        let mut decisions = Vec::new();
        let mut files = Vec::new();
        let work = |tree: &Tree, stage: &Stage, ledger: &mut LedgerFiles| {
            let outcomes = match &fetched {
                Some(outcomes) => outcomes,
                None => fetched.insert(self.run.context.fetch(batch, &gate, stage, progress)?),
            };
            progress.publishing();
            decisions = decide(policy, tree, batch, outcomes)?;
            files = linked(outcomes, &decisions);
            self.record(context, &decisions, tree, ledger)?;
            self.note_additions(batch, &decisions, tree, ledger)?;
            match files.is_empty() {
                true => Ok(None),
                false => Ok::<_, Failure>(Some(graft(engine, tree, stage, &files)?)),
            }
        };
        let committed = publish_with_rebase(publisher, base, self.run.context.tree, engine, work)?;
        self.result.published |= committed == Committed::Published;
        self.result.files += files.len();
        let bytes = files.iter().map(|file| file.entry.size);
        self.result.bytes = bytes.fold(self.result.bytes, u64::saturating_add);
        Ok(decisions)
    }

    /// Records the items that the tree lacks and that are linked, for the page.
    fn note_additions(
        &self,
        batch: &[Scheduled],
        decisions: &[Decision],
        tree: &Tree,
        ledger: &mut LedgerFiles,
    ) -> Result<(), Failure> {
        if !PageState::is_kept(ledger) {
            return Ok(());
        }
        let linked = batch.iter().zip(decisions);
        let linked = linked.filter(|(_, decision)| **decision == Decision::Link);
        // Those come last that others refer to.
        let linked: Vec<&Scheduled> = linked.map(|(scheduled, _)| scheduled).rev().collect();
        let before = narinfos::published(tree, linked.iter().map(|scheduled| scheduled.hash()))?;
        let new = linked
            .into_iter()
            .filter(|scheduled| !before.contains(&scheduled.hash()));
        let new = new.map(|scheduled| {
            let narinfo = &scheduled.item.narinfo;
            Addition {
                hash: scheduled.hash(),
                name: narinfo.store_path.name().to_owned(),
                bytes: narinfo.nar_size,
                at: self.run.context.now,
            }
        });
        let mut state = PageState::read(tree.node(), ledger)?;
        state.add(new.collect());
        state.write(ledger);
        Ok(())
    }

    /// Writes the run into the ledger as if it ended with this batch: a kill later
    /// loses nothing of it.
    fn record(
        &self,
        context: &BatchContext,
        decisions: &[Decision],
        tree: &Tree,
        ledger: &mut LedgerFiles,
    ) -> Result<(), Failure> {
        let Some(record) = self.run.record else {
            return Ok(());
        };
        let mut mirrored = self.result.hashes.clone();
        let mut skipped = Vec::new();
        let mut left: Vec<HashPart> = context.rest.iter().map(Scheduled::hash).collect();
        for (scheduled, decision) in context.batch.iter().zip(decisions) {
            match decision {
                Decision::Link => mirrored.push(scheduled.hash()),
                Decision::Later => left.push(scheduled.hash()),
                Decision::Skip(reason) => {
                    let path = &scheduled.item.narinfo.store_path;
                    skipped.push(Skipped::new(path, reason.clone()));
                }
            }
        }
        left.extend(&context.plan.left);
        let end = RunEnd {
            mirrored,
            settled: &context.plan.settled,
            skipped: context.plan.skipped.iter().chain(&skipped).collect(),
            left,
            is_endless: false,
        };
        record.write(&end, tree, ledger).map(|_| ())
    }
}
