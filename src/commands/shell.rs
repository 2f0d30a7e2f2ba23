//! `completions` and `man`: generated from the command line itself.

use crate::cli::Cli;
use crate::failure::{Exit, Failure};
use clap::CommandFactory;
use std::io::{self, Write};

/// Prints the completions of a shell.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "guix-ipfs", &mut text);
    io::stdout().write_all(&text)?;
    Ok(Exit::Done)
}

/// Prints the man page of the program and, after it, of each verb.
pub fn man() -> Result<Exit, Failure> {
    let mut text = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for verb in command
        .get_subcommands()
        .filter(|verb| verb.get_name() != "help")
    {
        clap_mangen::Man::new(verb.clone()).render(&mut text)?;
    }
    io::stdout().write_all(&text)?;
    Ok(Exit::Done)
}
