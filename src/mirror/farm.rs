//! The packages that a person names, looked up at the build farms among the
//! upstreams.

use super::failure::Failure;
use super::items::{ItemRef, ItemSpec, Package};
use super::listing::MOST_BUILDS;
use super::observer::Event;
use super::run_context::RunContext;
use super::skipped::{SkipReason, Skipped};
use super::wanted::WantedItems;
use crate::guix::{Build, BuildQuery, HttpError, UpstreamClient};
use crate::util::diagnosis::{Diagnosis, Retry};

/// Builds of one job among which one that succeeded is looked for.
const BUILDS_OF_A_JOB: u32 = 30;

/// The build farms among the upstreams, asked in order.
pub struct BuildFarms<'a> {
    /// The surroundings of the run.
    pub context: &'a RunContext<'a>,
    /// Guix's name of the system, such as `x86_64-linux`.
    pub system: &'a str,
}

impl BuildFarms<'_> {
    /// The items that a person named; a package stands for the outputs of its latest
    /// build. `-` is read by the caller.
    pub fn named(&self, specs: &[ItemSpec]) -> Result<WantedItems, Failure> {
        let mut wanted = WantedItems::default();
        for spec in specs {
            match spec {
                ItemSpec::Item(item) | ItemSpec::Narinfo { item, .. } => {
                    wanted.items.push(item.clone());
                }
                ItemSpec::Package(package) => self.add(package, &mut wanted)?,
                ItemSpec::StandardInput => {}
            }
        }
        Ok(wanted)
    }

    /// Adds the outputs of a package's latest build that succeeded. Fails only where
    /// another try may succeed.
    fn add(&self, package: &Package, wanted: &mut WantedItems) -> Result<(), HttpError> {
        let label = package.to_string();
        let reason = match self.first(|upstream| self.find(upstream, package)) {
            Ok(Some(build)) => {
                for item in build.outputs.iter().map(ItemRef::from) {
                    self.context.observer.notify(Event::PackageFound {
                        package: &label,
                        output: &item.label,
                        build: build.id,
                        system: self.system,
                    });
                    wanted.items.push(item);
                }
                return Ok(());
            }
            Ok(None) => SkipReason::UnknownPackage(self.system.to_owned()),
            Err(error) if error.retry() != Retry::Never => return Err(error),
            Err(error) => SkipReason::NoBuildFarm(error.to_string()),
        };
        let (item, hash) = (label, None);
        wanted.unknown.push(Skipped { item, hash, reason });
        Ok(())
    }

    /// Jobs are named after a package, with or without its version; where no such
    /// job is known, the latest builds are searched.
    fn find(
        &self,
        upstream: &UpstreamClient,
        package: &Package,
    ) -> Result<Option<Build>, HttpError> {
        let Package { name, version } = package;
        let versioned = version.as_ref().map(|version| format!("{name}-{version}"));
        let jobs = versioned.into_iter().chain([name.clone()]);
        for job in jobs {
            let job = format!("{job}.{}", self.system);
            let query = BuildQuery {
                count: BUILDS_OF_A_JOB,
                job: Some(&job),
                ..BuildQuery::default()
            };
            let builds = upstream
                .latest_builds(&query, self.context.lookup.stop)?
                .builds;
            if let Some(build) = self.newest(builds, package) {
                return Ok(Some(build));
            }
        }
        let query = BuildQuery {
            count: MOST_BUILDS,
            system: Some(self.system),
            ..BuildQuery::default()
        };
        let builds = upstream
            .latest_builds(&query, self.context.lookup.stop)?
            .builds;
        Ok(self.newest(builds, package))
    }

    fn newest(&self, builds: Vec<Build>, package: &Package) -> Option<Build> {
        let suffix = format!(".{}", self.system);
        let is_package = |build: &Build| {
            let name = build.nix_name.as_deref().or_else(|| {
                let job = build.job.as_deref()?;
                Some(job.strip_suffix(&suffix).unwrap_or(job))
            });
            name.is_some_and(|name| package.matches(name))
        };
        builds.into_iter().find(|build| {
            self.is_for_system(build) && is_package(build) && !build.outputs.is_empty()
        })
    }

    fn is_for_system(&self, build: &Build) -> bool {
        let system = build.system.as_ref();
        system.is_none_or(|system| system == self.system)
    }

    /// The answer of the first upstream that has one. Where none does, the error is
    /// one that another try may end, if there is such an error.
    fn first<T>(
        &self,
        ask: impl Fn(&UpstreamClient) -> Result<Option<T>, HttpError>,
    ) -> Result<Option<T>, HttpError> {
        let mut failure: Option<HttpError> = None;
        let mut is_answered = false;
        for upstream in self.context.lookup.upstreams {
            match ask(upstream) {
                Ok(Some(answer)) => return Ok(Some(answer)),
                Ok(None) => is_answered = true,
                Err(error) => {
                    let known = failure.as_ref();
                    if known.is_none_or(|known| known.retry() == Retry::Never) {
                        failure = Some(error);
                    }
                }
            }
        }
        match failure {
            Some(error) if !is_answered => Err(error),
            _ => Ok(None),
        }
    }
}
