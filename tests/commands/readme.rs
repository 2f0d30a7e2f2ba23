//! The README's blocks, pasted into a shell as they stand.

use crate::support::{Mirror, Terminal, TestNode, Upstream, fixture, run};
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
on_kubo_alone!(the_blocks_of_a_user_and_of_a_host_do_what_they_say);

/// The blocks of code, by the beginning of their first line, each with the test that runs
/// it or the reason why none does.
const BLOCKS: [(&str, &str); 16] = [
    ("guix build hello", "needs a Guix"),
    ("scripts/demo", "run by .ci/run"),
    ("export GUIX_IPFS_API=embedded", "the_block_without_a_node"),
    (
        "guix-ipfs check NAME",
        "the_blocks_of_a_user_and_of_a_host, without guix",
    ),
    ("sudo guix archive --authorize", "needs a Guix and root"),
    ("(modify-services", "needs a Guix System"),
    (
        "guix-ipfs follow NAME",
        "the_blocks_of_a_user_and_of_a_host",
    ),
    (
        "*/15 * * * *",
        "a line for cron: read by options::what_the_readme",
    ),
    ("guix-ipfs sync ", "the_block_of_a_publisher"),
    (
        "ipfs config Provide",
        "needs a daemon of its own, started anew",
    ),
    ("sudo useradd", "needs root"),
    (
        "guix gc -R",
        "needs a Guix and the network: read by options::what_the_readme",
    ),
    (
        "17 * * * *",
        "a line for cron: read by options::what_the_readme",
    ),
    ("guix-ipfs sync --encoding delta", "delta::*"),
    (
        "ipfs pin remote service add",
        "needs a service: services::*",
    ),
    ("src/cli/", "the rooms: rooms.rs"),
];

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
    let block = block("Publish a mirror").replace("HASH", "vd8dhrxfry0ccfs98jyrfq9mxfpbc8w5");
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

fn the_blocks_of_a_user_and_of_a_host_do_what_they_say(node: &TestNode) {
    let upstream = farm();
    let publisher = Mirror::new(node, &upstream);
    publisher.run("sync").silently();
    let name = node.create_key("guix-ipfs");
    let other = Mirror::new(node, &upstream);
    for heading in ["Use a mirror", "Host a mirror"] {
        let block = block(heading).replace("NAME", &name);
        let lines = block.lines().filter(|line| line.starts_with("guix-ipfs "));
        let block = lines.collect::<Vec<_>>().join("\n");
        assert!(block.lines().count() >= 2, "{block}");
        let mut command = shell("sh", &other);
        command
            .arg("-ec")
            .arg(&block)
            .env("GUIX_IPFS_API", &node.api)
            .env("GUIX_IPFS_TRUSTED_KEYS", fixture("signing-key.pub"));
        let ran = run(&mut command).exits(0);
        let shown = ["good", "--substitute-urls="]
            .iter()
            .all(|it| ran.out.contains(it));
        assert!(shown || heading == "Host a mirror", "{ran:?}");
    }
    assert_eq!(other.run("follow --list").exits(0).out, "");
}

#[test]
fn every_block_is_run_or_has_a_reason_why_not() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let mut before = "";
    let mut firsts = Vec::new();
    for line in readme.lines() {
        let is_code = line.starts_with("    ");
        if is_code && before.is_empty() {
            firsts.push(line.trim_start());
        }
        before = line;
    }
    let known = BLOCKS.map(|(begin, _)| begin);
    let is_known = |first: &&&str| !known.iter().any(|begin| first.starts_with(begin));
    assert_eq!(
        firsts.iter().filter(is_known).collect::<Vec<_>>(),
        Vec::<&&str>::new()
    );
    assert_eq!(firsts.len(), known.len());
}

#[test]
fn each_fault_names_tests_that_are_there() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let faults = std::fs::read_to_string(tests.join("faults.md")).unwrap();
    let mut count = 0;
    for row in faults.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cell = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        for named in cell.split('`').skip(1).step_by(2) {
            let (file, test) = named.split_once("::").unwrap();
            let (file, test) = (file, test.trim_start_matches("kubo_alone::"));
            let sources =
                ["commands", "engine"].map(|room| tests.join(room).join(format!("{file}.rs")));
            let source = sources
                .iter()
                .find_map(|path| std::fs::read_to_string(path).ok());
            let source = source.unwrap_or_else(|| panic!("no file for {named}"));
            let begin = test.trim_end_matches('*');
            assert!(
                source.contains(&format!("fn {begin}")),
                "{named} is no test"
            );
            count += 1;
        }
    }
    assert!(count > 80, "{count}");
}
