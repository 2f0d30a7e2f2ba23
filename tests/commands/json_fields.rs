//! The fields of `--json`: each verb's help lists those that it prints, and no other.

use crate::support::{Item, Mirror, TestNode, Upstream, item, run};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

on_both_nodes!(each_verbs_help_lists_the_fields_that_it_prints);

/// The fields that the help of a verb lists, or of the program.
fn listed(verb: Option<&str>) -> BTreeSet<String> {
    let mut help = Command::new(env!("CARGO_BIN_EXE_guix-ipfs"));
    let help = run(help.args(verb).arg("--help")).exits(0).out;
    let (_, rest) = help.split_once("With --json:\n").unwrap();
    let lines = rest
        .lines()
        .take_while(|line| line.starts_with("  ") || line.is_empty());
    let field = |line: &str| {
        let (name, meaning) = line.strip_prefix("  ")?.split_once("  ")?;
        let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        (is_name && !name.is_empty() && !meaning.is_empty()).then(|| name.to_owned())
    };
    lines.filter_map(field).collect()
}

/// The fields that these runs print.
fn printed(mirror: &Mirror, runs: &[&str]) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for arguments in runs {
        let run = mirror.run(&format!("{arguments} --json")).exits(0);
        let sum: Value = serde_json::from_str(&run.out).unwrap();
        let keys = sum.as_object().unwrap().keys().cloned();
        fields.extend(keys.filter(|key| !["command", "seconds"].contains(&key.as_str())));
        assert!(
            sum["command"].is_string() && sum["seconds"].is_f64(),
            "{sum}"
        );
    }
    fields
}

/// A size that has room for most items, and not for all.
fn smaller(mirror: &Mirror) -> u64 {
    let long = mirror.run("resolve --long --json").exits(0).out;
    let long: Value = serde_json::from_str(&long).unwrap();
    long["bytes"].as_u64().unwrap() - 50_000
}

fn each_verbs_help_lists_the_fields_that_it_prints(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let holds = |verb: &str, runs: &[&str]| {
        assert_eq!(printed(&mirror, runs), listed(Some(verb)), "{verb}");
    };
    holds("init", &["init"]);
    let items: Vec<Item> = (0..4).map(|number| item(number, "x", 40_000)).collect();
    upstream.add_items(&items);
    let hashes: Vec<&str> = items.iter().map(|item| &*item.hash).collect();
    let adding = format!("add {}", hashes.join(" "));
    holds("add", &[&format!("{adding} --dry-run"), &adding]);
    mirror.run("sync").silently();
    let pruning = format!("--max-size {} --gc", smaller(&mirror));
    holds("sync", &["sync --dry-run", &format!("sync {pruning}")]);
    mirror.run(&adding).silently();
    let pruning = format!("--max-size {} --gc", smaller(&mirror));
    let prune = format!("prune {pruning}");
    holds(
        "prune",
        &[&format!("{} --dry-run", prune.replace(" --gc", "")), &prune],
    );
    holds("resolve", &["resolve", "resolve --long", "resolve --list"]);
    holds("check", &[&format!("check --gateway {}", node.gateway)]);
    mirror.run(&adding).silently();
    holds("remove", &[&format!("remove {} --gc", hashes[0])]);
    holds("verify", &["verify --repair"]);
    holds("gc", &["gc"]);
    if node.is_kubo() {
        let name = node.key_id("guix-ipfs").unwrap();
        let stop = format!("follow --stop {name} --gc");
        holds("follow", &[&format!("follow --unsigned {name}"), &stop]);
    }
    let other = tempfile::tempdir().unwrap();
    let key = other.path().join("key");
    let mut moving = format!("move --to embedded:{}/there", other.path().display());
    if node.is_kubo() {
        node.ipfs("key export", &["guix-ipfs", "-o", key.to_str().unwrap()]);
        moving = format!("{moving} --key-file {}", key.display());
    }
    holds("move", &[&moving]);
    let stopped = mirror.run("sync --from missing --json").exits(1).out;
    let stopped: Value = serde_json::from_str(&stopped).unwrap();
    let mut fields: BTreeSet<String> = stopped.as_object().unwrap().keys().cloned().collect();
    // A run that stops may stop before its verb is known.
    fields.insert("command".to_owned());
    assert_eq!(fields, listed(None));
}
