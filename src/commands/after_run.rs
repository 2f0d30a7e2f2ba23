//! The steps after a run: the pinning services, its notes, and a person's command where a
//! root was published.

use super::run_notes::{Effect, RunNotes};
use super::services;
use crate::cli::{Cli, Command, PublishArgs};
use crate::mirror::Exit;
use crate::report::Report;
use std::process::{self, ExitStatus};
use std::sync::Arc;

/// The notes that a run of this command line is to leave.
pub fn notes(cli: &Cli, report: &Arc<Report>) -> Option<RunNotes> {
    let (command, args) = publishing(&cli.command)?;
    let effect = match &cli.command {
        Command::Verify(args) if !args.repair => Effect::Reading,
        _ => Effect::Publication,
    };
    let report = Arc::clone(report);
    Some(RunNotes::new(report, command, &cli.global, args, effect))
}

/// Takes the steps that follow a run with this exit code. Their failures are warnings.
/// `knows_root` is true for a run that has read what is published now.
pub fn finish(cli: &Cli, exit: Exit, knows_root: bool, notes: Option<&RunNotes>, report: &Report) {
    if knows_root && let Some((_, args)) = publishing(&cli.command) {
        services::look(cli, args, exit, report);
    }
    if let Some(notes) = notes {
        notes.write(exit);
    }
    // Last, because it may take its time.
    if let Some((_, args)) = publishing(&cli.command)
        && let Some(command) = &args.after_publish
    {
        after_publish(command, report);
    }
}

/// The verb and its options of publishing, for a run that may change something.
fn publishing(command: &Command) -> Option<(&'static str, &PublishArgs)> {
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

/// Runs a person's command where the run published a root.
fn after_publish(command: &str, report: &Report) {
    let Some(publication) = report.publications().publication() else {
        return;
    };
    let previous = publication.previous.map(|root| root.to_string());
    let ended = process::Command::new("sh")
        // Standard output is for the results of the run.
        .args(["-c", &format!("exec 1>&2\n{command}")])
        .env("GUIX_IPFS_NAME", &publication.name)
        .env("GUIX_IPFS_ROOT", publication.root.to_string())
        .env("GUIX_IPFS_PREVIOUS", previous.unwrap_or_default())
        // A run of this program in it would call it again.
        .env_remove("GUIX_IPFS_AFTER_PUBLISH")
        .stdin(process::Stdio::null())
        .status();
    let fault = match ended {
        Ok(status) if status.success() => return,
        Ok(status) => reason(status),
        Err(error) => format!("cannot be started: {error}"),
    };
    report.warn(
        &format!("the command of --after-publish {fault}; the root is published"),
        Some("run it by hand with GUIX_IPFS_NAME, GUIX_IPFS_ROOT and GUIX_IPFS_PREVIOUS set"),
    );
}

fn reason(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("failed with exit code {code}"),
        None => format!("was ended by a signal ({status})"),
    }
}
