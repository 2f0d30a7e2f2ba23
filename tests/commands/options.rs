//! Every option in `--help` and in the man page, and the command lines of the README and
//! of the set-up files.

use clap::{Arg, ArgAction, Command};
use guix_ipfs::cli;
use std::fmt::Write;
use std::path::Path;

/// The place of the options of every command.
const EVERY: &str = "every command";

/// The options, each with the verbs that take it.
fn options() -> Vec<(Arg, Vec<String>)> {
    // Not built: so that no verb has what every command takes.
    let command = cli::command();
    let mut options: Vec<(Arg, Vec<String>)> = Vec::new();
    let is_own = |arg: &&Arg| !["help", "version"].contains(&arg.get_id().as_str());
    for arg in command.get_arguments().filter(is_own) {
        options.push((arg.clone(), vec![EVERY.to_owned()]));
    }
    for verb in command.get_subcommands() {
        let name = verb.get_name().to_owned();
        let own = verb.get_arguments().filter(is_own);
        for arg in own.filter(|arg| !arg.is_positional()) {
            // One name may mean different things to two verbs.
            let is_same =
                |known: &Arg| known.get_id() == arg.get_id() && known.get_help() == arg.get_help();
            match options.iter_mut().find(|(known, _)| is_same(known)) {
                Some((_, verbs)) => verbs.push(name.clone()),
                None => options.push((arg.clone(), vec![name.clone()])),
            }
        }
    }
    options
}

/// `-s, --system SYSTEM`.
fn spelled(arg: &Arg) -> String {
    let mut text = String::new();
    if let Some(short) = arg.get_short() {
        write!(text, "-{short}, ").unwrap();
    }
    write!(text, "--{}", arg.get_long().unwrap()).unwrap();
    let names = arg.get_value_names().unwrap_or_default();
    if !matches!(arg.get_action(), ArgAction::SetTrue) && !names.is_empty() {
        write!(text, " {}", names[0]).unwrap();
    }
    text
}

#[test]
fn help_and_man_page_show_every_option_with_its_variable() {
    let program = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_guix-ipfs"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // In roff every hyphen is escaped.
    let manual = program(&["man"]).replace('\\', "");
    for (arg, verbs) in options() {
        let long = format!("--{}", arg.get_long().unwrap());
        assert!(manual.contains(&long), "{long} is not in the man page");
        for verb in verbs {
            let help = match verb.as_str() {
                EVERY => program(&["--help"]),
                verb => program(&[verb, "--help"]),
            };
            assert!(help.contains(&long), "{verb} --help lacks {long}");
            if let Some(variable) = arg.get_env() {
                let variable = variable.to_string_lossy();
                assert!(help.contains(&*variable), "{verb} --help lacks {variable}");
                assert!(
                    manual.contains(&*variable),
                    "{variable} is not in the man page"
                );
            }
        }
    }
}

/// The options that the design names; the other tests cover the rest.
#[test]
fn no_option_of_the_design_is_missing() {
    let spelled: Vec<String> = options().iter().map(|(arg, _)| spelled(arg)).collect();
    for option in DESIGNED {
        assert!(
            spelled.iter().any(|it| it == option),
            "{option}: {spelled:#?}"
        );
    }
}

const DESIGNED: [&str; 26] = [
    "--api ADDRESS",
    "--key KEY",
    "--upstream URL",
    "--jobs N",
    "--connect-timeout SECONDS",
    "--read-timeout SECONDS",
    "--json",
    "-v, --verbose",
    "-q, --quiet",
    "-n, --dry-run",
    "--no-closure",
    "--graft auto|add-link|car",
    "--max-nar-size SIZE",
    "--max-bytes SIZE",
    "--max-time DURATION",
    "--record-lifetime DURATION",
    "--allow-offline",
    "--latest N",
    "-s, --system SYSTEM",
    "--jobset JOBSET",
    "--from FILE",
    "--cid-version CID_VERSION",
    "--deep",
    "--repair",
    "--force",
    "--base CID",
];

/// The lines that a reader would copy: each is one that the program takes.
#[test]
fn what_the_readme_and_the_setup_run_is_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let setup = folder.join("scripts/setup").read_dir().unwrap();
    let mut files: Vec<_> = setup.map(|entry| entry.unwrap().path()).collect();
    files.push(folder.join("README.md"));
    let mut lines = 0;
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let spans = text.split('`').skip(1).step_by(2);
        let spans = spans.filter_map(|span| span.strip_prefix("guix-ipfs "));
        for arguments in text.lines().filter_map(command_in).chain(spans) {
            let is_pattern = ["HASH", "VERB", "--version"]
                .iter()
                .any(|word| arguments.contains(word));
            if is_pattern {
                continue;
            }
            lines += 1;
            let words = std::iter::once("guix-ipfs").chain(arguments.split_whitespace());
            if let Err(error) = cli::command().try_get_matches_from(words) {
                panic!("{}: {arguments}: {error}", file.display());
            }
        }
    }
    assert!(lines > 10, "{lines}");
}

/// The arguments of the program in a line that runs it.
fn command_in(line: &str) -> Option<&str> {
    let installed = line.split_once("/usr/local/bin/guix-ipfs ");
    let in_block = || {
        let code = line.strip_prefix("    ")?;
        code.trim_start().strip_prefix("guix-ipfs ")
    };
    let arguments = installed
        .map(|(_, arguments)| arguments)
        .or_else(in_block)?;
    let end = ["#", "|", ">", "&"]
        .iter()
        .filter_map(|end| arguments.find(end))
        .min();
    Some(&arguments[..end.unwrap_or(arguments.len())])
}

#[test]
fn every_verb_and_option_says_what_it_is_for() {
    fn check(command: &Command) {
        assert!(command.get_about().is_some(), "{}", command.get_name());
        for arg in command.get_arguments() {
            assert!(
                arg.get_help().is_some(),
                "{} {}",
                command.get_name(),
                arg.get_id()
            );
        }
    }
    let command = cli::command();
    check(&command);
    command.get_subcommands().for_each(check);
}
