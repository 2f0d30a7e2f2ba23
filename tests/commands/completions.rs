//! The completions, tried in the shells themselves.

use crate::support::Terminal;
use std::process::Command;

in_each_shell!(words_and_closed_values_are_completed_and_files_where_files_are);

/// A line up to the tabulator key, and the words that it is completed to.
const COMPLETED: [(&str, &str); 13] = [
    ("syn", "<sync>"),
    ("sync --graft c", "<sync><--graft><car>"),
    ("add --compression z", "<add><--compression><zstd>"),
    ("init --cid-version 1", "<init><--cid-version><1>"),
    ("sync --encoding d", "<sync><--encoding><delta>"),
    ("sync --late", "<sync><--latest>"),
    ("verify --dee", "<verify><--deep>"),
    ("completions z", "<completions><zsh>"),
    ("sync --from some-f", "<sync><--from><some-file>"),
    (
        "sync --trusted-keys some-f",
        "<sync><--trusted-keys><some-file>",
    ),
    // A value of one's own, and no file.
    ("sync --base some-f", "<sync><--base><some-f>"),
    ("add some-f", "<add><some-f>"),
    ("resolve --key some-f", "<resolve><--key><some-f>"),
];

fn words_and_closed_values_are_completed_and_files_where_files_are(shell: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("some-file"), "").unwrap();
    let program = Command::new(env!("CARGO_BIN_EXE_guix-ipfs"))
        .args(["completions", shell])
        .output();
    let script = folder.path().join("_guix-ipfs");
    std::fs::write(script, program.unwrap().stdout).unwrap();
    match shell {
        "fish" => in_fish(folder.path()),
        _ => by_key(shell, folder.path()),
    }
}

/// Types each line, the tabulator key and the return key, with something in place of
/// the program that shows its arguments.
fn by_key(shell: &str, folder: &std::path::Path) {
    let mut command = Command::new(shell);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", folder)
        .env("PS1", "$ ")
        .current_dir(folder)
        .args(match shell {
            "bash" => &["--norc", "--noprofile", "-i"][..],
            _ => &["-f", "-i"],
        });
    let terminal = Terminal::start(&command);
    let begin = match shell {
        "bash" => "source ./_guix-ipfs",
        _ => "autoload -U compinit; compinit -D -u; source ./_guix-ipfs",
    };
    terminal.types(&format!("{begin}\n"));
    terminal.types("guix-ipfs() { printf '<%s>' \"$@\"; echo .; }; echo rea''dy\n");
    terminal.waits_for(1, "ready");
    for (number, (typed, _)) in COMPLETED.iter().enumerate() {
        terminal.types(&format!("guix-ipfs {typed}\t"));
        // Some shells drop what is typed while they complete.
        std::thread::sleep(std::time::Duration::from_millis(100));
        terminal.types("\n");
        terminal.waits_for(number + 1, ">.");
    }
    terminal.types("exit\n");
    let (_, shown) = terminal.ends();
    let words = shown.lines().filter(|line| line.trim_end().ends_with(">."));
    let words = words.map(|line| &line[line.find('<').unwrap()..]);
    let words: Vec<&str> = words
        .map(|line| line.trim_end().trim_end_matches('.'))
        .collect();
    assert_eq!(words, COMPLETED.map(|(_, words)| words), "{shown}");
}

/// Asks the shell for its proposals.
fn in_fish(folder: &std::path::Path) {
    for (typed, words) in COMPLETED {
        let script = format!("source ./_guix-ipfs; complete -C 'guix-ipfs {typed}'");
        let asked = Command::new("fish")
            .args(["--no-config", "-c", &script])
            .env("HOME", folder)
            .current_dir(folder)
            .output()
            .unwrap();
        let proposals = String::from_utf8(asked.stdout).unwrap();
        let proposals: Vec<&str> = proposals
            .lines()
            .filter_map(|line| line.split('\t').next())
            .collect();
        let begun = typed.rsplit(' ').next().unwrap();
        let expected = words.rsplit('<').next().unwrap().trim_end_matches('>');
        match expected == begun && begun != "1" {
            true => assert!(proposals.is_empty(), "{typed}: {proposals:?}"),
            false => assert_eq!(proposals, [expected], "{typed}"),
        }
    }
}
