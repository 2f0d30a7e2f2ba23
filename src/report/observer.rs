//! The events of the engine as lines.

use super::progress::{Progress, Waiting};
use super::terminal::Report;
use super::text::{bytes, items};
use crate::mirror::{Event, Observer, Plan, RunProgress};
use crate::util::diagnosis::Diagnosis;

impl Observer for Report {
    fn notify(&self, event: Event<'_>) {
        match event {
            Event::PackageFound {
                package,
                output,
                build,
                system,
            } => {
                let build = build.map(|build| format!("build {build}, "));
                let build = build.unwrap_or_default();
                self.status(&format!("{package} is {output} ({build}{system})"));
            }
            Event::ListGap { farm } => self.warn(
                &format!(
                    "{farm} lists 1000 builds, none of which was seen before: older ones may be \
                     missing"
                ),
                Some("mirror those with `guix-ipfs sync --from FILE`"),
            ),
            Event::ListUnreadable(error) => self.warn(
                &format!("{error}; its new builds are mirrored once it can be read again"),
                error.advice().as_deref(),
            ),
            Event::NothingListed { system, jobset } => {
                let jobset = jobset.map(|jobset| format!(" in the jobset {jobset}"));
                let jobset = jobset.unwrap_or_default();
                self.warn(
                    &format!("no build farm lists a successful build for {system}{jobset}"),
                    Some("check that --system and --jobset are spelled as on the farm"),
                );
            }
            Event::LedgerFull(items_left) => self.warn(
                &format!(
                    "{} to be mirrored later do not fit into the ledger",
                    items(items_left)
                ),
                Some("name them again with `guix-ipfs sync --from FILE` later"),
            ),
            Event::GivenUp { name, path } => self.warn(
                &format!("all that was published under /ipns/{name} is abandoned: {path}"),
                None,
            ),
            Event::RemovalsForgotten(count) => self.warn(
                &format!(
                    "the ledger is full, and no longer records that {} were removed",
                    items(count)
                ),
                Some("they are mirrored again where a farm or a list names them"),
            ),
            Event::Planned(plan) => {
                let planning = self.elapsed();
                self.note(|figures| figures.planning = Some(planning));
                self.planned(plan);
            }
            Event::NearlyFull(usage) => {
                let limit = usage.limit.map(bytes).unwrap_or_default();
                let used = bytes(usage.bytes);
                self.warn(
                    &format!("the node's repository holds {used} of {limit}"),
                    Some("raise Datastore.StorageMax, or remove items"),
                );
            }
            Event::LittleRoom { bytes: size, free } => self.warn(
                &format!(
                    "the mirror has up to {}, and {} are free on the disk of the other node",
                    bytes(size),
                    bytes(free)
                ),
                Some("make room there; the next run continues one that stopped"),
            ),
            Event::LowLimit { bytes: size, usage } => self.warn(
                &format!(
                    "the mirror has up to {}, and the other node holds {} of {}",
                    bytes(size),
                    bytes(usage.bytes),
                    usage.limit.map(bytes).unwrap_or_default()
                ),
                Some("raise Datastore.StorageMax there"),
            ),
            Event::NextUpstream {
                item,
                reason,
                upstream,
            } => self.verbose(&format!("{item}: {reason}; trying {upstream}")),
            Event::EngineChanged(error) => {
                self.verbose(&format!("{error}; trying again with --graft car"));
            }
            Event::Published(path) => {
                self.note(|figures| figures.mirrored += 1);
                self.verbose(&path.to_string());
            }
            Event::NotAnnounced(error) => {
                self.warn(&format!("{error}; others may take longer to find it"), None);
            }
            Event::AtService {
                service,
                root,
                status,
            } => self.status(&format!("{service}: /ipfs/{root} is {}", status.word())),
            Event::ServiceProblem { problem, is_due } => {
                let text = problem.to_string();
                match is_due {
                    true => self.warn(&text, problem.advice().as_deref()),
                    false => self.status(&text),
                }
            }
            Event::Whole(name) => self.verbose(&format!("{name}: whole")),
        }
    }

    fn waiting(&self, text: &'static str) -> Box<dyn Send> {
        Box::new(Waiting::new(&self.lines, text))
    }

    fn progress(&self, items: usize, bytes: u64) -> Box<dyn RunProgress> {
        Box::new(Progress::new(&self.lines, items, bytes))
    }
}

impl Report {
    /// Shows that blocks are read, and their number, until the result is dropped.
    pub fn counting(&self, text: &'static str) -> Waiting {
        Waiting::new(&self.lines, text)
    }

    fn planned(&self, plan: &Plan) {
        if plan.items.is_empty() {
            return;
        }
        let files: usize = plan.items.iter().map(|item| item.files()).sum();
        let sizes = plan.items.iter().filter_map(|item| item.file_bytes());
        let known = sizes.fold(0, u64::saturating_add);
        let unknown = plan.items.iter().filter(|item| item.file_bytes().is_none());
        let sizes = match unknown.count() {
            0 => format!("{} of nars", bytes(known)),
            all if all == plan.items.len() => "of unknown size".to_owned(),
            count => format!(
                "{} of nars, and {} of unknown size",
                bytes(known),
                items(count)
            ),
        };
        self.status(&format!(
            "to mirror: {}, {files} files, {sizes}",
            items(plan.items.len())
        ));
    }
}
