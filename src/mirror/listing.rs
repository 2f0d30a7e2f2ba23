//! The builds that the farms list and that were not dealt with yet.
//!
//! A usual run asks each farm for a few builds. It asks for all that the farm lists
//! where those few do not reach what was seen before, and once an hour: a build of
//! an older evaluation that finishes late stands far down.

use super::failure::Failure;
use super::items::ItemRef;
use super::ledger::{BuildList, SeenBuilds};
use super::narinfos;
use super::observer::Event;
use super::request::Closure;
use super::run_context::RunContext;
use super::wanted::WantedItems;
use crate::guix::{Build, BuildQuery, HashPart, HttpError, StorePath, UpstreamClient};
use crate::util::diagnosis::{Diagnosis, Retry};
use crate::util::timestamp::DAY;
use std::collections::HashSet;

/// The most builds that Cuirass lists.
pub const MOST_BUILDS: u32 = 1000;

/// The lists of the farms among the upstreams, all of which are asked.
pub struct FarmLists<'a> {
    /// The surroundings of the run.
    pub context: &'a RunContext<'a>,
    /// Guix's name of the system, such as `x86_64-linux`.
    pub system: &'a str,
    /// Builds of this jobset only.
    pub jobset: Option<&'a str>,
    /// The builds that a usual run asks for, and with which a new mirror begins.
    pub count: u32,
    /// The mirror was kept by a program without a ledger. The first look at a list then
    /// takes the builds up to the oldest one that is published, or all; else the newest
    /// ones, with which the mirror begins.
    pub continues: bool,
}

impl FarmLists<'_> {
    /// Reads the lists of all upstreams, and adds what was not dealt with.
    ///
    /// # Errors
    /// None of them can be read. One that another try may end comes first.
    pub fn add_news(&self, wanted: &mut WantedItems) -> Result<(), Failure> {
        let mut failures: Vec<(&UpstreamClient, HttpError)> = Vec::new();
        let mut is_answered = false;
        for upstream in self.context.lookup.upstreams {
            match self.read(upstream, wanted) {
                Ok(()) => is_answered = true,
                Err(Failure::Upstream(error)) => failures.push((upstream, error)),
                Err(error) => return Err(error),
            }
        }
        if !is_answered {
            failures.sort_by_key(|(_, error)| error.retry() == Retry::Never);
            return match failures.into_iter().next() {
                Some((_, error)) => Err(error.into()),
                None => Ok(()),
            };
        }
        for (upstream, error) in &failures {
            wanted.is_partial |= self.is_farm(upstream, error);
            self.report_unreadable(upstream, error, &mut wanted.seen);
        }
        self.report_nothing_listed(&mut wanted.seen);
        Ok(())
    }

    fn read(&self, upstream: &UpstreamClient, wanted: &mut WantedItems) -> Result<(), Failure> {
        let Some(known) = self.known(upstream) else {
            return self.read_first(upstream, wanted);
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
        if self.count < MOST_BUILDS && !known.needs_deep_look(self.context.now) {
            let builds = self.ask(upstream, self.count)?.0;
            answer = reaches(&builds).then_some(builds);
        }
        let builds = match answer {
            Some(builds) => builds,
            None => {
                let (builds, is_all) = self.ask(upstream, MOST_BUILDS)?;
                // Otherwise each run with `--latest 1000` would write a journal.
                if known.needs_deep_look(self.context.now) {
                    seen.looked = self.context.now;
                }
                if !is_all && !reaches(&builds) {
                    self.report_gap(upstream);
                }
                builds
            }
        };
        let new = outputs(&builds).filter(|item| !dealt_with.contains(&item.hash));
        add(wanted, new.collect(), &builds, seen);
        Ok(())
    }

    /// Reads a list that is not in the ledger.
    fn read_first(
        &self,
        upstream: &UpstreamClient,
        wanted: &mut WantedItems,
    ) -> Result<(), Failure> {
        let (builds, is_all) = self.ask(upstream, MOST_BUILDS)?;
        let newest = (self.count as usize).min(builds.len());
        let taken = match self.continues {
            false => newest,
            true => match self.oldest_published(&builds)? {
                Some(at) => newest.max(at),
                None => {
                    if !is_all {
                        self.report_gap(upstream);
                    }
                    builds.len()
                }
            },
        };
        let seen = SeenBuilds {
            looked: self.context.now,
            ..SeenBuilds::none(self.list_at(upstream))
        };
        let mut new: Vec<ItemRef> = outputs(&builds[..taken]).collect();
        let elsewhere = self.seen_under_other_options(&seen.list);
        if !elsewhere.is_empty() {
            let rest = outputs(&builds[taken..]);
            new.extend(rest.filter(|item| !elsewhere.contains(&item.hash)));
        }
        add(wanted, new, &builds, seen);
        Ok(())
    }

    /// The outputs of a list that runs with other options dealt with.
    fn seen_under_other_options(&self, list: &BuildList) -> HashSet<HashPart> {
        let lists = self.context.ledger.seen.iter();
        let same = lists.filter(|seen| seen.list.is_same_source(list));
        same.flat_map(|seen| &seen.outputs).copied().collect()
    }

    /// The place of the oldest build with a published output.
    fn oldest_published(&self, builds: &[Build]) -> Result<Option<usize>, Failure> {
        let outputs = builds.iter().flat_map(|build| &build.outputs);
        let published = narinfos::published(self.context.tree, outputs.map(StorePath::hash))?;
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
        let answer = upstream.latest_builds(&query, self.context.lookup.stop)?;
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
            no_closure: self.context.closure == Closure::ItemOnly,
            max_nar_size: self.context.lookup.filter.max_nar_size,
        }
    }

    /// The list at an upstream as the ledger knows it.
    fn known(&self, upstream: &UpstreamClient) -> Option<&SeenBuilds> {
        let list = self.list_at(upstream);
        let mut seen = self.context.ledger.seen.iter();
        seen.find(|seen| seen.list == list)
    }

    /// Returns true for a farm, as opposed to a server that lists no builds.
    fn is_farm(&self, upstream: &UpstreamClient, error: &HttpError) -> bool {
        !matches!(error, HttpError::NoBuildList { .. }) || self.known(upstream).is_some()
    }

    fn report_gap(&self, upstream: &UpstreamClient) {
        let farm = upstream.base();
        self.context.observer.notify(Event::ListGap { farm });
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
        let now = self.context.now;
        let is_due = match self.known(upstream).cloned() {
            None => error.retry() == Retry::Never,
            Some(mut known) => {
                let is_old = known.looked.age(now).is_none_or(|age| age > 2 * DAY);
                let is_due = (is_old || error.retry() == Retry::Never) && known.report(now);
                if is_due {
                    seen.push(known);
                }
                is_due
            }
        };
        if is_due {
            self.context.observer.notify(Event::ListUnreadable(error));
        }
    }

    /// Reports a system that no list has a build for, once a day.
    fn report_nothing_listed(&self, seen: &mut [SeenBuilds]) {
        let is_listed = seen.iter().any(|list| !list.outputs.is_empty());
        if let (false, Some(first)) = (is_listed, seen.first_mut())
            && first.report(self.context.now)
        {
            self.context.observer.notify(Event::NothingListed {
                system: self.system,
                jobset: self.jobset,
            });
        }
    }
}

/// Adds the new items of a list, and all that it lists.
fn add(wanted: &mut WantedItems, new: Vec<ItemRef>, builds: &[Build], mut seen: SeenBuilds) {
    let listed: Vec<HashPart> = outputs(builds).map(|item| item.hash).collect();
    seen.add(&listed);
    wanted.items.extend(new);
    wanted.today.extend(listed);
    wanted.seen.push(seen);
}

fn outputs(builds: &[Build]) -> impl Iterator<Item = ItemRef> {
    let outputs = builds.iter().flat_map(|build| &build.outputs);
    outputs.map(ItemRef::from)
}
