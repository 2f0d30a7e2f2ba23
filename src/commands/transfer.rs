//! From the upstream to the node: the files of each item of a batch, through the
//! nar check.

use super::batch::{Gate, Queued};
use super::parallel;
use super::plan::narinfo_name;
use super::retry::{Again, retry};
use super::source::{Item, Source};
use super::stop::Stop;
use crate::cli::Wanted;
use crate::failure::Failure;
use crate::guix::{CheckedNar, Expect, HttpError, NarError, Variant};
use crate::ipfs::directory::Entry;
use crate::node::{NodeError, Problem};
use crate::publication::Stage;
use crate::publication::graft::NewFile;
use crate::report::{Progress, Report};
use std::fmt::Display;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// What became of an item's transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All its files are staged.
    Whole(Vec<NewFile>),
    /// Its content is not what it should be.
    Refused(String),
    /// The network or a busy server spoiled it; it may well succeed.
    Broken(String),
    /// The run ends, or the batch did, before it was whole.
    NotBegun,
}

/// How items are transferred.
pub struct Transfer<'a> {
    /// Where items come from.
    pub source: &'a Source<'a>,
    /// How many items at once.
    pub jobs: u16,
    /// What speaks.
    pub report: &'a Report,
    /// Whether to end.
    pub stop: &'a Stop,
}

impl Transfer<'_> {
    /// Stages the files of a batch, item by item, and says what became of each.
    ///
    /// # Errors
    /// When the node fails, which nothing survives.
    pub fn fetch(
        &self,
        batch: &[Queued],
        gate: &Gate,
        stage: &Stage,
        progress: &Progress,
    ) -> Result<Vec<Outcome>, Failure> {
        let node_failed = AtomicBool::new(false);
        let numbered = batch.iter().enumerate().collect();
        let outcomes = parallel::map(self.jobs, numbered, |(at, queued): (usize, &Queued)| {
            if node_failed.load(Ordering::Relaxed) || !gate.admits(at, queued) {
                return Ok(Outcome::NotBegun);
            }
            let staged = self.item(stage, &queued.item, progress);
            progress.item_done();
            match staged {
                Ok(files) => Ok(Outcome::Whole(files)),
                Err(TransferError::Node(error)) => {
                    node_failed.store(true, Ordering::Relaxed);
                    Err(error.into())
                }
                Err(_) if self.stop.is_asked() => Ok(Outcome::NotBegun),
                Err(TransferError::Refused(reason)) => Ok(Outcome::Refused(reason)),
                Err(TransferError::Broken(reason, _)) => Ok(Outcome::Broken(reason)),
            }
        });
        outcomes.into_iter().collect()
    }

    /// Stages an item from the upstream it was found at, or else from the next
    /// one whose files are what they should be. What it refers to was planned
    /// for, so another narinfo of it counts only if it refers to the same.
    fn item(
        &self,
        stage: &Stage,
        item: &Item,
        progress: &Progress,
    ) -> Result<Vec<NewFile>, TransferError> {
        let store_path = &item.narinfo.store_path;
        let mut staged = self.files(stage, item, progress);
        let mut next = item.upstream + 1;
        while let Err(TransferError::Refused(reason) | TransferError::Broken(reason, _)) = &staged
            && let Ok(other) = self.source.fetch(&Wanted::from(store_path), next)
        {
            next = other.upstream + 1;
            if other.narinfo.references == item.narinfo.references {
                let base = self.source.upstreams[other.upstream].base();
                let line = format!("{store_path}: {reason}; asking {base}");
                self.report.detail(&line);
                staged = self.files(stage, &other, progress);
            }
        }
        staged
    }

    /// Stages an item's narinfo and every nar that it lists: a client takes
    /// whichever it likes best, so all must be there.
    fn files(
        &self,
        stage: &Stage,
        item: &Item,
        progress: &Progress,
    ) -> Result<Vec<NewFile>, TransferError> {
        let narinfo = &item.narinfo;
        let mut files = Vec::new();
        for variant in &narinfo.variants {
            let staged = retry(self.stop, TransferError::again, || {
                self.nar(stage, item, variant, progress)
            });
            files.push(staged.map_err(|error| error.about(&variant.url))?);
        }
        let name = narinfo_name(&narinfo.store_path.hash());
        files.push(file(stage, vec![name], &mut narinfo.bytes())?);
        Ok(files)
    }

    fn nar(
        &self,
        stage: &Stage,
        item: &Item,
        variant: &Variant,
        progress: &Progress,
    ) -> Result<NewFile, TransferError> {
        let narinfo = &item.narinfo;
        let refused = |error: &dyn Display| TransferError::Refused(error.to_string());
        let path = variant.path().map_err(|error| refused(&error))?;
        let download = self.source.upstreams[item.upstream].nar(&variant.url)?;
        let expect = Expect::of(narinfo, variant);
        let line = progress.download(
            narinfo.store_path.name(),
            variant.file_size.or(download.length),
        );
        let checked = CheckedNar::new(line.watch(download.reader), expect);
        let mut checked = checked.map_err(|error| refused(&error))?;
        let staged = file(stage, path.components().to_vec(), &mut checked)?;
        line.finish();
        Ok(staged)
    }
}

fn file(
    stage: &Stage,
    path: Vec<String>,
    content: &mut dyn io::Read,
) -> Result<NewFile, TransferError> {
    match stage.file(content) {
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
            Some(nar_error) => TransferError::Refused(nar_error.to_string()),
            None => TransferError::Broken(format!("the download broke off: {error}"), Again::Soon),
        }),
        Err(error) => Err(TransferError::Node(error)),
    }
}

enum TransferError {
    /// This item cannot be mirrored; others can.
    Refused(String),
    /// The network or a busy server spoiled it; and when to ask again.
    Broken(String, Again),
    /// The node fails, so nothing can.
    Node(NodeError),
}

impl TransferError {
    fn again(&self) -> Again {
        match self {
            Self::Broken(_, again) => *again,
            _ => Again::No,
        }
    }

    /// Says which file it was.
    fn about(self, url: &str) -> Self {
        match self {
            Self::Refused(reason) => Self::Refused(format!("{url}: {reason}")),
            Self::Broken(reason, again) => Self::Broken(format!("{url}: {reason}"), again),
            node => node,
        }
    }
}

impl From<HttpError> for TransferError {
    fn from(error: HttpError) -> Self {
        Self::Broken(error.to_string(), Again::from(&error))
    }
}
