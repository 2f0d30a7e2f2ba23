//! The notes of a run: the file of its figures, and the last run in the user's state
//! folder.

use super::open::open_node;
use crate::cli::{GlobalArgs, PublishArgs};
use crate::mirror::{Exit, LastRun};
use crate::publication::PublicationView;
use crate::report::{MeasuredRun, Report};
use crate::util::home::{BaseDirectory, folder};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The notes of a run, which are written once: at its end, or when a signal ends it.
pub struct RunNotes {
    report: Arc<Report>,
    /// `None` once they are written.
    due: Mutex<Option<Due>>,
}

struct Due {
    command: &'static str,
    key: String,
    metrics: Option<PathBuf>,
    effect: Effect,
}

/// The effect that a run may have. One that only reads does not count as an update of
/// the mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It reads.
    Reading,
    /// It may publish.
    Publication,
}

impl RunNotes {
    /// Those of a run of this verb.
    pub fn new(
        report: Arc<Report>,
        command: &'static str,
        global: &GlobalArgs,
        args: &PublishArgs,
        effect: Effect,
    ) -> Self {
        let due = Due {
            command,
            key: global.key.clone(),
            metrics: args.metrics.clone(),
            effect,
        };
        let due = Mutex::new(Some(due));
        Self { report, due }
    }

    /// Finds the key of a run that ended before it had one, as with a list that
    /// cannot be read. Where there is none, there is nothing to note.
    pub fn find_key(&self, global: &GlobalArgs) {
        let log = self.report.publications();
        let is_due = |due: &Due| due.effect == Effect::Publication;
        if !self.lock().as_ref().is_some_and(is_due) || !log.writers().is_empty() {
            return;
        }
        // The run has reported what can be wrong with the node.
        let Ok(node) = open_node(global) else {
            return;
        };
        if let Ok(Some(view)) = PublicationView::of_key(&*node, &global.key) {
            log.note_writer(view.id());
        }
    }

    /// Writes them, unless they are written. A failure is a warning.
    pub fn write(&self, exit: Exit) {
        let mut due = self.lock();
        if let Some(due) = due.take() {
            due.write(exit, &self.report);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Due>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Due {
    fn write(&self, exit: Exit, report: &Report) {
        if self.effect == Effect::Publication {
            self.write_last_run(exit, report);
        }
        let run = MeasuredRun {
            command: self.command,
            key: &self.key,
            exit,
        };
        if let Some(path) = &self.metrics
            && let Err(error) = report.write_metrics(path, &run)
        {
            report.warn(
                &format!("cannot write {}: {error}", path.display()),
                Some("give --metrics a file in a folder that this user may write to"),
            );
        }
    }

    fn write_last_run(&self, exit: Exit, report: &Report) {
        let Ok(state) = folder(BaseDirectory::State) else {
            return;
        };
        for id in report.publications().writers() {
            if let Err(error) = LastRun::note(&state, &id, self.command, exit) {
                report.warn(
                    &format!("cannot record the last run in {}: {error}", state.display()),
                    Some("make the folder writable, or set XDG_STATE_HOME"),
                );
            }
        }
    }
}
