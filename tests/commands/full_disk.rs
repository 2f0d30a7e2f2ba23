//! Standard output that cannot be written to, or that nobody reads.

use crate::support::{Mirror, TestNode, Upstream, run};
use std::fs::File;
use std::process::Stdio;

on_both_nodes!(
    a_result_that_cannot_be_written_is_a_failure,
    a_result_that_nobody_reads_is_no_failure,
);

/// Runs that write a result.
const RESULTS: [&str; 9] = [
    "resolve",
    "resolve --long",
    "resolve --list",
    "resolve --json",
    "sync -n --from LIST",
    "sync --json",
    "completions bash",
    "man",
    "sync --help",
];

/// A mirror, and those runs with a list of items that are not mirrored yet.
fn mirror(node: &TestNode) -> (Mirror, Upstream, Vec<String>) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let list = mirror.home().join("list");
    std::fs::write(&list, "ifcypyirz39fix6ji7mblpsp5nfhmm7k").unwrap();
    let list = list.to_str().unwrap();
    let runs = RESULTS.map(|run| run.replace("LIST", list)).to_vec();
    (mirror, upstream, runs)
}

fn a_result_that_cannot_be_written_is_a_failure(node: &TestNode) {
    let (mirror, _upstream, runs) = mirror(node);
    for arguments in runs {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let child = mirror
            .command(&arguments)
            .stdout(full)
            .stderr(Stdio::piped())
            .spawn();
        let ended = child.unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(1), "{arguments}: {said}");
        assert_eq!(
            said,
            "guix-ipfs: cannot write to standard output: No space left on device (os error 28)\n",
            "{arguments}"
        );
    }
    // A command line that is wrong writes nothing there.
    run(&mut mirror.command("sync --latest x")).exits(2);
}

fn a_result_that_nobody_reads_is_no_failure(node: &TestNode) {
    let (mirror, _upstream, runs) = mirror(node);
    for arguments in runs {
        // As after `head` has seen enough.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = mirror.command(&arguments);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn();
        let ended = child.unwrap().wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{arguments}: {said}");
        assert_eq!(said, "", "{arguments}");
    }
}
