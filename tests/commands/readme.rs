//! The README's blocks, pasted into a shell as they stand.

use crate::support::{Mirror, Terminal, TestNode, Upstream, run};
use std::path::Path;
use std::process::Command;

mod in_bash {
    #[test]
    #[ignore = "needs bash: scripts/test"]
    fn the_block_without_a_node_does_what_it_says() {
        super::the_block_without_a_node_does_what_it_says();
    }
}

on_both_nodes!(the_block_of_a_publisher_does_what_it_says);

/// The lines of the first block of code below a heading.
fn block(heading: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let (_, section) = readme.split_once(&format!("## {heading}\n")).unwrap();
    let lines = section.lines().skip_while(|line| !line.starts_with("    "));
    let lines = lines.take_while(|line| line.starts_with("    "));
    lines.map(|line| format!("{}\n", &line[4..])).collect()
}

/// A build farm whose latest builds include `hello`.
fn farm() -> Upstream {
    let upstream = Upstream::of_fixtures();
    upstream.edit("api/latestbuilds", |list| {
        let list = String::from_utf8(list).unwrap();
        assert!(list.contains("\"rig-tools-1.2.3\""), "{list}");
        list.replace("\"rig-tools-1.2.3\"", "\"hello-2.12.1\"")
            .into_bytes()
    });
    upstream
}

/// A shell whose home, upstream and program are the test's, as a person has begun it.
fn shell(name: &str, mirror: &Mirror) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_guix-ipfs"));
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new(name);
    let program = mirror.command("");
    let variables = program.get_envs();
    shell
        .env_clear()
        .envs(variables.filter_map(|(name, value)| Some((name, value?))))
        // What the reader sets, and what would need a free port.
        .env_remove("GUIX_IPFS_API")
        .env_remove("GUIX_IPFS_ALLOW_OFFLINE")
        .env("GUIX_IPFS_GATEWAY_PORT", "0")
        .env("PATH", path)
        .env("PS1", "$ ");
    shell
}

fn the_block_without_a_node_does_what_it_says() {
    let upstream = farm();
    let mirror = Mirror::at("embedded", &upstream);
    let mut command = shell("bash", &mirror);
    command.args(["--norc", "--noprofile", "-i"]);
    let terminal = Terminal::start(&command);
    let block = block("Try it without a node");
    assert!(
        block.contains("add -v hello") && block.contains("node &"),
        "{block}"
    );
    terminal.types(&block);
    terminal.types("echo co''de $?\n");
    terminal.waits_for(1, "code ");
    terminal.types("kill %1; wait; exit\n");
    let (_, shown) = terminal.ends();
    assert!(shown.contains("code 0"), "{shown}");
    assert!(shown.contains("hello is /gnu/store/"), "{shown}");
    assert!(shown.contains("mirrored "), "{shown}");
    assert!(shown.contains("gateway http://127.0.0.1:"), "{shown}");
    assert!(
        shown.contains("--substitute-urls=\"http://127.0.0.1:"),
        "{shown}"
    );
    assert!(!shown.contains("guix-ipfs: "), "{shown}");
    assert_eq!(mirror.list().len(), 1, "{shown}");
}

fn the_block_of_a_publisher_does_what_it_says(node: &TestNode) {
    let upstream = farm();
    let mirror = Mirror::new(node, &upstream);
    // Nothing refers to this one.
    let block = block("Publish").replace("HASH", "vd8dhrxfry0ccfs98jyrfq9mxfpbc8w5");
    assert!(block.lines().count() >= 5, "{block}");
    let mut command = shell("sh", &mirror);
    command
        .arg("-ec")
        .arg(&block)
        .env("GUIX_IPFS_API", &node.api)
        .env("GUIX_IPFS_ALLOW_OFFLINE", "1");
    let ran = run(&mut command).exits(0);
    assert!(ran.out.contains("narinfos  8"), "{ran:?}");
    assert_eq!(mirror.list().len(), 7);
}
