//! The choice of the verb.

use super::{add, init, node, remove, resolve, shell, sync, verify};
use crate::cli::{Cli, Command};
use crate::mirror::Exit;
use crate::report::Report;

/// Runs a command line to its end, and reports the error that stopped it, if any.
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
        report.failure(&failure);
        failure.exit()
    })
}
