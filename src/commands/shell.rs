//! `completions` and `man`: generated from the command line itself.

use crate::cli;
use crate::mirror::{Exit, Failure};
use clap::Command;
use clap_mangen::Man;
use std::io::{self, Write};

/// Prints the completions of a shell.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "guix-ipfs", &mut text);
    io::stdout().write_all(&text)?;
    Ok(Exit::Done)
}

/// Prints the man page: the program, then each verb with the options of its own.
pub fn man() -> Result<Exit, Failure> {
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
    io::stdout().write_all(&page)?;
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
