//! A client that was not written for this program: Nix, set up for Guix's
//! store, substitutes the published items.

#[allow(dead_code, unused_macros, unused_imports)]
#[path = "commands/support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::process::Command;
use support::{Mirror, TestNode, Upstream};
use tempfile::TempDir;

#[test]
#[ignore = "needs nix-store on PATH"]
fn a_closure_substitutes_from_a_local_store() {
    a_closure_substitutes_through_the_gateway(&TestNode::local());
}

#[test]
#[ignore = "needs nix-store on PATH, and a real Kubo: scripts/test"]
fn a_closure_substitutes_from_kubo() {
    a_closure_substitutes_through_the_gateway(&TestNode::kubo());
}

#[test]
#[ignore = "needs nix-store on PATH"]
fn a_closure_substitutes_before_and_after_a_move_to_a_local_store() {
    a_closure_substitutes_before_and_after_a_move(&TestNode::local());
}

#[test]
#[ignore = "needs nix-store on PATH, and a real Kubo: scripts/test"]
fn a_closure_substitutes_before_and_after_a_move_from_kubo() {
    a_closure_substitutes_before_and_after_a_move(&TestNode::kubo());
}

#[test]
#[ignore = "needs nix-store on PATH"]
fn a_delta_nar_substitutes_from_a_local_store() {
    a_delta_nar_substitutes(&TestNode::local());
}

#[test]
#[ignore = "needs nix-store on PATH, and a real Kubo: scripts/test"]
fn a_delta_nar_substitutes_from_kubo() {
    a_delta_nar_substitutes(&TestNode::kubo());
}

/// An item of 640 KiB.
const BIG: &str = "/gnu/store/xgnd1mpzzjwy9jcm4lgr00liwmnfzn94-rig-big-0.0.1";
const REFERS: &str = "/gnu/store/yjawwm7f7ipzmqkvafs4rczshnmhs2mh-rig-refers-0.1";
/// The paths that it refers to, itself among them.
const CLOSURE: [&str; 3] = [
    "/gnu/store/21q7lx382p28sibkw2l721ybjxymkh1a-rig-hello.txt",
    "/gnu/store/y023qcgjv7nsp8snwi2q1569mig8hyjj-rig-tools-1.2.3",
    REFERS,
];

struct Nix {
    program: PathBuf,
    /// The folder of its store, which it takes for `/gnu/store`.
    root: TempDir,
    substituter: String,
}

impl Nix {
    fn new(substituter: String) -> Self {
        let paths = std::env::var_os("PATH").unwrap();
        let mut programs = std::env::split_paths(&paths).map(|folder| folder.join("nix-store"));
        Self {
            program: programs.find(|program| program.is_file()).unwrap(),
            root: tempfile::tempdir().unwrap(),
            substituter,
        }
    }

    /// Runs nix-store, which must succeed, and gives what it printed, in lines.
    fn run(&self, arguments: &[&str]) -> Vec<String> {
        let root = self.root.path();
        let mut command = Command::new(&self.program);
        command
            .env_clear()
            .env("HOME", root)
            .env("NIX_STORE_DIR", "/gnu/store")
            .env("NIX_CONF_DIR", root)
            .args(["--store", root.to_str().unwrap()])
            .args(["--option", "substituters", &self.substituter])
            .args(["--option", "require-sigs", "false"])
            .args(["--option", "build-users-group", ""])
            .args(["--option", "sandbox", "false"])
            .args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

fn a_closure_substitutes_through_the_gateway(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let every_variant = ("all", "");
    let zstd_alone = ("zstd", "--compression zstd");
    for (key, option) in [every_variant, zstd_alone] {
        let run = mirror.run(&format!("add {REFERS} {option} --key {key}"));
        run.silently();
        let name = node.key_id(key).unwrap();
        let nix = Nix::new(format!("{}/ipns/{name}", node.gateway));
        nix.run(&["--realise", REFERS]);
        let mut closure = nix.run(&["--query", "--requisites", REFERS]);
        closure.sort();
        assert_eq!(closure, CLOSURE);
        // Hashes again what lies in the store.
        nix.run(&[&["--verify-path"], &CLOSURE[..]].concat());
    }
}

/// Many frames, and beside them an item that is too small for that.
fn a_delta_nar_substitutes(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("add {BIG} {REFERS} --encoding delta"))
        .silently();
    let published = node.published(&mirror.root());
    let deltas = published.files.keys();
    assert_eq!(
        deltas
            .filter(|path| path.starts_with("nar/delta1/"))
            .count(),
        1
    );
    let name = node.key_id("guix-ipfs").unwrap();
    let nix = Nix::new(format!("{}/ipns/{name}", node.gateway));
    nix.run(&["--realise", BIG, REFERS]);
    nix.run(&[&["--verify-path", BIG], &CLOSURE[..]].concat());
}

/// From a local store to the other node, and back: the path below the gateway is the
/// same.
fn a_closure_substitutes_before_and_after_a_move(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let origin = TestNode::local();
    let mirror = Mirror::new(&origin, &upstream);
    mirror.run(&format!("add {REFERS}")).silently();
    let name = origin.key_id("guix-ipfs").unwrap();
    let substitutes_from = |node: &TestNode| {
        let nix = Nix::new(format!("{}/ipns/{name}", node.gateway));
        nix.run(&["--realise", REFERS]);
        nix.run(&[&["--verify-path"], &CLOSURE[..]].concat());
    };
    substitutes_from(&origin);
    for (from, to) in [(&origin, node), (node, &origin)] {
        let (from, to_api) = (&from.api, &to.api);
        let run = mirror.run(&format!("--api {from} move --to {to_api}"));
        run.exits(0);
        to.collect_garbage();
        substitutes_from(to);
    }
}
