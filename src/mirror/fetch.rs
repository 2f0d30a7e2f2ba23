//! The files of the items of a batch, from the upstream through the verifier to
//! the stage.

use super::fetch_error::{FetchError, staged};
use super::in_flight;
use super::items::ItemRef;
use super::lookup::{PlannedItem, with_delta_nar};
use super::narinfos::narinfo_name;
use super::observer::{DownloadProgress, Event, RunProgress};
use super::run_context::RunContext;
use super::schedule::{BatchGate, Scheduled};
use super::skipped::SkipReason;
use crate::guix::delta::Frames;
use crate::guix::{Download, ExpectedNar, NarError, NarReader, NarVerifier, Narinfo, Variant};
use crate::ipfs::file::Added;
use crate::node::NodeError;
use crate::publication::{NewFile, Stage};
use crate::util::diagnosis::Retry;
use crate::util::retry;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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

impl RunContext<'_> {
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
        let bytes = |next: &Scheduled| next.item.expected_bytes();
        let outcomes = in_flight::for_each(self.jobs, batch, bytes, |at, next| {
            if node_failed.load(Ordering::Relaxed) || !gate.admits(at, next) {
                return Ok(FetchOutcome::NotBegun);
            }
            let transfer = Transfer {
                context: self,
                item: &next.item,
                stage,
                progress,
            };
            let staged = transfer.files_of_any();
            progress.item_done();
            let reason = match staged {
                Ok(files) => return Ok(FetchOutcome::Whole(files)),
                Err(FetchError::Node(error)) => {
                    node_failed.store(true, Ordering::Relaxed);
                    return Err(error);
                }
                Err(_) if self.budget.is_interrupted() => return Ok(FetchOutcome::NotBegun),
                Err(FetchError::Refused(what)) => SkipReason::refused_because(what),
                Err(FetchError::Broken(what, _)) => SkipReason::Broken(what),
                Err(FetchError::NoNar(what)) => SkipReason::NoNar(what),
            };
            Ok(FetchOutcome::Skipped(reason))
        });
        outcomes.into_iter().collect()
    }
}

/// The transfer of an item from its upstream.
struct Transfer<'t> {
    context: &'t RunContext<'t>,
    item: &'t PlannedItem,
    stage: &'t Stage<'t>,
    progress: &'t dyn RunProgress,
}

impl Transfer<'_> {
    /// Stages an item from the upstream of its narinfo, or else from the next one
    /// whose files are as promised. The plan holds the references of the first, so
    /// another narinfo counts only if it refers to the same.
    fn files_of_any(&self) -> Result<Vec<NewFile>, FetchError> {
        let lookup = self.context.lookup;
        let store_path = &self.item.narinfo.store_path;
        let mut staged = self.files();
        let mut next = self.item.upstream + 1;
        while let Err(
            FetchError::Refused(reason) | FetchError::Broken(reason, _) | FetchError::NoNar(reason),
        ) = &staged
            && let Ok(other) = lookup.fetch(&ItemRef::from(store_path), next)
        {
            next = other.upstream + 1;
            if other.narinfo.references == self.item.narinfo.references {
                self.context.observer.notify(Event::NextUpstream {
                    item: store_path,
                    reason,
                    upstream: lookup.upstreams[other.upstream].base(),
                });
                let item = &other;
                staged = Transfer { item, ..*self }.files();
            }
        }
        staged
    }

    /// Stages an item's narinfo and every nar that it lists: a client takes the one
    /// that it likes best, so all must be there.
    fn files(&self) -> Result<Vec<NewFile>, FetchError> {
        if !self.item.delta_sources.is_empty() {
            return self.delta_files();
        }
        let narinfo = &self.item.narinfo;
        let mut files = Vec::new();
        let mut variants: Vec<&Variant> = narinfo.variants.iter().collect();
        let failed = self.context.failed_nars.before(&self.item.hash());
        variants.sort_by_key(|variant| Some(&variant.url) != failed);
        for variant in variants {
            let added = self.nar(variant, Nar::AsItIs)?;
            files.push(new_nar(variant, added)?);
        }
        files.push(narinfo_file(self.stage, narinfo)?);
        Ok(files)
    }

    /// Stages a delta nar and the narinfo that lists it. The nar is that of the first
    /// variant that comes: all variants hold the same.
    fn delta_files(&self) -> Result<Vec<NewFile>, FetchError> {
        let failed = self.context.failed_nars.before(&self.item.hash());
        let mut sources: Vec<&Variant> = self.item.delta_sources.iter().collect();
        // Another that came is worth more than the smallest.
        sources.sort_by_key(|source| Some(&source.url) == failed);
        let mut first_error = None;
        for source in sources {
            match self.nar(source, Nar::Delta) {
                Ok(added) => return delta_nar(self.stage, &self.item.narinfo, added),
                Err(error @ FetchError::Node(_)) => return Err(error),
                Err(error) if self.context.budget.is_interrupted() => return Err(error),
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let none = || FetchError::Refused("its narinfo lists no nar that can be read".to_owned());
        Err(first_error.unwrap_or_else(none))
    }

    /// Stages a nar, in as many tries as the network may need.
    fn nar(&self, variant: &Variant, nar: Nar) -> Result<Added, FetchError> {
        let mut resumes = true;
        let stop = self.context.lookup.stop;
        let staged = retry::run(stop, || self.try_nar(variant, nar, &mut resumes));
        staged.map_err(|error| {
            let failed_nars = self.context.failed_nars;
            failed_nars.note(self.item.hash(), &variant.url);
            error.about(&variant.url)
        })
    }

    /// Stages a nar, in one try. If that is one that `resumes` and the nar does not
    /// come to be of its parts, the next one must fetch it as a whole.
    fn try_nar(
        &self,
        variant: &Variant,
        nar: Nar,
        resumes: &mut bool,
    ) -> Result<Added, FetchError> {
        let lookup = self.context.lookup;
        let upstream = &lookup.upstreams[self.item.upstream];
        let download = upstream.nar(&variant.url, resumes.then_some(lookup.stop))?;
        let coding = download.coding.clone();
        let is_resumed = Arc::clone(&download.is_resumed);
        let staged = self.checked(variant, nar, download);
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
        variant: &Variant,
        nar: Nar,
        download: Download,
    ) -> Result<Added, FetchError> {
        let (stage, narinfo) = (self.stage, &self.item.narinfo);
        let refused = |error: NarError| FetchError::Refused(error.to_string());
        let bytes = variant.file_size.or(download.length);
        let mut line = self.progress.download(narinfo.store_path.name(), bytes);
        let watched = Watched {
            reader: download.reader,
            progress: &*line,
        };
        let expected = ExpectedNar::of(narinfo, variant);
        let has_length = download.length.is_some();
        let added = match nar {
            Nar::AsItIs => {
                let verified = match has_length {
                    true => NarVerifier::new(watched, expected),
                    false => NarVerifier::without_length(watched, expected),
                };
                stage.file(&mut verified.map_err(refused)?)
            }
            Nar::Delta => {
                let content = match has_length {
                    true => NarReader::new(watched, expected),
                    false => NarReader::without_length(watched, expected),
                };
                stage.file_of_leaves(&mut Frames::new(content.map_err(refused)?))
            }
        };
        let added = staged(added)?;
        line.finish();
        Ok(added)
    }
}

/// The form in which a nar is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nar {
    /// The upstream's file.
    AsItIs,
    /// Its content, encoded as a delta nar.
    Delta,
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

/// The file of a delta nar, and the narinfo that lists it.
fn delta_nar(stage: &Stage, narinfo: &Narinfo, added: Added) -> Result<Vec<NewFile>, FetchError> {
    let listing = with_delta_nar(narinfo, added.size);
    let listed = listing
        .as_ref()
        .and_then(|narinfo| narinfo.variants.first());
    match (&listing, listed) {
        (Some(listing), Some(variant)) => Ok(vec![
            new_nar(variant, added)?,
            narinfo_file(stage, listing)?,
        ]),
        _ => Err(FetchError::Refused(
            "its narinfo has no place for a delta nar".to_owned(),
        )),
    }
}

fn new_nar(variant: &Variant, added: Added) -> Result<NewFile, FetchError> {
    let path = variant.path();
    let path = path.map_err(|error| FetchError::Refused(error.to_string()))?;
    Ok(NewFile {
        path: path.components().to_vec(),
        entry: added.into(),
    })
}

fn narinfo_file(stage: &Stage, narinfo: &Narinfo) -> Result<NewFile, FetchError> {
    let name = narinfo_name(&narinfo.store_path.hash());
    let added = staged(stage.file(&mut narinfo.bytes()))?;
    Ok(NewFile {
        path: vec![name],
        entry: added.into(),
    })
}
