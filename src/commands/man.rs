//! `man`: the man page, generated from the command line itself.

use crate::cli;
use crate::mirror::{Exit, Failure};
use crate::report::Report;
use clap::Command;
use clap_mangen::Man;
use std::fmt::Write;
use std::io;

/// Prints the man page: the program, then each verb with the options of its own.
pub fn man(report: &Report) -> Result<Exit, Failure> {
    let mut command = cli::command();
    let verbs: Vec<Command> = command.get_subcommands().cloned().collect();
    command.build();
    let below = text_below(&command);
    let usage = usage(&mut command);
    let program = Man::new(command);
    let mut page = Vec::new();
    program.render_title(&mut page)?;
    program.render_name_section(&mut page)?;
    page.extend_from_slice(format!(".SH SYNOPSIS\n{usage}\n").as_bytes());
    program.render_description_section(&mut page)?;
    program.render_options_section(&mut page)?;
    for verb in verbs {
        page.extend_from_slice(about_verb(verb)?.as_bytes());
    }
    page.extend_from_slice(sections(&below, ".SH").as_bytes());
    report.write(&String::from_utf8_lossy(&page));
    Ok(Exit::Done)
}

/// A verb's section.
fn about_verb(verb: Command) -> io::Result<String> {
    let name = format!("guix-ipfs {}", verb.get_name());
    let heading = format!(".SH \"{}\"", escaped(&name.to_uppercase()));
    let mut verb = verb.disable_help_flag(true).bin_name(name);
    verb.build();
    let below = text_below(&verb);
    let usage = usage(&mut verb);
    let verb = Man::new(verb);
    let mut section = Vec::new();
    verb.render_description_section(&mut section)?;
    verb.render_options_section(&mut section)?;
    let section = String::from_utf8_lossy(&section);
    let synopsis = format!("{heading}\n{usage}\n.PP");
    let section = section.replace(".SH DESCRIPTION", &synopsis);
    let section = section.replace(".SH OPTIONS\n", "");
    Ok(section + &sections(&below, ".SS"))
}

/// The usage, in one line.
fn usage(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    escaped(usage.trim_start_matches("Usage: "))
}

/// The text that `--help` shows below the options.
fn text_below(command: &Command) -> String {
    let text = command.get_after_long_help();
    text.map(ToString::to_string).unwrap_or_default()
}

/// A text with its headings, its lines unbroken.
fn sections(text: &str, heading: &str) -> String {
    let mut roff = String::from(".PP\n.nf\n");
    for line in text.lines() {
        let title = line.strip_suffix(':').filter(|it| !it.starts_with(' '));
        // Writing into a string does not fail.
        let _ = match title {
            Some(title) => writeln!(roff, ".fi\n{heading} \"{}\"\n.nf", escaped(title)),
            None => writeln!(
                roff,
                "\\&{}",
                escaped(line.strip_prefix("  ").unwrap_or(line))
            ),
        };
    }
    roff + ".fi\n"
}

/// Text in which roff sees no hyphen to break at and no escape.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('-', "\\-")
}
