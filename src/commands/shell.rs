//! `completions`: generated from the command line itself.

use crate::cli;
use crate::mirror::{Exit, Failure};
use crate::report::Report;
use clap::{Arg, ValueEnum, ValueHint};
use clap_complete::Shell;

/// Prints the completions of a shell.
pub fn completions(shell: Shell, report: &Report) -> Result<Exit, Failure> {
    let mut command = cli::each_arg(cli::command(), &without_files);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "guix-ipfs", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    report.write(&match shell {
        Shell::Bash => mended(&script),
        Shell::Fish => script + &arguments_in_fish(),
        _ => script,
    });
    Ok(Exit::Done)
}

/// Offers files only where the value is one.
fn without_files(arg: Arg) -> Arg {
    match arg.get_value_hint() {
        ValueHint::Unknown if arg.get_action().takes_values() => arg.value_hint(ValueHint::Other),
        _ => arg,
    }
}

/// The script for bash with two faults of clap_complete 4.6 fixed: the verbs of a
/// program with a hyphen in its name are never found, because the hyphen is replaced
/// in two ways, and where nothing is to be offered bash offers files.
fn mended(script: &str) -> String {
    script
        .replace("guix__subcmd__ipfs", "guix__ipfs")
        .replace(" -o bashdefault -o default", "")
}

/// The lines for fish that clap_complete 4.6 leaves out: no files after a verb but where
/// an option takes one, and the shells of `completions`.
fn arguments_in_fish() -> String {
    let shells = Shell::value_variants().iter().map(ToString::to_string);
    let shells: Vec<String> = shells.collect();
    format!(
        "complete -c guix-ipfs -n \"not __fish_guix_ipfs_needs_command\" -f\n\
         complete -c guix-ipfs -n \"__fish_guix_ipfs_using_subcommand completions\" -f -a \"{}\"\n",
        shells.join(" ")
    )
}
