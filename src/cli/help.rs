//! The help: `-h` fits a screen, `--help` has everything.

use super::options::Cli;
use clap::builder::FalseyValueParser;
use clap::{Arg, ArgAction, Command, CommandFactory, ValueHint};

/// The options that `-h` shows of a verb.
const EVERYDAY: &str = "\
    api key verbose quiet latest system from dry_run compressions max_time long gateways sample \
    wait list cid_version gateway_port deep repair to key_file keep_for max_size follow_max_size \
    unsigned accept_loss stop force";

/// More options that it shows of some verbs.
const OF_VERBS: [(&str, &[&str]); 3] = [
    ("encoding", &["sync", "init"]),
    ("upstreams", &["sync", "add", "verify"]),
    ("allow_offline", &["sync", "add", "init"]),
];

/// The command line as a whole: `--help`, the man page and the completions are made from
/// it. Here are the rules that hold for all options.
pub fn command() -> Command {
    let command = Cli::command().mut_args(|arg| arg.global(true));
    each_arg(command, &|arg| {
        // The text of an option names its values.
        let hides_values = arg.get_action().takes_values() && !arg.is_positional();
        // The values of variables may hold passwords.
        let arg = arg.hide_possible_values(hides_values).hide_env_values(true);
        match (arg.get_action(), arg.get_value_hint()) {
            // `0`, `no` and `false` in a variable are a flag that is not given.
            (ArgAction::SetTrue, _) => arg.value_parser(FalseyValueParser::new()),
            (_, ValueHint::AnyPath) => arg.value_hint(ValueHint::FilePath),
            _ => arg,
        }
    })
}

/// Leaves out of `-h` the variables and the less usual options; the program's own
/// `-h` is about its verbs.
pub(super) fn for_a_screen(command: Command) -> Command {
    let everyday: Vec<&str> = EVERYDAY.split(' ').collect();
    let mut command = each_arg(command, &|arg| {
        let is_everyday = arg.is_positional() || everyday.contains(&arg.get_id().as_str());
        arg.hide_short_help(!is_everyday).hide_env(true)
    });
    // Gives the verbs their copies of what every command takes.
    command.build();
    for (option, verbs) in OF_VERBS {
        for verb in verbs {
            command = command.mut_subcommand(verb, |verb| {
                verb.mut_args(|arg| match arg.get_id() == option {
                    true => arg.hide_short_help(false),
                    false => arg,
                })
            });
        }
    }
    command.mut_args(|arg| {
        let is_own = ["help", "version"].contains(&arg.get_id().as_str());
        arg.hide_short_help(!is_own)
    })
}

/// The same command with every option and argument changed, those of the verbs too.
pub fn each_arg(command: Command, change: &dyn Fn(Arg) -> Arg) -> Command {
    command
        .mut_args(change)
        .mut_subcommands(|verb| each_arg(verb, change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::iter;

    /// Lines and columns of the smallest terminal in use.
    const SCREEN: (usize, usize) = (24, 80);

    #[test]
    fn short_help_fits_a_screen() {
        let mut program = for_a_screen(command());
        program.build();
        // `guix-ipfs help -h` is no page of its own.
        let verbs = program.get_subcommands();
        let verbs = verbs.filter(|verb| verb.get_name() != "help");
        for command in iter::once(&program).chain(verbs) {
            let verb = command.get_name();
            let mut command = command.clone().term_width(SCREEN.1);
            let page = command.render_help().to_string();
            let lines = page.lines().count();
            assert!(
                lines <= SCREEN.0,
                "guix-ipfs {verb} -h has {lines} lines:\n{page}"
            );
            let wide = page.lines().find(|line| line.chars().count() > SCREEN.1);
            assert_eq!(wide, None, "guix-ipfs {verb} -h");
            assert!(
                page.contains("see more with '--help'"),
                "guix-ipfs {verb} -h"
            );
        }
    }
}
