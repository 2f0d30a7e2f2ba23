//! The steps after a run: the file of its figures, and a person's command.

use crate::support::{Fault, Item, Mirror, Run, TestNode, Upstream, item, run};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

on_both_nodes!(
    every_run_leaves_its_figures,
    figures_that_cannot_be_written_are_a_warning,
    another_user_reads_the_figures_whatever_the_umask,
    figures_that_are_damaged_are_written_anew,
    a_place_that_is_no_file_stays_what_it_is,
    a_command_runs_once_after_a_root_was_published,
    a_command_runs_though_some_items_did_not_come,
    a_command_that_fails_is_a_warning,
);

#[test]
#[ignore = "needs promtool on PATH"]
fn prometheus_accepts_the_figures() {
    let upstream = Upstream::of_fixtures();
    let node = TestNode::local();
    let mirror = Mirror::new(&node, &upstream);
    let file = mirror.home().join("guix-ipfs.prom");
    let away = "sync --upstream http://127.0.0.1:9 --connect-timeout 1";
    let nobody = format!("add {}", "0".repeat(32));
    for (command, exit) in [(away, 75), ("sync", 0), (&nobody, 3), (away, 75)] {
        with_metrics(&mirror, command, &file).exits(exit);
        let text = std::fs::File::open(&file).unwrap();
        let checked = run(Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(text));
        assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""));
    }
}

fn with_metrics(mirror: &Mirror, command: &str, file: &Path) -> Run {
    run(&mut mirror.command(&format!("{command} --metrics {}", file.display())))
}

/// The figures of a file, by their names and labels without the key.
fn figures(file: &Path, key: &str) -> BTreeMap<String, f64> {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let figures = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = name.split_once('{').unwrap();
        let labels = labels.strip_prefix(&format!("key=\"{key}\"")).unwrap();
        let labels = labels.trim_start_matches(',').trim_end_matches('}');
        (format!("{name} {labels}"), value.parse().unwrap())
    });
    figures.collect()
}

fn seconds() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs_f64()
}

fn every_run_leaves_its_figures(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let file = mirror.home().join("guix-ipfs.prom");
    let began = seconds() - 1.0;
    with_metrics(&mirror, "sync", &file).exits(0);
    let first = figures(&file, "guix-ipfs");
    let of = |figures: &BTreeMap<String, f64>, name: &str| {
        let value = figures.get(&format!("guix_ipfs_{name}"));
        *value.unwrap_or_else(|| panic!("{name} is not in {figures:?}"))
    };
    assert_eq!(of(&first, "exit_code "), 0.0);
    assert_eq!(of(&first, "added_items "), mirror.list().len() as f64);
    assert!(of(&first, "added_bytes ") > 1000.0);
    let owed = of(&first, "owed_items ");
    assert!(of(&first, "tree_bytes ") > of(&first, "added_bytes "));
    assert_eq!(of(&first, "narinfos "), mirror.list().len() as f64);
    let success = of(&first, "last_success_timestamp_seconds ");
    assert!((began..=seconds()).contains(&success));
    let last_run = "last_run_timestamp_seconds command=\"sync\"";
    assert_eq!(of(&first, last_run), success);
    for phase in ["plan", "mirror"] {
        of(&first, &format!("phase_duration_seconds phase=\"{phase}\""));
    }
    let end = of(&first, "record_end_timestamp_seconds ");
    assert!((began + 47.0 * 3600.0..seconds() + 49.0 * 3600.0).contains(&end));

    // Nothing new, and an upstream that is away.
    with_metrics(&mirror, "sync", &file).exits(0);
    assert_eq!(of(&figures(&file, "guix-ipfs"), "added_items "), 0.0);
    let away = "sync --upstream http://127.0.0.1:9 --connect-timeout 1";
    std::thread::sleep(Duration::from_millis(1100));
    with_metrics(&mirror, away, &file).exits(75);
    let failed = figures(&file, "guix-ipfs");
    assert_eq!(of(&failed, "exit_code "), 75.0);
    assert!(of(&failed, last_run) > of(&failed, "last_success_timestamp_seconds "));
    assert_eq!(of(&failed, "tree_bytes "), of(&first, "tree_bytes "));
    assert_eq!(of(&failed, "owed_items "), owed);
    assert_eq!(of(&failed, "narinfos "), of(&first, "narinfos "));
    assert!(!failed.contains_key("guix_ipfs_added_bytes "), "{failed:?}");

    // An item that nobody has, and one that is taken out.
    let nobody = "0".repeat(32);
    with_metrics(&mirror, &format!("add {nobody}"), &file).exits(3);
    let partly = figures(&file, "guix-ipfs");
    assert_eq!(of(&partly, "missing_items "), 1.0);
    assert_eq!(of(&partly, "owed_items "), owed + 1.0);
    let new = item(1, "new", 100);
    upstream.add_items([&new]);
    with_metrics(&mirror, &format!("add {}", new.hash), &file).exits(0);
    with_metrics(&mirror, &format!("remove {}", new.hash), &file).exits(0);
    assert_eq!(of(&figures(&file, "guix-ipfs"), "removed_items "), 1.0);

    let before = of(&figures(&file, "guix-ipfs"), "tree_bytes ");
    let prune = format!("prune --max-size {}", before - 1.0);
    with_metrics(&mirror, &prune, &file).exits(0);
    let pruned = figures(&file, "guix-ipfs");
    assert!(of(&pruned, "pruned_items ") >= 1.0);
    let bytes = of(&pruned, "tree_bytes ");
    assert_eq!(bytes + of(&pruned, "pruned_bytes "), before);
    assert_eq!(of(&pruned, "narinfos "), mirror.list().len() as f64);

    // A dry run is none.
    let before = std::fs::read(&file).unwrap();
    with_metrics(&mirror, "sync --dry-run", &file).exits(0);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    let left = std::fs::read_dir(mirror.home()).unwrap();
    let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!names.into_iter().any(|name| name.starts_with(".tmp")));
}

fn figures_that_cannot_be_written_are_a_warning(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    for place in ["no-folder/file", ""] {
        let file = mirror.home().join(place);
        let run = with_metrics(&mirror, "sync", &file).exits(0);
        run.says("cannot write").says("--metrics");
    }
    assert!(!mirror.list().is_empty());
}

fn figures_that_are_damaged_are_written_anew(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let file = mirror.home().join("guix-ipfs.prom");
    for damage in [&b"\xff\xfe"[..], b"\0\0\0", b"# HELP \xc3"] {
        std::fs::write(&file, damage).unwrap();
        with_metrics(&mirror, "sync", &file).silently();
        assert_eq!(figures(&file, "guix-ipfs")["guix_ipfs_exit_code "], 0.0);
    }
}

/// The device that takes everything, an output, and a pipe that nobody reads.
fn a_place_that_is_no_file_stays_what_it_is(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let link = mirror.home().join("figures");
    let is_link = || std::fs::symlink_metadata(&link).unwrap().is_symlink();
    let checked = format!("check --gateway {}", upstream.url());
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    with_metrics(&mirror, "sync", &link).silently();
    assert!(is_link());
    with_metrics(&mirror, &checked, &link);
    assert!(is_link());
    let pipe = mirror.home().join("pipe");
    assert!(run(Command::new("mkfifo").arg(&pipe)).code == Some(0));
    with_metrics(&mirror, "sync", &pipe)
        .exits(0)
        .says("cannot write");
    assert!(!std::fs::metadata(&pipe).unwrap().is_file());
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
    let printed = with_metrics(&mirror, "sync", &link).exits(0).out;
    assert!(printed.contains("\nguix_ipfs_exit_code{"), "{printed}");
    assert!(is_link());
}

fn another_user_reads_the_figures_whatever_the_umask(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let file = mirror.home().join("guix-ipfs.prom");
    for umask in ["077", "027", "002"] {
        let program = mirror.command("init --anew --metrics");
        let mut shell = Command::new("sh");
        shell
            .env_clear()
            .envs(
                program
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .args(["-c", "umask $0; exec \"$@\"", umask])
            .arg(program.get_program())
            .args(program.get_args())
            .arg(&file);
        run(&mut shell).exits(0);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "umask {umask}");
    }
}

/// A command that appends what it is told to a file, and the file.
fn recording(mirror: &Mirror) -> (String, PathBuf) {
    let file = mirror.home().join("published");
    let words = "$GUIX_IPFS_NAME $GUIX_IPFS_ROOT $GUIX_IPFS_PREVIOUS";
    (
        format!("echo told; echo \"{words}\" >> {}", file.display()),
        file,
    )
}

fn after_publish(mirror: &Mirror, command: &str, after: &str) -> Run {
    run(mirror
        .command(command)
        .env("GUIX_IPFS_AFTER_PUBLISH", after))
}

fn a_command_runs_once_after_a_root_was_published(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let (command, file) = recording(&mirror);
    let first = after_publish(&mirror, "init", &command).exits(0);
    assert_eq!((first.out.as_str(), first.err.as_str()), ("", "told\n"));
    let begun = mirror.root();
    after_publish(&mirror, "sync --dry-run", &command).exits(0);
    // Several commits are one run.
    after_publish(&mirror, "sync --checkpoint 1", &command).exits(0);
    after_publish(&mirror, "sync", &command).silently();
    let root = mirror.root();
    let name = node.key_id("guix-ipfs").unwrap();
    let told = std::fs::read_to_string(file).unwrap();
    assert_eq!(told, format!("{name} {begun} \n{name} {root} {begun}\n"));
    // It may run the program itself: nothing is locked any more.
    let new = item(2, "new", 100);
    upstream.add_items([&new]);
    let again = format!("{} remove {}", env!("CARGO_BIN_EXE_guix-ipfs"), new.hash);
    after_publish(&mirror, &format!("add {}", new.hash), &again).exits(0);
    assert_eq!(mirror.root(), root);
}

fn a_command_runs_though_some_items_did_not_come(node: &TestNode) {
    let upstream = Upstream::empty();
    let mirror = Mirror::new(node, &upstream);
    let items: Vec<Item> = (0..4).map(|number| item(number, "x", 100)).collect();
    upstream.add_items(&items);
    let lost = items[3].nar();
    upstream.spoil(&lost, &[Fault::Status(500); 9]);
    let (command, file) = recording(&mirror);
    let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
    let add = format!("add {}", hashes.join(" "));
    after_publish(&mirror, &add, &command).exits(3);
    let told = std::fs::read_to_string(file).unwrap();
    assert!(told.contains(&mirror.root()), "{told}");
}

fn a_command_that_fails_is_a_warning(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let run = after_publish(&mirror, "init", "echo a reason >&2; exit 7").exits(0);
    run.says("a reason")
        .says("exit code 7")
        .says("GUIX_IPFS_ROOT");
    let run = after_publish(&mirror, "sync", "kill -9 $$").exits(0);
    run.says("signal: 9").says("the root is published");
    assert!(!mirror.list().is_empty());
}
