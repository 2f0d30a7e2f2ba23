//! The local store as a person meets it: inside a command, served to others, killed,
//! shared, and asked by strangers.

use crate::support::{Mirror, TestNode, Upstream, fixture_roots, item};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

/// `guix-ipfs node` over a folder, until dropped.
struct Served {
    child: Child,
    gateway: String,
}

impl Served {
    fn start(mirror: &Mirror) -> Self {
        let mut command = mirror.command("node --gateway-port 0");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let gateway = line.trim().strip_prefix("gateway ").unwrap().to_owned();
        Self { child, gateway }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let config = ureq::Agent::config_builder().http_status_as_error(false);
        let agent = ureq::Agent::new_with_config(config.proxy(None).build());
        let mut answer = agent.get(format!("{}{path}", self.gateway)).call().unwrap();
        let status = answer.status().as_u16();
        (status, answer.body_mut().read_to_string().unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A mirror on a local store in a folder of its home.
fn local(upstream: &Upstream) -> Mirror {
    let mirror = Mirror::at("", upstream);
    let folder = mirror.home().join("node");
    mirror.with_api(&format!("embedded:{}", folder.display()))
}

#[test]
fn commands_share_a_folder_one_after_the_other() {
    let upstream = Upstream::of_fixtures();
    let mirror = local(&upstream);
    mirror.run("sync --no-closure").silently();
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

#[test]
fn without_a_folder_the_users_data_folder_is_taken() {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::at("embedded", &upstream);
    mirror.run("init").silently();
    assert!(mirror.home().join(".local/share/guix-ipfs/blocks").is_dir());
}

#[test]
fn a_folder_is_served_while_others_write_to_it() {
    let upstream = Upstream::of_fixtures();
    let mirror = local(&upstream);
    mirror.run("init").silently();
    let served = Served::start(&mirror);
    mirror.run("sync").silently();
    let long = mirror.run("resolve --long").exits(0).out;
    let name = mirror.run("resolve --json").exits(0).out;
    let name: serde_json::Value = serde_json::from_str(&name).unwrap();
    let base = format!("{}/ipns/{}", served.gateway, name["name"].as_str().unwrap());
    assert!(
        long.contains(&format!("--substitute-urls=\"{base} ")),
        "{long}"
    );
    let path = &base[served.gateway.len()..];
    for listed in mirror.list() {
        let hash = &listed["/gnu/store/".len()..][..32];
        let (status, narinfo) = served.get(&format!("{path}/{hash}.narinfo"));
        assert!(
            status == 200 && narinfo.contains(&listed),
            "{status} {narinfo}"
        );
    }
    let (status, page) = served.get(&format!("{path}/nar/"));
    assert!(status == 200 && page.contains("gzip"), "{status} {page}");
    // A folder has one gateway that the program knows.
    mirror
        .run("node --gateway-port 0")
        .exits(75)
        .says("is in use by process");
    drop(served);
    let long = mirror.run("resolve --long").exits(0).out;
    assert!(long.contains("`guix-ipfs node` serves it"), "{long}");
    drop(Served::start(&mirror));
}

#[test]
fn a_killed_writer_leaves_whole_blocks_or_none() {
    let upstream = Upstream::of_fixtures();
    let mirror = local(&upstream);
    for delay in [0, 5, 20, 50, 90] {
        let mut sync = mirror.command("sync --graft car");
        let mut sync = sync.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        sync.kill().unwrap();
        sync.wait().unwrap();
        let blocks = mirror.home().join("node/blocks");
        for block in walk(&blocks).into_iter().filter(|path| path.is_file()) {
            let name = block.file_name().unwrap().to_str().unwrap();
            if name.starts_with('.') {
                continue;
            }
            let hash = Sha256::digest(std::fs::read(&block).unwrap());
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(name, format!("1220{hash}"));
        }
    }
    // The next run replaces whatever was lost.
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut open = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        match path.is_dir() {
            true => open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path())),
            false => files.push(path),
        }
    }
    files
}

on_both_nodes!(the_collector_takes_what_is_not_pinned_and_nothing_else);

fn the_collector_takes_what_is_not_pinned_and_nothing_else(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let garbage = node.add(b"nobody pins this");
    assert!(node.has_block(&garbage));
    node.collect_garbage();
    assert!(!node.has_block(&garbage));
    let published = node.published(&mirror.root());
    published.judge();
    published.judge_closures();
    // Nothing is left to take.
    assert_eq!(node.collect_garbage(), 0);
    mirror.run("sync").silently();
}

#[test]
fn pages_of_a_browser_and_foreign_names_are_refused() {
    let node = TestNode::local();
    let ask = |line: &str, headers: &str| {
        let address = node.gateway.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "{line} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer[9..12].to_owned()
    };
    let line = "GET /ipfs/QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn/x";
    for foreign in [
        "Host: rebound.example\r\n",
        "Host: localhost\r\nOrigin: http://rebound.example\r\n",
        "Host: localhost\r\nReferer: http://rebound.example/page\r\n",
        "",
    ] {
        assert_eq!(ask(line, foreign), "403", "{foreign}");
    }
    assert_ne!(ask(line, "Host: localhost:1\r\n"), "403");
    assert_eq!(ask("POST /ipfs/x", "Host: localhost\r\n"), "405");
}

/// The file of a key is what `ipfs key import` takes, and gives the same name.
#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn a_name_can_move_to_kubo() {
    let kubo = TestNode::kubo();
    let upstream = Upstream::of_fixtures();
    let mirror = local(&upstream);
    mirror.run("init").silently();
    let keys = mirror.home().join("node/keys");
    let resolved = mirror.run("resolve --json").exits(0).out;
    let resolved: serde_json::Value = serde_json::from_str(&resolved).unwrap();
    let import = "key/import?arg=moved&format=libp2p-protobuf-cleartext";
    let answer = kubo.upload(import, &std::fs::read(keys.join("guix-ipfs")).unwrap());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let imported: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(imported["Id"], resolved["name"]);
}

/// The system's limit of a file's size stands for a disk that is full.
#[test]
fn a_full_disk_is_named_and_nothing_half_written_is_read_back() {
    let node = TestNode::local();
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(&node, &upstream);
    mirror.run("sync").silently();
    let large = item(1, "large", 300_000);
    upstream.add_items([&large]);
    let add = format!("add {}", large.hash);
    let limited = mirror.command(&add);
    let mut shell = std::process::Command::new("sh");
    // Without the trap the signal of the limit would end the program.
    shell.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\""]);
    shell.arg(limited.get_program()).args(limited.get_args());
    shell.env_clear();
    for (name, value) in limited.get_envs() {
        shell.env(name, value.unwrap());
    }
    crate::support::run(&mut shell)
        .exits(1)
        .says("File too large");
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
    node.published(&mirror.root()).judge();
    mirror.run(&add).silently();
    node.published(&mirror.root()).judge();
    assert_eq!(mirror.list().len(), 9);
}
