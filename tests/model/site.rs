//! A node with two users, who mirror two farms under one key.

use crate::farm::{SYSTEM, World};
use crate::item::{ItemId, Minute};
use crate::ledger::Ledger;
use crate::served::ServedFarm;
use crate::silent::Silent;
use crate::support::TestNode;
use crate::terms::{Counts, End, RunKind, Terms, killable};
use crate::wanted::Wanted;
use guix_ipfs::mirror::{
    Closure, Failure, ItemFilter, ItemRef, ItemSelection, ItemSpec, MirrorRequest, MirrorSummary,
    Pauses, RetentionRule, RunLimits, mirror,
};
use guix_ipfs::publication::{PublicationLog, PublisherOptions};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The time at which the farms begin.
const BEGINNING: Duration = Duration::from_secs(1_800_000_000);

/// The key that all publish under.
pub const KEY: &str = "model";

pub struct Site<'n> {
    pub node: &'n TestNode,
    pub world: Arc<World>,
    pub farms: Vec<ServedFarm>,
    /// The lock folders of the users.
    pub users: Vec<TempDir>,
    pub wanted: Wanted,
    pub counts: Counts,
    pub now: Minute,
    seed: u64,
    day: u64,
    /// The acts of the day and the day before, printed when the test fails.
    log: Vec<String>,
    /// The number of those that were the day before.
    acts_before: usize,
    /// The calls of a run of late.
    pub calls: usize,
    /// The rule that each `sync` obeys.
    pub rule: Option<RetentionRule>,
}

impl<'n> Site<'n> {
    pub fn new(node: &'n TestNode, seed: u64, world: World) -> Self {
        let world = Arc::new(world);
        Self {
            node,
            farms: (0..world.farms.len())
                .map(|number| ServedFarm::new(&world, number))
                .collect(),
            users: (0..2).map(|_| tempfile::tempdir().unwrap()).collect(),
            wanted: Wanted::new(&world),
            counts: Counts::default(),
            now: 0,
            seed,
            day: 0,
            log: Vec::new(),
            acts_before: 0,
            calls: 40,
            rule: None,
            world,
        }
    }

    pub fn begin_day(&mut self, day: u64) {
        self.day = day;
        self.log = self.log.split_off(self.acts_before);
        self.acts_before = self.log.len();
    }

    pub fn log(&mut self, act: String) {
        self.log.push(format!("minute {}: {act}", self.now));
    }

    pub fn set_now(&mut self, now: Minute) {
        self.now = now;
        for farm in &mut self.farms {
            farm.set_now(now);
        }
        for farm in 0..self.farms.len() {
            if self.is_answering(farm) {
                self.wanted.note_list(farm, now);
            }
        }
    }

    /// All that happened, with the state at the end.
    pub fn sum_up(mut self) -> Counts {
        self.counts.wanted = self.wanted.possible.len();
        self.counts.published = self.wanted.published.len();
        self.counts.removed = self.wanted.removed.len();
        let ledger = Ledger::of(self.node);
        self.counts.ledger_bytes = ledger.bytes;
        let owed = ledger.owed.into_values();
        self.counts.owed = owed.filter(|owed| !owed.given_up).count();
        self.counts.given_up = self.wanted.given_up.len();
        std::mem::take(&mut self.counts)
    }

    fn is_answering(&self, farm: usize) -> bool {
        let farm = &self.world.farms[farm];
        !farm.is_down(self.now) && !farm.is_busy(self.now)
    }

    /// The clock of a run.
    pub fn clock(&self, terms: &Terms) -> SystemTime {
        let minutes = Duration::from_secs((self.now + terms.jump) * 60);
        SystemTime::UNIX_EPOCH + BEGINNING + minutes
    }

    pub fn publishing(&self, user: usize) -> PublisherOptions {
        publishing(self.users[user].path())
    }

    pub fn item_ref(&self, id: ItemId) -> ItemRef {
        self.world.items[id].basename[..32].parse().unwrap()
    }

    pub fn request(&self, kind: &RunKind, terms: &Terms) -> MirrorRequest {
        let refs = |items: &[ItemId]| {
            items
                .iter()
                .map(|id| self.item_ref(*id))
                .collect::<Vec<_>>()
        };
        MirrorRequest {
            key: KEY.to_owned(),
            selection: match kind {
                RunKind::Sync => ItemSelection::LatestBuilds {
                    count: terms.count,
                    jobset: None,
                },
                RunKind::From(items) => ItemSelection::List(refs(items)),
                RunKind::Add(items) => {
                    let specs = refs(items).into_iter().map(ItemSpec::Item);
                    ItemSelection::Named(specs.collect())
                }
            },
            upstreams: self.farms.iter().map(|farm| farm.client.clone()).collect(),
            system: SYSTEM.to_owned(),
            filter: ItemFilter::default(),
            encoding: None,
            closure: Closure::Whole,
            graft: terms.graft,
            limits: RunLimits {
                max_bytes: terms.max_bytes,
                max_time: None,
                checkpoint: terms.checkpoint,
                max_planned: terms.max_planned,
            },
            pauses: match kind {
                RunKind::Add(_) => Pauses::Ignored,
                RunKind::Sync | RunKind::From(_) => Pauses::Obeyed,
            },
            now: self.clock(terms),
            base: None,
            publishing: self.publishing(terms.user),
            jobs: terms.jobs,
            retention: match kind {
                RunKind::Add(_) => None,
                RunKind::Sync | RunKind::From(_) => self.rule,
            },
            lists_pruned: true,
        }
    }

    /// Runs one kind, and takes note of its end.
    pub fn run(&mut self, kind: &RunKind, terms: &Terms) -> End {
        let request = self.request(kind, terms);
        let node = killable(self.node.node(), terms);
        let done = mirror(&node, &request, &Silent);
        if !node.is_dead() && matches!(kind, RunKind::Sync) {
            self.calls = node.calls();
        }
        let is_dead = node.is_dead();
        self.note(kind, terms, done, is_dead)
    }

    /// Runs two kinds at once, each of a user of its own.
    pub fn run_both(&mut self, kinds: [&RunKind; 2], terms: [&Terms; 2]) -> [End; 2] {
        self.counts.pairs += 1;
        self.wanted.last_pair = self.now;
        let requests = [0, 1].map(|at| self.request(kinds[at], terms[at]));
        let nodes = [0, 1].map(|at| killable(self.node.node(), terms[at]));
        let [first, second] = std::thread::scope(|scope| {
            let threads = [0, 1].map(|at| {
                let (node, request) = (&nodes[at], &requests[at]);
                scope.spawn(move || mirror(node, request, &Silent))
            });
            threads.map(|thread| thread.join().unwrap())
        });
        let dead = [nodes[0].is_dead(), nodes[1].is_dead()];
        [
            self.note(kinds[0], terms[0], first, dead[0]),
            self.note(kinds[1], terms[1], second, dead[1]),
        ]
    }

    fn note(
        &mut self,
        kind: &RunKind,
        terms: &Terms,
        done: Result<MirrorSummary, Failure>,
        is_dead: bool,
    ) -> End {
        let outcome = match &done {
            Ok(summary) => format!(
                "{} of {}, {:?}",
                summary.root,
                summary.result.mirrored.len(),
                summary.before
            ),
            Err(failure) => failure.to_string(),
        };
        self.log(format!("{kind:?} {terms:?}: {outcome}, killed: {is_dead}"));
        self.counts.runs += 1;
        if terms.jump > 0 {
            self.counts.jumps += 1;
            self.wanted.jumps.push(self.now);
        }
        let answering: Vec<usize> = (0..self.farms.len())
            .filter(|farm| self.is_answering(*farm))
            .collect();
        match kind {
            RunKind::Sync => answering
                .iter()
                .for_each(|farm| self.wanted.note_tried(*farm, self.now)),
            RunKind::Add(items) | RunKind::From(items) => {
                self.wanted.note_possible(items, self.now)
            }
        }
        if let RunKind::Add(items) = kind {
            self.wanted.note_taken_back(items, self.now);
        }
        let rule = self.rule.filter(|_| !matches!(kind, RunKind::Add(_)));
        if let Some(rule) = rule.filter(|_| is_dead || done.is_err()) {
            self.note_prunable(&rule, terms);
        }
        if is_dead {
            self.counts.kills += 1;
            if let RunKind::Add(items) = kind {
                self.note_unsure_addition(items);
            }
            return End::Killed;
        }
        match done {
            Ok(summary) => {
                self.counts.mirrored += summary.result.mirrored.len();
                if terms.is_unlimited() && answering.len() == self.farms.len() {
                    self.wanted.last_full = self.now;
                }
                match kind {
                    RunKind::Sync => answering
                        .iter()
                        .for_each(|farm| self.wanted.note_synced(*farm, self.now)),
                    RunKind::Add(items) => {
                        self.wanted.note_added(items, self.now);
                        self.wanted.note_back(&summary.result.mirrored);
                    }
                    RunKind::From(items) => {
                        let is_kept = |id: &&ItemId| !self.wanted.is_removed(**id);
                        let kept: Vec<ItemId> = items.iter().filter(is_kept).copied().collect();
                        self.wanted.note_added(&kept, self.now);
                    }
                }
                self.wanted.note_published(&summary.result.mirrored);
                if let (Some(rule), Some(outcome)) = (rule, &summary.prune) {
                    self.check_pruned(&rule, terms, outcome);
                }
                End::Well
            }
            Err(failure) => {
                if let RunKind::Add(items) = kind {
                    self.note_unsure_addition(items);
                }
                self.note_failure(terms, &failure);
                End::Failed
            }
        }
    }

    fn note_unsure_addition(&mut self, items: &[ItemId]) {
        let all = self.world.closure(items.iter().copied()).into_iter();
        let removed: Vec<ItemId> = all.filter(|id| self.wanted.removed.contains(id)).collect();
        self.wanted.note_uncertain(&removed, false);
    }

    /// Counts a failure, and fails the test for one that should not be.
    pub fn note_failure(&mut self, terms: &Terms, failure: &Failure) {
        let is_served = (0..self.farms.len()).all(|farm| self.is_answering(farm));
        match failure {
            Failure::Upstream(_) if !is_served => self.counts.unreachable += 1,
            Failure::Publication(_) if !terms.is_alone => self.counts.beaten += 1,
            _ => panic!("a run failed, {terms:?}: {failure} ({failure:?})"),
        }
    }
}

impl Drop for Site<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, day, log, .. } = self;
            let log = log.join("\n  ");
            eprintln!("the model failed on day {day} of seed {seed}. The last acts:\n  {log}");
        }
    }
}

fn publishing(locks: &Path) -> PublisherOptions {
    PublisherOptions {
        lock_folder: locks.to_owned(),
        record_lifetime: Duration::from_secs(48 * 3600),
        allow_offline: true,
        patience: Duration::from_secs(3),
        log: PublicationLog::default(),
        page: None,
    }
}
