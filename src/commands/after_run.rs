//! The steps after a run: the pinning services, its notes, and a person's command where a
//! root was published.

use super::run_notes::{RunNotes, publishing};
use super::services;
use crate::cli::Cli;
use crate::mirror::Exit;
use crate::report::Report;
use std::process::{self, ExitStatus};

/// Takes the steps that follow a run with this exit code. Their failures are warnings.
/// `knows_root` is true for a run that has read what is published now.
pub fn finish(cli: &Cli, exit: Exit, knows_root: bool, notes: Option<&RunNotes>, report: &Report) {
    let args = publishing(&cli.command).map(|(_, args)| args);
    if knows_root && let Some(args) = args {
        services::look(cli, args, exit, report);
    }
    if let Some(notes) = notes {
        notes.write(exit);
    }
    // Last, because it may take its time.
    if let Some(command) = args.and_then(|args| args.after_publish.as_deref()) {
        after_publish(command, report);
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
