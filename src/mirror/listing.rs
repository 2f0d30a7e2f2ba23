//! The builds that the farms list and that were not dealt with yet.
//!
//! A usual run asks each farm for a few builds. It asks for all that the farm lists
//! where those few do not reach what was seen before, and once an hour: a build of
//! an older evaluation that finishes late stands far down.

use super::failure::Failure;
use super::items::ItemRef;
use super::ledger::{BuildList, Ledger, SeenBuilds};
use super::narinfos;
use super::observer::{Event, Observer};
use super::request::{Closure, ItemFilter};
use crate::guix::{Build, BuildQuery, HashPart, HttpError, StorePath, UpstreamClient};
use crate::publication::Tree;
use crate::util::diagnosis::{Diagnosis, Retry};
use crate::util::stop::Stop;
use crate::util::timestamp::{DAY, Timestamp};
use std::collections::{BTreeSet, HashSet};

/// The most builds that Cuirass lists.
pub const MOST_BUILDS: u32 = 1000;

/// The lists of the farms among the upstreams.
pub struct FarmLists<'a> {
    /// All are asked.
    pub upstreams: &'a [UpstreamClient],
    /// Guix's name of the system, such as `x86_64-linux`.
    pub system: &'a str,
    /// Builds of this jobset only.
    pub jobset: Option<&'a str>,
    /// The items that come with one.
    pub closure: Closure,
    /// The items that are taken.
    pub filter: &'a ItemFilter,
    /// The builds that a usual run asks for, and with which a new mirror begins.
    pub count: u32,
    /// The ledger before the run.
    pub ledger: &'a Ledger,
    /// The first look at a list.
    pub first_look: FirstLook,
    /// The published tree.
    pub tree: &'a Tree<'a>,
    /// The time of the run.
    pub now: Timestamp,
    /// The receiver of events.
    pub observer: &'a dyn Observer,
    /// The signal to end.
    pub stop: &'a Stop,
}

/// The builds that the first look at a list takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstLook {
    /// The newest ones: the mirror begins with them.
    Begins,
    /// Those up to the oldest one that is published, or all: the mirror was kept by a
    /// program without a ledger.
    Continues,
}

/// The news of the lists.
#[derive(Clone, Debug, Default)]
pub struct FarmNews {
    /// The outputs of builds that were not dealt with.
    pub items: Vec<ItemRef>,
    /// All outputs that were listed.
    pub listed: BTreeSet<HashPart>,
    /// The lists that were read.
    pub seen: Vec<SeenBuilds>,
    /// A farm's list could not be read.
    pub is_partial: bool,
}

/// The answer of one farm, and its part that is new.
struct ListNews {
    new: Vec<ItemRef>,
    listed: Vec<HashPart>,
    seen: SeenBuilds,
}

impl FarmLists<'_> {
    /// Reads the lists of all upstreams.
    ///
    /// # Errors
    /// None of them can be read. One that another try may end comes first.
    pub fn news(&self) -> Result<FarmNews, Failure> {
        let mut news = FarmNews::default();
        let mut failures: Vec<(&UpstreamClient, HttpError)> = Vec::new();
        let mut is_answered = false;
        for upstream in self.upstreams {
            match self.read(upstream) {
                Ok(of_list) => {
                    is_answered = true;
                    news.items.extend(of_list.new);
                    news.listed.extend(of_list.listed);
                    news.seen.push(of_list.seen);
                }
                Err(Failure::Upstream(error)) => failures.push((upstream, error)),
                Err(error) => return Err(error),
            }
        }
        if !is_answered {
            failures.sort_by_key(|(_, error)| error.retry() == Retry::Never);
            return match failures.into_iter().next() {
                Some((_, error)) => Err(error.into()),
                None => Ok(news),
            };
        }
        for (upstream, error) in &failures {
            news.is_partial |= self.is_farm(upstream, error);
            self.report_unreadable(upstream, error, &mut news.seen);
        }
        self.report_nothing_listed(&mut news.seen);
        Ok(news)
    }

    fn read(&self, upstream: &UpstreamClient) -> Result<ListNews, Failure> {
        let list = self.list_at(upstream);
        let known = self.ledger.seen.iter().find(|seen| seen.list == list);
        let Some(known) = known else {
            return self.read_first(upstream, list);
        };
        let dealt_with: HashSet<HashPart> = known.outputs.iter().copied().collect();
        let reaches = |builds: &[Build]| {
            let is_seen = |build: &Build| {
                let mut outputs = build.outputs.iter();
                outputs.all(|path| dealt_with.contains(&path.hash()))
            };
            dealt_with.is_empty() || builds.iter().any(is_seen)
        };
        let mut seen = known.clone();
        let mut answer = None;
        if self.count < MOST_BUILDS && !known.needs_deep_look(self.now) {
            let builds = self.ask(upstream, self.count)?.0;
            answer = reaches(&builds).then_some(builds);
        }
        let builds = match answer {
            Some(builds) => builds,
            None => {
                let (builds, is_all) = self.ask(upstream, MOST_BUILDS)?;
                // Otherwise each run with `--latest 1000` would write a journal.
                if known.needs_deep_look(self.now) {
                    seen.looked = self.now;
                }
                if !is_all && !reaches(&builds) {
                    self.observer.notify(Event::ListGap {
                        farm: upstream.base(),
                    });
                }
                builds
            }
        };
        let new = outputs(&builds).filter(|item| !dealt_with.contains(&item.hash));
        Ok(ListNews::new(new.collect(), &builds, seen))
    }

    /// Reads a list that is not in the ledger.
    fn read_first(&self, upstream: &UpstreamClient, list: BuildList) -> Result<ListNews, Failure> {
        let (builds, is_all) = self.ask(upstream, MOST_BUILDS)?;
        let newest = (self.count as usize).min(builds.len());
        let taken = match self.first_look {
            FirstLook::Begins => newest,
            FirstLook::Continues => match self.oldest_published(&builds)? {
                Some(at) => newest.max(at),
                None => {
                    if !is_all {
                        self.observer.notify(Event::ListGap {
                            farm: upstream.base(),
                        });
                    }
                    builds.len()
                }
            },
        };
        let seen = SeenBuilds {
            looked: self.now,
            ..SeenBuilds::none(list)
        };
        let mut new: Vec<ItemRef> = outputs(&builds[..taken]).collect();
        let elsewhere = self.seen_under_other_options(&seen.list);
        if !elsewhere.is_empty() {
            let rest = outputs(&builds[taken..]);
            new.extend(rest.filter(|item| !elsewhere.contains(&item.hash)));
        }
        Ok(ListNews::new(new, &builds, seen))
    }

    /// The outputs of a list that runs with other options dealt with.
    fn seen_under_other_options(&self, list: &BuildList) -> HashSet<HashPart> {
        let lists = self.ledger.seen.iter();
        let same = lists.filter(|seen| seen.list.is_same_source(list));
        same.flat_map(|seen| &seen.outputs).copied().collect()
    }

    /// The place of the oldest build with a published output.
    fn oldest_published(&self, builds: &[Build]) -> Result<Option<usize>, Failure> {
        let outputs = builds.iter().flat_map(|build| &build.outputs);
        let published = narinfos::published(self.tree, outputs.map(StorePath::hash))?;
        let is_published = |path: &StorePath| published.contains(&path.hash());
        Ok(builds
            .iter()
            .rposition(|build| build.outputs.iter().any(is_published)))
    }

    /// The successful builds for the system, and true if that is all that the farm
    /// lists: a server may list those of all systems.
    fn ask(&self, upstream: &UpstreamClient, count: u32) -> Result<(Vec<Build>, bool), HttpError> {
        let query = BuildQuery {
            count,
            system: Some(self.system),
            jobset: self.jobset,
            ..BuildQuery::default()
        };
        let answer = upstream.latest_builds(&query, self.stop)?;
        let is_all = answer.listed < count as usize;
        let mut builds = answer.builds;
        builds.retain(|build| {
            let system = build.system.as_ref();
            !build.outputs.is_empty() && system.is_none_or(|system| system == self.system)
        });
        Ok((builds, is_all))
    }

    fn list_at(&self, upstream: &UpstreamClient) -> BuildList {
        BuildList {
            farm: upstream.base().to_owned(),
            system: self.system.to_owned(),
            jobset: self.jobset.map(str::to_owned),
            no_closure: self.closure == Closure::ItemOnly,
            max_nar_size: self.filter.max_nar_size,
        }
    }

    /// Returns true for a farm, as opposed to a server that lists no builds.
    fn is_farm(&self, upstream: &UpstreamClient, error: &HttpError) -> bool {
        let list = self.list_at(upstream);
        !matches!(error, HttpError::NoBuildList { .. })
            || self.ledger.seen.iter().any(|seen| seen.list == list)
    }

    /// Reports a list that cannot be read while others can: once a day, and not
    /// before two days where that may pass. Not every upstream is a farm.
    fn report_unreadable(
        &self,
        upstream: &UpstreamClient,
        error: &HttpError,
        seen: &mut Vec<SeenBuilds>,
    ) {
        if matches!(error, HttpError::NoBuildList { .. }) {
            return;
        }
        let list = self.list_at(upstream);
        let known = self.ledger.seen.iter().find(|seen| seen.list == list);
        let is_due = match known.cloned() {
            None => error.retry() == Retry::Never,
            Some(mut known) => {
                let is_old = known.looked.age(self.now).is_none_or(|age| age > 2 * DAY);
                let is_due = (is_old || error.retry() == Retry::Never) && known.report(self.now);
                if is_due {
                    seen.push(known);
                }
                is_due
            }
        };
        if is_due {
            self.observer.notify(Event::ListUnreadable(error));
        }
    }

    /// Reports a system that no list has a build for, once a day.
    fn report_nothing_listed(&self, seen: &mut [SeenBuilds]) {
        let is_listed = seen.iter().any(|list| !list.outputs.is_empty());
        if let (false, Some(first)) = (is_listed, seen.first_mut())
            && first.report(self.now)
        {
            self.observer.notify(Event::NothingListed {
                system: self.system,
                jobset: self.jobset,
            });
        }
    }
}

impl ListNews {
    fn new(new: Vec<ItemRef>, builds: &[Build], mut seen: SeenBuilds) -> Self {
        let listed: Vec<HashPart> = outputs(builds).map(|item| item.hash).collect();
        seen.add(&listed);
        Self { new, listed, seen }
    }
}

fn outputs(builds: &[Build]) -> impl Iterator<Item = ItemRef> {
    let outputs = builds.iter().flat_map(|build| &build.outputs);
    outputs.map(ItemRef::from)
}
