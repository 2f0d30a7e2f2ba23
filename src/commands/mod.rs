//! One file a verb; the only room that sees all others.

mod add;
mod batch;
mod count;
mod farm;
mod init;
mod lists;
mod mirror;
mod mirroring;
mod node;
mod parallel;
mod plan;
mod refusals;
mod remove;
mod resolve;
mod retry;
mod scan;
mod session;
mod settle;
mod shell;
mod source;
mod stop;
mod sync;
mod transfer;
mod upstreams;
mod verify;

use crate::cli::{Cli, Command};
use crate::failure::Exit;
use crate::report::Report;

/// Runs a command line to its end and says what stopped it, if anything did.
pub fn run(cli: &Cli) -> Exit {
    let global = &cli.global;
    let report = Report::new(global.verbose, global.quiet, global.json);
    let ended = match &cli.command {
        Command::Sync(args) => sync::run(global, args, &report),
        Command::Add(args) => add::run(global, args, &report),
        Command::Resolve(args) => resolve::run(global, args, &report),
        Command::Init(args) => init::run(global, args, &report),
        Command::Remove(args) => remove::run(global, args, &report),
        Command::Verify(args) => verify::run(global, args, &report),
        Command::Node(args) => node::run(global, args, &report),
        Command::Completions { shell } => shell::completions(*shell),
        Command::Man => shell::man(),
    };
    ended.unwrap_or_else(|failure| {
        let exit = failure.exit();
        report.failed(&failure.to_string(), exit as u8, failure.is_silent());
        exit
    })
}
