//! The choice of the verb.

use super::run_notes::RunNotes;
use super::{
    add, after_run, check, follow, gc, init, man, move_verb, node, prune, remove, resolve, shell,
    sync, verify,
};
use crate::cli::{Cli, Command};
use crate::mirror::{Exit, Failure};
use crate::report::Report;
use crate::util::stop::{Ending, on_signals};
use std::sync::Arc;

/// Runs a command line to its end, and reports the error that stopped it, if any.
pub fn run(command_line: &Result<Cli, clap::Error>) -> Exit {
    let cli = match command_line {
        Ok(cli) => cli,
        Err(error) => return explain(error),
    };
    let global = &cli.global;
    let report = Arc::new(Report::new(global.verbose, global.quiet, global.json));
    let notes = RunNotes::of(cli, &report).map(Arc::new);
    wait_for_signals(&report, notes.as_ref());
    let ended = match &cli.command {
        Command::Sync(args) => sync::run(global, args, &report),
        Command::Add(args) => add::run(global, args, &report),
        Command::Resolve(args) => resolve::run(global, args, &report),
        Command::Follow(args) => follow::run(global, args, &report),
        Command::Check(args) => check::run(global, args, &report),
        Command::Init(args) => init::run(global, args, &report),
        Command::Remove(args) => remove::run(global, args, &report),
        Command::Prune(args) => prune::run(global, args, &report),
        Command::Verify(args) => verify::run(global, args, &report),
        Command::Gc => gc::run(global, &report),
        Command::Move(args) => move_verb::run(global, args, &report),
        Command::Node(args) => node::run(global, args, &report),
        Command::Completions { shell } => shell::completions(*shell, &report),
        Command::Man => man::man(&report),
    };
    let has_node = !matches!(&ended, Err(Failure::Open(_)));
    // A farm that is away leaves the root as it is. After another failure it is not known
    // whether this run is the one to speak for the name.
    let knows_root = match &ended {
        Ok(_) => true,
        Err(failure) => {
            let has_begun = !report.publications().writers().is_empty();
            has_begun && failure.exit() == Exit::TryLater && !failure.is_silent()
        }
    };
    let job = job(cli);
    let exit = ended.unwrap_or_else(|failure| {
        report.failure(job.as_deref(), &failure);
        failure.exit()
    });
    let exit = report.end(exit);
    if let Some(job) = job.filter(|_| exit.is_success()) {
        report.job_succeeded(&job);
    }
    if let Some(notes) = notes.as_ref().filter(|_| has_node) {
        notes.find_key(global);
    }
    after_run::finish(cli, exit, knows_root, notes.as_deref(), &report);
    exit
}

/// The name of a job that runs by itself; `None` for a verb that a person runs.
fn job(cli: &Cli) -> Option<String> {
    let verb = match &cli.command {
        Command::Sync(_) => "sync",
        Command::Prune(_) => "prune",
        Command::Verify(_) => "verify",
        Command::Follow(args) => return Some(format!("follow {}", args.names.join(" "))),
        _ => return None,
    };
    Some(format!("{verb} {}", cli.global.key))
}

/// Ensures that a run which a signal ends says so and leaves its notes. Where signals
/// cannot be waited for, the system ends the process.
fn wait_for_signals(report: &Arc<Report>, notes: Option<&Arc<RunNotes>>) {
    if !report.is_watched() && notes.is_none() {
        return;
    }
    let (report, notes) = (Arc::clone(report), notes.cloned());
    let _ = on_signals(move |ending| {
        report.interrupted(ending);
        if let (Ending::Now(signal), Some(notes)) = (ending, &notes) {
            notes.write(Exit::of_signal(signal));
        }
    });
}

/// Prints the help that was asked for, or the fault of the command line.
fn explain(error: &clap::Error) -> Exit {
    let report = Report::new(false, false, false);
    if let Err(error) = error.print() {
        report.not_written(error);
    }
    report.end(match error.exit_code() {
        0 => Exit::Done,
        _ => Exit::Usage,
    })
}
