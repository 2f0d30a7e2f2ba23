//! The files of the items of a batch, from the upstream through the verifier to
//! the stage.

use super::in_flight;
use super::items::ItemRef;
use super::lookup::{NarinfoLookup, PlannedItem};
use super::narinfos::narinfo_name;
use super::observer::{DownloadProgress, Event, Observer, RunProgress};
use super::schedule::{BatchGate, Scheduled};
use super::skipped::SkipReason;
use crate::guix::{
    Download, ExpectedNar, HashPart, HttpError, NarError, NarVerifier, Narinfo, Variant,
};
use crate::ipfs::directory::Entry;
use crate::ipfs::file::AddError;
use crate::node::NodeError;
use crate::publication::{NewFile, Stage};
use crate::util::diagnosis::{Diagnosis, Retry};
use crate::util::retry::NETWORK;
use crate::util::stop::Stop;
use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// The outcome of an item's transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// All its files are staged.
    Whole(Vec<NewFile>),
    /// It is left out.
    Skipped(SkipReason),
    /// The run ends, or the batch did, before it was whole.
    NotBegun,
}

/// The nars that did not come, by their items: what comes badly comes first the next
/// time, so that an item with one nar missing costs no more than that.
#[derive(Debug, Default)]
pub struct FailedNars {
    /// The URLs of earlier runs.
    before: HashMap<HashPart, String>,
    now: Mutex<HashMap<HashPart, String>>,
}

impl FailedNars {
    /// Those of a run after one in which these did not come.
    pub fn after(before: HashMap<HashPart, String>) -> Self {
        Self {
            before,
            ..Self::default()
        }
    }

    /// The nar of an item that did not come in this run.
    pub fn of(&self, item: &HashPart) -> Option<String> {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.get(item).cloned()
    }

    fn note(&self, item: HashPart, url: &str) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.insert(item, url.to_owned());
    }
}

/// The way of transferring items.
pub struct Fetcher<'a> {
    /// The source of items.
    pub lookup: &'a NarinfoLookup<'a>,
    /// Items at once.
    pub jobs: u16,
    /// The receiver of events.
    pub observer: &'a dyn Observer,
    /// The signal to end.
    pub stop: &'a Stop,
    /// The nars that did not come.
    pub failed_nars: &'a FailedNars,
}

impl Fetcher<'_> {
    /// Stages the files of a batch, item by item, and returns an outcome for each.
    ///
    /// # Errors
    /// When the node fails: then no further item is begun.
    pub fn fetch(
        &self,
        batch: &[Scheduled],
        gate: &BatchGate,
        stage: &Stage,
        progress: &dyn RunProgress,
    ) -> Result<Vec<FetchOutcome>, NodeError> {
        let node_failed = AtomicBool::new(false);
        let outcomes = in_flight::for_each(self.jobs, batch, |at, next| {
            if node_failed.load(Ordering::Relaxed) || !gate.admits(at, next) {
                return Ok(FetchOutcome::NotBegun);
            }
            let staged = self.item(stage, &next.item, progress);
            progress.item_done();
            match staged {
                Ok(files) => Ok(FetchOutcome::Whole(files)),
                Err(FetchError::Node(error)) => {
                    node_failed.store(true, Ordering::Relaxed);
                    Err(error)
                }
                Err(_) if self.stop.is_asked() => Ok(FetchOutcome::NotBegun),
                Err(FetchError::Refused(what)) => {
                    Ok(FetchOutcome::Skipped(SkipReason::refused_because(what)))
                }
                Err(FetchError::Broken(what, _)) => {
                    Ok(FetchOutcome::Skipped(SkipReason::Broken(what)))
                }
                Err(FetchError::NoNar(what)) => Ok(FetchOutcome::Skipped(SkipReason::NoNar(what))),
            }
        });
        outcomes.into_iter().collect()
    }

    /// Stages an item from the upstream of its narinfo, or else from the next one
    /// whose files are as promised. The plan holds the references of the first, so
    /// another narinfo counts only if it refers to the same.
    fn item(
        &self,
        stage: &Stage,
        item: &PlannedItem,
        progress: &dyn RunProgress,
    ) -> Result<Vec<NewFile>, FetchError> {
        let store_path = &item.narinfo.store_path;
        let mut staged = self.files(stage, item, progress);
        let mut next = item.upstream + 1;
        while let Err(
            FetchError::Refused(reason) | FetchError::Broken(reason, _) | FetchError::NoNar(reason),
        ) = &staged
            && let Ok(other) = self.lookup.fetch(&ItemRef::from(store_path), next)
        {
            next = other.upstream + 1;
            if other.narinfo.references == item.narinfo.references {
                self.observer.notify(Event::NextUpstream {
                    item: store_path,
                    reason,
                    upstream: self.lookup.upstreams[other.upstream].base(),
                });
                staged = self.files(stage, &other, progress);
            }
        }
        staged
    }

    /// Stages an item's narinfo and every nar that it lists: a client takes the one
    /// that it likes best, so all must be there.
    fn files(
        &self,
        stage: &Stage,
        item: &PlannedItem,
        progress: &dyn RunProgress,
    ) -> Result<Vec<NewFile>, FetchError> {
        let narinfo = &item.narinfo;
        let hash = narinfo.store_path.hash();
        let mut files = Vec::new();
        let mut variants: Vec<&Variant> = narinfo.variants.iter().collect();
        let failed = self.failed_nars.before.get(&hash);
        variants.sort_by_key(|variant| Some(&variant.url) != failed);
        for variant in variants {
            let mut resumes = true;
            let staged = NETWORK.run(self.stop, || {
                self.nar(stage, item, variant, &mut resumes, progress)
            });
            files.push(staged.map_err(|error| {
                self.failed_nars.note(hash, &variant.url);
                error.about(&variant.url)
            })?);
        }
        let name = narinfo_name(&hash);
        files.push(staged_file(stage, vec![name], &mut narinfo.bytes())?);
        Ok(files)
    }

    /// Stages a nar, in one try. If that is one that `resumes` and the nar does not
    /// come to be of its parts, the next one must fetch it as a whole.
    fn nar(
        &self,
        stage: &Stage,
        item: &PlannedItem,
        variant: &Variant,
        resumes: &mut bool,
        progress: &dyn RunProgress,
    ) -> Result<NewFile, FetchError> {
        let upstream = &self.lookup.upstreams[item.upstream];
        let download = match *resumes {
            true => upstream.resumable_nar(&variant.url, self.stop)?,
            false => upstream.nar(&variant.url)?,
        };
        let coding = download.coding.clone();
        let is_resumed = Arc::clone(&download.is_resumed);
        let staged = self.checked(stage, &item.narinfo, variant, download, progress);
        staged.map_err(|error| {
            let is_resumed = is_resumed.load(Ordering::Relaxed);
            *resumes &= !is_resumed;
            match (error, coding) {
                (error, Some(coding)) => error.of_coded(&coding),
                // The parts may be of two versions of the file.
                (FetchError::Refused(what), None) if is_resumed => {
                    FetchError::Broken(what, Retry::Soon)
                }
                (error, None) => error,
            }
        })
    }

    /// Stages a nar that is what its narinfo says.
    fn checked(
        &self,
        stage: &Stage,
        narinfo: &Narinfo,
        variant: &Variant,
        download: Download,
        progress: &dyn RunProgress,
    ) -> Result<NewFile, FetchError> {
        let refused = |error: &dyn std::error::Error| FetchError::Refused(error.to_string());
        let path = variant.path().map_err(|error| refused(&error))?;
        let bytes = variant.file_size.or(download.length);
        let mut line = progress.download(narinfo.store_path.name(), bytes);
        let watched = Watched {
            reader: download.reader,
            progress: &*line,
        };
        let expected = ExpectedNar::of(narinfo, variant);
        let verified = match download.length {
            Some(_) => NarVerifier::new(watched, expected),
            None => NarVerifier::without_length(watched, expected),
        };
        let mut verified = verified.map_err(|error| refused(&error))?;
        let staged = staged_file(stage, path.components().to_vec(), &mut verified)?;
        drop(verified);
        line.finish();
        Ok(staged)
    }
}

/// A reader that reports the bytes that pass.
struct Watched<'p, R> {
    reader: R,
    progress: &'p dyn DownloadProgress,
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.progress.advance(length as u64);
        Ok(length)
    }
}

fn staged_file(
    stage: &Stage,
    path: Vec<String>,
    content: &mut dyn Read,
) -> Result<NewFile, FetchError> {
    match stage.file(content) {
        Ok(added) => Ok(NewFile {
            path,
            entry: Entry {
                cid: added.cid,
                size: added.cumulative,
            },
        }),
        Err(AddError::Sink(error)) => Err(FetchError::Node(error)),
        Err(AddError::Content(error)) => Err(match NarError::from_io(&error) {
            Some(error) if error.is_of_transfer() => {
                FetchError::Broken(error.to_string(), error.retry())
            }
            Some(error) => FetchError::Refused(error.to_string()),
            None => {
                let retry = match HttpError::of_read(&error) {
                    Some(HttpError::GivenUp { .. }) => Retry::Never,
                    _ => Retry::Soon,
                };
                FetchError::Broken(format!("the download broke off: {error}"), retry)
            }
        }),
    }
}

/// The failure of a file's transfer.
#[derive(Debug, Error)]
enum FetchError {
    /// This item cannot be mirrored; others can.
    #[error("{0}")]
    Refused(String),
    /// The network or a busy server spoiled it.
    #[error("{0}")]
    Broken(String, Retry),
    /// The server has the narinfo and not the nar.
    #[error("{0}")]
    NoNar(String),
    /// The node fails, so nothing can be mirrored.
    #[error(transparent)]
    Node(NodeError),
}

impl FetchError {
    /// The same, with the file that it is about.
    fn about(self, url: &str) -> Self {
        let about = |reason: String| match reason.contains(url) {
            true => reason,
            false => format!("{url}: {reason}"),
        };
        match self {
            Self::Refused(reason) => Self::Refused(about(reason)),
            Self::Broken(reason, retry) => Self::Broken(about(reason), retry),
            Self::NoNar(reason) => Self::NoNar(about(reason)),
            node => node,
        }
    }

    /// The same for an answer with a `Content-Encoding` that was not asked for, which is
    /// another transfer's fault and not the file's.
    fn of_coded(self, coding: &str) -> Self {
        match self {
            Self::Refused(reason) | Self::Broken(reason, _) => Self::Broken(
                format!("{reason}; the server labels it {coding:?}, which it was not asked to"),
                Retry::Soon,
            ),
            other => other,
        }
    }
}

impl Diagnosis for FetchError {
    fn retry(&self) -> Retry {
        match self {
            Self::Broken(_, retry) => *retry,
            _ => Retry::Never,
        }
    }
}

impl From<HttpError> for FetchError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Missing { .. } => Self::NoNar(error.to_string()),
            _ => Self::Broken(error.to_string(), error.retry()),
        }
    }
}
