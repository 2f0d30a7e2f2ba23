//! What a build farm knows: its latest builds, and which of them are a package.

use super::plan::LeftOut;
use crate::cli::{Package, Wanted};
use crate::guix::{Build, HttpError, Upstream};
use crate::report::Report;

/// The most builds that Cuirass lists.
pub const MOST_BUILDS: u32 = 1000;

/// How many builds of one job are looked at for one that succeeded.
const BUILDS_OF_A_JOB: u32 = 30;

/// The build farms among the upstreams, and for which system they are asked.
pub struct Farm<'a> {
    /// Asked in order.
    pub upstreams: &'a [Upstream],
    /// Guix's name for it.
    pub system: String,
}

impl Farm<'_> {
    /// The latest builds that succeeded, of the first upstream that lists any.
    pub fn latest(&self, count: u32, jobset: Option<&str>) -> Result<Vec<Build>, HttpError> {
        let system = Some(self.system.as_str());
        self.first(|upstream| {
            let builds = upstream.latest_builds(count, system, jobset)?;
            Ok(Some(builds))
        })
        .map(Option::unwrap_or_default)
    }

    /// Whether a build is for the system; a server may list all the same.
    pub fn is_for_system(&self, build: &Build) -> bool {
        let system = build.system.as_ref();
        system.is_none_or(|system| *system == self.system)
    }

    /// The outputs of a package's latest build that succeeded; says which it is.
    /// Fails only where another try may succeed.
    pub fn package(
        &self,
        package: &Package,
        report: &Report,
    ) -> Result<Result<Vec<Wanted>, LeftOut>, HttpError> {
        let Package { name, version } = package;
        let label = match version {
            Some(version) => format!("{name}@{version}"),
            None => name.clone(),
        };
        let left_out = |reason: String| LeftOut {
            item: label.clone(),
            reason,
        };
        let build = match self.first(|upstream| self.find(upstream, package)) {
            Ok(Some(build)) => build,
            Ok(None) => {
                return Ok(Err(left_out(format!(
                    "no build farm lists a successful build of it for {}\nsee that it is spelled as \
                     `guix show` spells it, or name a store path instead",
                    self.system
                ))));
            }
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => {
                let error = error.to_string();
                let what = error.lines().next().unwrap_or_default();
                return Ok(Err(left_out(format!(
                    "{what}\na package is looked up at a build farm; name a store path instead"
                ))));
            }
        };
        let items: Vec<Wanted> = build.outputs.iter().map(Wanted::from).collect();
        let number = build
            .id
            .map(|id| format!("build {id}, "))
            .unwrap_or_default();
        for item in &items {
            report.say(&format!(
                "{label} is {} ({number}{})",
                item.label, self.system
            ));
        }
        Ok(Ok(items))
    }

    /// Jobs are named after a package, with or without its version; where no
    /// such job is known, the latest builds are looked through.
    fn find(&self, upstream: &Upstream, package: &Package) -> Result<Option<Build>, HttpError> {
        let Package { name, version } = package;
        let versioned = version.as_ref().map(|version| format!("{name}-{version}"));
        let jobs = versioned.into_iter().chain([name.clone()]);
        for job in jobs {
            let job = format!("{job}.{}", self.system);
            let builds = upstream.latest_builds_of_job(BUILDS_OF_A_JOB, &job, None)?;
            if let Some(build) = self.newest(builds, package) {
                return Ok(Some(build));
            }
        }
        let builds = upstream.latest_builds(MOST_BUILDS, Some(&self.system), None)?;
        Ok(self.newest(builds, package))
    }

    fn newest(&self, builds: Vec<Build>, package: &Package) -> Option<Build> {
        let is_package = |build: &Build| {
            let name = build.nix_name.as_deref().or_else(|| {
                let job = build.job.as_deref()?;
                Some(
                    job.strip_suffix(&format!(".{}", self.system))
                        .unwrap_or(job),
                )
            });
            name.is_some_and(|name| package.is(name))
        };
        builds.into_iter().find(|build| {
            self.is_for_system(build) && is_package(build) && !build.outputs.is_empty()
        })
    }

    /// What the first upstream gives that has anything. Where none does, the
    /// reason is one that another try may end, if there is such a reason.
    fn first<T>(
        &self,
        ask: impl Fn(&Upstream) -> Result<Option<T>, HttpError>,
    ) -> Result<Option<T>, HttpError> {
        let mut failure: Option<HttpError> = None;
        let mut answered = false;
        for upstream in self.upstreams {
            match ask(upstream) {
                Ok(Some(found)) => return Ok(Some(found)),
                Ok(None) => answered = true,
                Err(error) => {
                    if failure.as_ref().is_none_or(|known| !known.is_transient()) {
                        failure = Some(error);
                    }
                }
            }
        }
        match failure {
            Some(error) if !answered => Err(error),
            _ => Ok(None),
        }
    }
}

/// The system that is meant: this machine's, where none is named.
pub fn system(named: Option<&str>) -> String {
    let this_machines = || {
        let processor = match std::env::consts::ARCH {
            "x86" => "i686",
            "arm" => "armhf",
            other => other,
        };
        format!("{processor}-linux")
    };
    named.map_or_else(this_machines, str::to_owned)
}
