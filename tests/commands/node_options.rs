//! A node that is set up in another way than by default, and one that is not
//! there or not what it is taken for.

use crate::support::{Mirror, Proxy, Setup, TestNode, Upstream, fixture_roots, run};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

on_both_nodes!(a_proxy_in_the_environment_is_not_asked_for_the_node);

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_node_without_routing_is_told_apart_from_one_that_is_behind() {
    let upstream = Upstream::of_fixtures();
    for online in [true, false] {
        let without = |config: &mut Value| config["Routing"]["Type"] = json!("none");
        let node = TestNode::kubo_with(Setup {
            online,
            configure: &without,
            ..Setup::default()
        });
        let mirror = Mirror::new(&node, &upstream);
        if !online {
            // Such a node has its own records at least.
            mirror.run("sync").silently();
            continue;
        }
        for command in ["init", "sync", "sync --no-closure"] {
            let run = mirror.run(command).exits(1);
            let run = run.says("does not resolve: no record");
            let run = run.says("`ipfs config Routing.Type`");
            assert!(!run.err.contains("sequence number"), "{run:?}");
        }
    }
}

const SECRETS: [&str; 2] = ["hunter2-token", "hunter2-password"];

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn an_rpc_that_asks_who_one_is_takes_a_token_or_a_password() {
    let authorizations = |config: &mut Value| {
        config["API"]["Authorizations"] = json!({
            "token": {"AuthSecret": "bearer:hunter2-token", "AllowedPaths": ["/api/v0"]},
            "user": {"AuthSecret": "basic:me:hunter2-password", "AllowedPaths": ["/api/v0"]},
        });
    };
    let setup = Setup {
        configure: &authorizations,
        password: Some("me:hunter2-password"),
        ..Setup::default()
    };
    let node = TestNode::kubo_with(setup);
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&node, &upstream);
    let refused = mirror.run("sync").exits(1);
    refused.says("refuses access").says("GUIX_IPFS_API_AUTH");

    let file = mirror.home().join("secret");
    std::fs::write(&file, "basic:me:hunter2-password\n").unwrap();
    let file = file.to_str().unwrap();
    let in_url = node.api.replace("//", "//me:hunter2-password@");
    for (variable, value) in [
        ("GUIX_IPFS_API_AUTH", "bearer:hunter2-token"),
        ("GUIX_IPFS_API_AUTH", "basic:me:hunter2-password"),
        ("GUIX_IPFS_API_AUTH_FILE", file),
        ("GUIX_IPFS_API", &in_url),
    ] {
        run(mirror.command("sync").env(variable, value)).silently();
        let resolved = run(mirror.command("resolve").env(variable, value)).exits(0);
        assert!(resolved.out.contains(&fixture_roots(0)[2]), "{variable}");
    }
    for (variable, value, code) in [
        ("GUIX_IPFS_API_AUTH", "bearer:hunter2-token-of-another", 1),
        ("GUIX_IPFS_API_AUTH", "hunter2-token", 1),
        ("GUIX_IPFS_API_AUTH_FILE", "/hunter2/is/nowhere", 1),
        (
            "GUIX_IPFS_API",
            "http://me:hunter2-password@127.0.0.1:port",
            2,
        ),
        (
            "GUIX_IPFS_API",
            "http://me:hunter2-password@127.0.0.1:1",
            75,
        ),
    ] {
        let wrong = run(mirror.command("resolve -v").env(variable, value)).exits(code);
        for secret in SECRETS {
            let shown = format!("{}{}", wrong.out, wrong.err);
            assert!(!shown.contains(secret), "{variable}: {shown}");
        }
    }
    let mut help = mirror.command("sync --help");
    let help = help.env("GUIX_IPFS_API", &in_url);
    let help = run(help.env("GUIX_IPFS_API_AUTH", "bearer:hunter2-token")).exits(0);
    assert!(help.out.contains("--api-auth-file") && !help.out.contains("hunter2"));
}

fn a_proxy_in_the_environment_is_not_asked_for_the_node(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    let mut sync = mirror.command("sync");
    for variable in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "all_proxy",
        "ALL_PROXY",
    ] {
        sync.env(variable, "http://127.0.0.1:1");
    }
    run(&mut sync).silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn the_address_of_a_daemon_that_crashed_is_tried_and_named() {
    let mut node = TestNode::kubo();
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&node, &upstream);
    let without_api = |command: &str, repo: &Path| {
        let mut command = mirror.command(command);
        run(command.env_remove("GUIX_IPFS_API").env("IPFS_PATH", repo))
    };
    let repo = node.daemon().repo().to_owned();
    without_api("sync", &repo).silently();
    node.daemon_mut().kill();
    assert!(repo.join("api").is_file(), "a crash leaves the address");
    let gone = without_api("sync", &repo).exits(75);
    gone.says(&node.api).says("ipfs daemon");
    node.daemon_mut().restart();
    let resolved = without_api("resolve", &repo).exits(0);
    assert!(resolved.out.contains(&fixture_roots(0)[2]));
    std::fs::write(repo.join("api"), "nonsense").unwrap();
    without_api("resolve", &repo)
        .exits(1)
        .says("$IPFS_PATH/api");
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_repository_that_is_read_only_is_said_and_nothing_is_lost() {
    let setup = Setup {
        unprivileged: true,
        ..Setup::default()
    };
    let node = TestNode::kubo_with(setup);
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&node, &upstream);
    mirror.run("sync --no-closure").silently();
    let blocks = node.daemon().repo().join("blocks");
    for graft in ["car", "add-link"] {
        permit(&blocks, 0o555);
        let run = mirror.run(&format!("sync --graft {graft}"));
        permit(&blocks, 0o755);
        run.exits(1).says("permission denied");
        assert_eq!(mirror.root(), fixture_roots(0)[1]);
    }
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

/// Sets the permissions of a folder and of those in it.
fn permit(folder: &Path, mode: u32) {
    let folders = folder
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path());
    for folder in folders
        .filter(|path| path.is_dir())
        .chain([folder.to_owned()])
    {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(mode)).unwrap();
    }
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_node_that_starts_anew_in_the_middle_of_a_run_loses_nothing() {
    let mut node = TestNode::kubo();
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror.run("sync --no-closure").silently();
    proxy.calls();
    mirror.run("sync --dry-run").exits(0);
    let reading = proxy.calls().len();
    let mut failed = 0;
    for n in (1..=reading + 8).step_by(3) {
        let mut sync = mirror.command("sync --jobs 1");
        let sync = sync.stderr(Stdio::piped()).spawn().unwrap();
        let start = Instant::now();
        while proxy.seen() < n && start.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        node.daemon_mut().restart();
        let ended = sync.wait_with_output().unwrap();
        if !ended.status.success() {
            failed += 1;
            assert!(
                !ended.stderr.is_empty(),
                "call {n}: it ended without a word"
            );
        }
        let root = mirror.root();
        assert!(fixture_roots(0)[1..3].contains(&root), "call {n}: {root}");
        proxy.calls();
    }
    assert!(failed > 0, "no run met the restart");
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}
