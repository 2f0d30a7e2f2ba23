//! The note of the last run: what `resolve --long` tells of a job that runs by itself.

use crate::support::{Fault, Mirror, Proxy, Run, Spoil, TestNode, Upstream, item, run, signal};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

on_both_nodes!(
    the_last_run_and_the_last_success_are_told,
    a_run_that_fails_keeps_the_last_success,
    a_run_that_changes_nothing_is_not_noted,
    nothing_is_noted_under_a_key_that_is_not_there,
    another_run_at_work_does_not_hide_the_last_success,
    a_note_that_cannot_be_written_is_a_warning,
    what_is_no_note_is_taken_for_none,
    others_are_told_that_they_have_noted_none,
    a_killed_run_leaves_the_older_note,
    a_run_that_a_second_signal_ends_leaves_its_notes,
);

/// The time of an older run, as it is kept and as it is shown.
const OLD: [&str; 2] = ["2026-11-26T05:10:00Z", "2026-11-26 05:10 UTC"];
const NONE: &str = "this user has recorded none on this machine";

fn state(mirror: &Mirror) -> PathBuf {
    mirror.home().join(".local/state/guix-ipfs")
}

/// The file of the last run.
fn file(node: &TestNode, mirror: &Mirror) -> PathBuf {
    let peer = &node.node().description().peer_id;
    let name = node.create_key("guix-ipfs");
    state(mirror).join(format!("{peer}-{name}.last-run.json"))
}

/// Replaces the note by that of an older run, which succeeded.
fn age(file: &Path) -> String {
    let old = json!({ "command": "sync", "end": OLD[0], "exit": 0, "last_success": OLD[0] });
    assert!(file.exists(), "{}", file.display());
    fs::write(file, old.to_string()).unwrap();
    old.to_string()
}

fn minutes(time: &Value) -> String {
    let time = time.as_str().unwrap();
    format!("{} {} UTC", &time[..10], &time[11..16])
}

/// The last run as `resolve --long` shows it, and as `--json` does.
fn told(mirror: &Mirror) -> (Option<String>, Value) {
    let long = mirror.run("resolve --long").exits(0).out;
    let row = long
        .lines()
        .find_map(|line| line.strip_prefix("last run  "));
    let json = mirror.run("resolve --long --json").exits(0).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    (row.map(str::to_owned), json["last_run"].clone())
}

/// Fails the test unless the last run is told as one that has just ended.
#[track_caller]
fn is_told(mirror: &Mirror, command: &str, exit: i32, how: &str) -> Value {
    let (row, json) = told(mirror);
    let age = humantime::parse_rfc3339(json["end"].as_str().unwrap_or_default());
    let age = age.unwrap().elapsed().unwrap_or_default();
    assert!(age < Duration::from_secs(120), "{json}");
    let row = row.unwrap_or_else(|| panic!("no row beside {json}"));
    assert_eq!(row, format!("{}, {command}: {how}", minutes(&json["end"])));
    assert_eq!(
        (&json["command"], &json["exit"]),
        (&json!(command), &json!(exit))
    );
    json
}

fn the_last_run_and_the_last_success_are_told(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init").silently();
    let first = is_told(&mirror, "init", 0, "done");
    assert_eq!(first["end"], first["last_success"]);
    let nobody = "0".repeat(32);
    let new = item(1, "new", 100);
    upstream.add_items([&new]);
    for (command, exit, how) in [
        ("sync", 0, "done"),
        // Nothing is new.
        ("sync", 0, "done"),
        (&format!("add {nobody}"), 3, "done, except for some items"),
        (&format!("add {}", new.hash), 0, "done"),
        (&format!("remove {}", new.hash), 0, "done"),
        ("verify --repair", 0, "done"),
        ("prune --keep-for 90d", 0, "done"),
    ] {
        age(&file(node, &mirror));
        mirror.run(command).exits(exit);
        let verb = command.split(' ').next().unwrap();
        let last = is_told(&mirror, verb, exit, how);
        assert_eq!(last["end"], last["last_success"], "{command}");
    }
    let left = fs::read_dir(state(&mirror)).unwrap();
    assert_eq!(left.count(), 2, "the lock and the note");
}

fn a_run_that_fails_keeps_the_last_success(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let again = "to be tried again (exit code 75)";
    let failed = "failed (exit code 1)";
    // It failed before it ever succeeded.
    mirror.run("init").silently();
    fs::remove_file(file(node, &mirror)).unwrap();
    let away = "sync -v --upstream http://127.0.0.1:9 --connect-timeout 1";
    mirror.run(away).exits(75);
    let last = is_told(
        &mirror,
        "sync",
        75,
        &format!("{again}; no success is known"),
    );
    assert_eq!(last["last_success"], Value::Null);
    fs::write(mirror.home().join("letter"), "Dear Alice").unwrap();
    for (command, exit, how) in [
        (away, 75, again),
        // These end before the node is asked for anything.
        ("sync --trusted-keys missing", 1, failed),
        ("sync --from missing", 1, failed),
        ("sync --from letter", 2, "failed (exit code 2)"),
        ("init", 1, failed),
        ("move --to embedded:other --key-file missing", 1, failed),
    ] {
        age(&file(node, &mirror));
        let run = run(mirror.command(command).current_dir(mirror.home()));
        assert!(!run.exits(exit).err.is_empty(), "{command}");
        let verb = command.split(' ').next().unwrap();
        let how = format!("{how}; last success {}", OLD[1]);
        let last = is_told(&mirror, verb, exit, &how);
        assert_eq!(last["last_success"], OLD[0], "{command}");
    }
}

fn a_run_that_changes_nothing_is_not_noted(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init").silently();
    let file = file(node, &mirror);
    let before = age(&file);
    for command in [
        "sync --dry-run",
        "add --dry-run 21q7lx382p28sibkw2l721ybjxymkh1a",
        "prune --dry-run --keep-for 90d",
        "verify",
        "resolve --list",
    ] {
        mirror.run(command).exits(0);
        assert_eq!(fs::read_to_string(&file).unwrap(), before, "{command}");
    }
}

fn nothing_is_noted_under_a_key_that_is_not_there(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for command in [
        "remove 21q7lx382p28sibkw2l721ybjxymkh1a",
        "verify --repair",
        "prune --keep-for 90d",
        "sync --trusted-keys missing",
        "move --to embedded:other",
    ] {
        run(mirror.command(command).current_dir(mirror.home())).exits(1);
        let left = fs::read_dir(state(&mirror)).into_iter().flatten();
        assert_eq!(left.count(), 0, "{command}");
    }
    assert_eq!(node.key_id("guix-ipfs"), None);
}

fn another_run_at_work_does_not_hide_the_last_success(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let note = file(node, &mirror);
    age(&note);
    let name = note.to_str().unwrap().replace(".last-run.json", ".lock");
    let lock = File::options().write(true).open(name).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    for _ in 0..2 {
        let run = mirror.run("sync").exits(75);
        assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
        let how = format!("to be tried again (exit code 75); last success {}", OLD[1]);
        is_told(&mirror, "sync", 75, &how);
    }
    flock(&lock, FlockOperation::Unlock).unwrap();
    mirror.run("sync").silently();
    is_told(&mirror, "sync", 0, "done");
}

fn a_note_that_cannot_be_written_is_a_warning(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init").silently();
    let file = file(node, &mirror);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let run = mirror.run("sync").exits(0);
    run.says("cannot record the last run")
        .says("XDG_STATE_HOME");
    assert!(!mirror.list().is_empty());
    assert_eq!(told(&mirror), (Some(NONE.to_owned()), Value::Null));
    fs::remove_dir(&file).unwrap();
    mirror.run("sync").silently();
    is_told(&mirror, "sync", 0, "done");
}

fn what_is_no_note_is_taken_for_none(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init").silently();
    let file = file(node, &mirror);
    let letter = mirror.home().join("letter");
    fs::write(&letter, "Dear Alice").unwrap();
    let link = |file: &Path| symlink(&letter, file).unwrap();
    let write = |text: &'static str| move |file: &Path| fs::write(file, text).unwrap();
    let spoils: [&dyn Fn(&Path); 4] = [
        &write(""),
        &write(r#"{"command": "sync", "end": "#),
        &write(r#"{"command": "sync", "end": "never", "exit": 0, "last_success": null}"#),
        &link,
    ];
    for spoil in spoils {
        fs::remove_file(&file).unwrap();
        spoil(&file);
        assert_eq!(told(&mirror), (Some(NONE.to_owned()), Value::Null));
        mirror.run("sync").silently();
        is_told(&mirror, "sync", 0, "done");
    }
    assert_eq!(fs::read_to_string(&letter).unwrap(), "Dear Alice");
}

fn others_are_told_that_they_have_noted_none(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let other = Mirror::new(node, &upstream);
    assert_eq!(told(&other), (Some(NONE.to_owned()), Value::Null));
    // A root has no runs.
    let root = mirror.root();
    let long = mirror.run(&format!("resolve --long /ipfs/{root}")).exits(0);
    assert!(!long.out.contains("last run"), "{long:?}");
    // Another key has runs of its own.
    mirror.run("init --key other").silently();
    is_told(&mirror, "sync", 0, "done");
}

/// Starts `sync` with an item that never comes, and waits until it has come to that.
fn stalled(mirror: &Mirror, upstream: &Upstream, options: &str) -> Child {
    let items = [item(0, "first", 2000), item(1, "second", 2000)];
    upstream.add_items(&items);
    let nar = items[1].nar();
    upstream.spoil(&nar, &[Fault::Stall(Duration::from_secs(100))]);
    let list = mirror.home().join("list");
    fs::write(&list, format!("{}\n{}", items[0].hash, items[1].hash)).unwrap();
    let sync = format!("sync --from {} {options}", list.display());
    let running = mirror.command(&sync).stderr(Stdio::piped()).spawn();
    let begun = Instant::now();
    while !upstream.has_asked(&nar) && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(10));
    }
    // The other job is done with what it has.
    std::thread::sleep(Duration::from_millis(500));
    running.unwrap()
}

fn a_killed_run_leaves_the_older_note(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init").silently();
    let file = file(node, &mirror);
    let before = age(&file);
    let mut running = stalled(&mirror, &upstream, "");
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert!(told(&mirror).0.unwrap().starts_with(OLD[1]));
}

fn ends(mut running: Child) -> Run {
    let mut err = String::new();
    let stderr = running.stderr.take();
    std::io::Read::read_to_string(&mut stderr.unwrap(), &mut err).unwrap();
    let code = running.wait().unwrap().code();
    let out = String::new();
    Run { code, out, err }
}

fn a_run_that_a_second_signal_ends_leaves_its_notes(node: &TestNode) {
    for (signals, exit) in [(["-TERM", "-TERM"], 143), (["-INT", "-INT"], 130)] {
        let upstream = Upstream::empty();
        let mut mirror = Mirror::new(node, &upstream);
        node.create_key("guix-ipfs");
        mirror.run("init --anew").exits(0);
        let note = file(node, &mirror);
        age(&note);
        let metrics = mirror.home().join("guix-ipfs.prom");
        fs::write(&metrics, "").unwrap();
        // The node makes the publication wait, which a first signal lets it begin.
        let proxy = node.is_kubo().then(|| Proxy::new(&node.api));
        if let Some(proxy) = &proxy {
            mirror = mirror.with_api(&proxy.url);
        }
        let options = format!("--jobs 2 --metrics {}", metrics.display());
        let running = stalled(&mirror, &upstream, &options);
        let folder = node.api.strip_prefix("embedded:");
        let lock = folder.map(|folder| File::open(format!("{folder}/lock")).unwrap());
        match (&lock, &proxy) {
            (Some(lock), _) => flock(lock, FlockOperation::LockExclusive).unwrap(),
            (_, Some(proxy)) => {
                proxy.spoil("name/publish", 0, Spoil::Late(Duration::from_secs(100)));
            }
            _ => unreachable!(),
        }
        let begun = Instant::now();
        for name in signals {
            signal(&running, name);
            std::thread::sleep(Duration::from_millis(700));
        }
        let run = ends(running).exits(exit);
        assert!(begun.elapsed() < Duration::from_secs(4), "{run:?}");
        assert_eq!(run.err, "", "it was asked to end");
        drop(lock);
        let figures = fs::read_to_string(&metrics).unwrap();
        let code = format!("guix_ipfs_exit_code{{key=\"guix-ipfs\"}} {exit}\n");
        assert!(figures.contains(&code), "{figures}");
        let how = format!("interrupted (exit code {exit}); last success {}", OLD[1]);
        is_told(&mirror, "sync", exit, &how);
        // The next run goes on.
        let list = mirror.home().join("list");
        let sync = format!("sync --from {}", list.display());
        mirror.run(&sync).silently();
        is_told(&mirror, "sync", 0, "done");
        assert_eq!(mirror.list().len(), 2);
    }
}

/// Without a run that could publish something, the first signal is the last.
#[test]
fn a_run_that_is_ended_while_it_waits_for_the_node_leaves_its_figures() {
    let upstream = Upstream::empty();
    let deaf = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mirror = Mirror::at(&format!("http://{}", deaf.local_addr().unwrap()), &upstream);
    for (command, name, exit) in [
        ("sync", "-TERM", 143),
        ("remove 21q7lx382p28sibkw2l721ybjxymkh1a", "-INT", 130),
        ("verify --repair", "-TERM", 143),
    ] {
        let metrics = mirror.home().join("guix-ipfs.prom");
        let command = format!("{command} --metrics {}", metrics.display());
        let mut command = mirror.command(&command);
        let running = command.stderr(Stdio::piped()).spawn().unwrap();
        let (_client, _) = deaf.accept().unwrap();
        signal(&running, name);
        assert_eq!(ends(running).exits(exit).err, "");
        let figures = fs::read_to_string(&metrics).unwrap();
        let code = format!("guix_ipfs_exit_code{{key=\"guix-ipfs\"}} {exit}\n");
        assert!(figures.contains(&code), "{figures}");
    }
}

#[test]
fn a_move_is_noted_on_both_nodes() {
    let upstream = Upstream::of_fixtures();
    let (old, new) = (TestNode::local(), TestNode::local());
    let mirror = Mirror::new(&old, &upstream);
    mirror.run("sync").silently();
    age(&file(&old, &mirror));
    mirror.run(&format!("move --to {}", new.api)).exits(0);
    is_told(&mirror, "move", 0, "done");
    age(&file(&new, &mirror));
    let mirror = mirror.with_api(&new.api);
    mirror.run("sync").silently();
    is_told(&mirror, "sync", 0, "done");
    // From the old one nothing is published any more.
    let mirror = mirror.with_api(&old.api);
    mirror.run("sync").exits(1);
    let (row, last) = told(&mirror);
    assert!(
        row.unwrap()
            .contains("sync: failed (exit code 1); last success")
    );
    assert!(last["last_success"].is_string(), "{last}");
}
