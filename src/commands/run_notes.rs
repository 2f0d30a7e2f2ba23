//! The notes of a run: the file of its figures, and the last run in the user's state
//! folder.

use super::open::open_node;
use crate::cli::{Cli, Command, GlobalArgs, PublishArgs};
use crate::mirror::{Exit, LastRun};
use crate::publication::PublicationView;
use crate::report::Report;
use crate::util::home::{BaseDirectory, folder};
use std::path::PathBuf;
use std::sync::{Arc, Once};

/// The notes of a run, which are written once: at its end, or when a signal ends it.
pub struct RunNotes {
    report: Arc<Report>,
    command: &'static str,
    key: String,
    metrics: Option<PathBuf>,
    /// A run that only reads does not count as an update of the mirror.
    may_publish: bool,
    written: Once,
}

impl RunNotes {
    /// Those that a run of this command line is to leave, if any.
    pub fn of(cli: &Cli, report: &Arc<Report>) -> Option<Self> {
        let (command, args) = publishing(&cli.command)?;
        let only_reads = matches!(&cli.command, Command::Verify(args) if !args.repair);
        Some(Self {
            report: Arc::clone(report),
            command,
            key: cli.global.key.clone(),
            metrics: args.metrics.clone(),
            may_publish: !only_reads,
            written: Once::new(),
        })
    }

    /// Finds the key of a run that ended before it had one, as with a list that
    /// cannot be read. Where there is none, there is nothing to note.
    pub fn find_key(&self, global: &GlobalArgs) {
        let log = self.report.publications();
        let is_due = self.may_publish && !self.written.is_completed();
        if !is_due || !log.writers().is_empty() {
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
        self.written.call_once(|| {
            if self.may_publish {
                self.write_last_run(exit);
            }
            if let Some(path) = &self.metrics {
                self.report
                    .write_metrics(path, self.command, &self.key, exit);
            }
        });
    }

    fn write_last_run(&self, exit: Exit) {
        let Ok(state) = folder(BaseDirectory::State) else {
            return;
        };
        for id in self.report.publications().writers() {
            if let Err(error) = LastRun::note(&state, &id, self.command, exit) {
                self.report.warn(
                    &format!("cannot record the last run in {}: {error}", state.display()),
                    Some("make the folder writable, or set XDG_STATE_HOME"),
                );
            }
        }
    }
}

/// The verb and its options of publishing, for a run that may change something.
pub fn publishing(command: &Command) -> Option<(&'static str, &PublishArgs)> {
    match command {
        Command::Sync(args) if args.mirror.dry_run => None,
        Command::Add(args) if args.mirror.dry_run => None,
        Command::Sync(args) => Some(("sync", &args.root.publish)),
        Command::Add(args) => Some(("add", &args.root.publish)),
        Command::Init(args) => Some(("init", &args.root.publish)),
        Command::Move(args) => Some(("move", &args.publish)),
        Command::Prune(args) if args.dry_run => None,
        Command::Prune(args) => Some(("prune", &args.root.publish)),
        Command::Remove(args) => Some(("remove", &args.root.publish)),
        Command::Verify(args) => Some(("verify", &args.publish)),
        _ => None,
    }
}
