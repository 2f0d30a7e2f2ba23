//! `completions` and `man`: generated from the command line itself.

use crate::cli;
use crate::mirror::{Exit, Failure};
use crate::report::Report;
use clap::{Arg, Command, ValueEnum, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io;

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

/// The script for bash with two faults of clap_complete 4.6 mended: the verbs of a
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

/// Prints the man page: the program, then each verb with the options of its own.
pub fn man(report: &Report) -> Result<Exit, Failure> {
    let mut command = cli::command();
    let verbs: Vec<Command> = command.get_subcommands().cloned().collect();
    command.build();
    let program = Man::new(command);
    let mut page = Vec::new();
    program.render_title(&mut page)?;
    program.render_name_section(&mut page)?;
    program.render_synopsis_section(&mut page)?;
    program.render_description_section(&mut page)?;
    program.render_options_section(&mut page)?;
    for verb in verbs {
        page.extend_from_slice(about_verb(verb)?.as_bytes());
    }
    let mut extra = Vec::new();
    program.render_extra_section(&mut extra)?;
    let extra = String::from_utf8_lossy(&extra);
    let extra = extra.replace(".SH EXTRA", ".SH \"EXAMPLES AND EXIT CODES\"");
    page.extend_from_slice(extra.as_bytes());
    report.write(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}

/// A verb's section.
fn about_verb(verb: Command) -> io::Result<String> {
    let heading = format!(".SH \"GUIX\\-IPFS {}\"", verb.get_name().to_uppercase());
    let mut verb = verb.disable_help_flag(true);
    verb.build();
    let verb = Man::new(verb);
    let mut section = Vec::new();
    verb.render_description_section(&mut section)?;
    verb.render_options_section(&mut section)?;
    let section = String::from_utf8_lossy(&section);
    let section = section.replace(".SH DESCRIPTION", &heading);
    Ok(section.replace(".SH OPTIONS\n", ""))
}
