//! The lock files: where they lie, and what they are not.

use crate::support::{Mirror, Proxy, Spoil, TestNode, Upstream, fixture_roots};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

on_both_nodes!(a_lock_file_that_is_a_link_leads_nowhere);
on_kubo_alone!(an_id_that_is_no_id_becomes_no_file);

fn lock_file(node: &TestNode, mirror: &Mirror) -> PathBuf {
    let peer = &node.node().description().peer_id;
    let name = node.create_key("guix-ipfs");
    let state = mirror.home().join(".local/state/guix-ipfs");
    state.join(format!("{peer}-{name}.lock"))
}

fn a_lock_file_that_is_a_link_leads_nowhere(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync --no-closure").silently();
    let lock = lock_file(node, &mirror);
    let (letter, folder) = (mirror.home().join("letter"), mirror.home().join("folder"));
    fs::write(&letter, "Dear Alice").unwrap();
    fs::create_dir(&folder).unwrap();
    let nothing = mirror.home().join("nothing");
    for target in [&letter, &nothing, &folder] {
        fs::remove_file(&lock).unwrap();
        symlink(target, &lock).unwrap();
        let run = mirror.run("sync").exits(1).says("cannot lock");
        run.says(lock.to_str().unwrap()).says("a symbolic link");
        assert_eq!(mirror.root(), fixture_roots(0)[1]);
    }
    assert_eq!(fs::read_to_string(&letter).unwrap(), "Dear Alice");
    assert!(!nothing.exists());
    fs::remove_file(&lock).unwrap();
    mirror.run("sync").silently();
}

const PEER: &str = r#"{"ID":"../../../peer","AgentVersion":"kubo/0.42.0"}"#;
const NO_PEER: &str = r#"{"ID":"","AgentVersion":"kubo/0.42.0"}"#;
const KEYS: &str = r#"{"Keys":[{"Name":"guix-ipfs","Id":"k51/../../../key"}]}"#;
const KEY: &str = r#"{"Name":"guix-ipfs.guix-ipfs-new","Id":"../k51"}"#;

fn an_id_that_is_no_id_becomes_no_file(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    for (command, answer, named) in [
        ("id", PEER, "\"../../../peer\""),
        ("id", NO_PEER, "\"\""),
        ("key/list", KEYS, "\"k51/../../../key\""),
        ("key/gen", KEY, "\"../k51\""),
    ] {
        proxy.spoil(command, 0, Spoil::Answer(200, answer));
        let run = mirror.run("sync").exits(1);
        run.says("gave an unexpected answer").says(named);
        assert!(!proxy.is_waiting(), "{command}");
    }
    let mut found = fs::read_dir(mirror.home()).unwrap();
    assert!(found.all(|entry| entry.unwrap().file_name() == ".cache"));
}
