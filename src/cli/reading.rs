//! The reading of the command line and of the variables that stand for options.

use super::help::{command, each_arg, for_a_screen};
use super::lists;
use super::options::Cli;
use crate::util::printable::printable;
use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, Error, FromArgMatches};
use std::borrow::Cow;
use std::ffi::OsString;

/// Reads the command line of this process and its variables; an empty variable counts
/// as unset.
///
/// # Errors
/// A command line that is wrong or asks for help, with the text for the person.
pub fn parse() -> Result<Cli, Error> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = match arguments.iter().any(|argument| argument == "-h") {
        true => for_a_screen(command()),
        false => command(),
    };
    let read = |mut command: Command| command.try_get_matches_from_mut(&arguments);
    let unless_empty = |arg: Arg| match variable_of(&arg) {
        Some(value) if lists::is_empty(&value) => without_variable(arg),
        _ => arg,
    };
    let error = match read(each_arg(command.clone(), &unless_empty)) {
        Ok(mut matches) => return Cli::from_arg_matches_mut(&mut matches),
        Err(error) => error,
    };
    match error.kind() {
        // Every variable is shown, the empty ones too.
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return Err(read(command).err().unwrap_or(error));
        }
        _ => {}
    }
    Err(match read(each_arg(command.clone(), &without_variable)) {
        Err(error) => with_printable_values(error),
        Ok(matches) => with_printable_values(naming_variables(error, command, &matches)),
    })
}

fn variable_of(arg: &Arg) -> Option<OsString> {
    std::env::var_os(arg.get_env()?)
}

fn without_variable(arg: Arg) -> Arg {
    arg.env(Resettable::Reset)
}

/// The error of a command line that is right without its variables, `alone`: each
/// option that a variable gave is named by the variable.
fn naming_variables(mut error: Error, mut command: Command, alone: &ArgMatches) -> Error {
    command.build();
    let (verb, of_verb) = alone.subcommand().unzip();
    let verb = verb.and_then(|verb| command.find_subcommand(verb));
    let verb = verb.unwrap_or(&command);
    let is_typed = |arg: &Arg| {
        let id = arg.get_id().as_str();
        let matches = [Some(alone), of_verb].into_iter().flatten();
        let mut sources = matches.map(|matches: &ArgMatches| {
            let is_known = matches.try_contains_id(id).is_ok();
            is_known.then(|| matches.value_source(id)).flatten()
        });
        sources.any(|source| source == Some(ValueSource::CommandLine))
    };
    let from_variable = |shown: &str| {
        let mut args = verb.get_arguments();
        let arg = args.find(|arg| arg.to_string() == shown && !is_typed(arg))?;
        let variable = arg.get_env()?;
        std::env::var_os(variable)?;
        Some(format!("${} ({shown})", variable.to_string_lossy()))
    };
    for kind in [ContextKind::InvalidArg, ContextKind::PriorArg] {
        if let Some(ContextValue::String(shown)) = error.get(kind)
            && let Some(named) = from_variable(shown)
        {
            error.insert(kind, ContextValue::String(named));
        }
    }
    error
}

/// The error with what a person, or a script, gave as it can be printed.
fn with_printable_values(mut error: Error) -> Error {
    let mut escaped = Vec::new();
    for (kind, value) in error.context() {
        if let ContextValue::String(text) = value
            && let Cow::Owned(text) = printable(text)
        {
            escaped.push((kind, text));
        }
    }
    // A suggestion repeats the value with styles, and is of no use for such a one.
    if !escaped.is_empty() {
        error.remove(ContextKind::Suggested);
    }
    for (kind, text) in escaped {
        error.insert(kind, ContextValue::String(text));
    }
    error
}
