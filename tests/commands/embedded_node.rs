//! The embedded node as a person meets it: inside a command, in the foreground,
//! killed, and asked by strangers.

use crate::support::{Mirror, TestNode, Upstream, fixture_roots, item};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

/// `guix-ipfs node` over a folder, until dropped.
struct Foreground {
    child: Child,
}

impl Foreground {
    fn start(mirror: &Mirror) -> Self {
        let mut command = mirror.command("node --rpc-port 0 --gateway-port 0");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert!(line.starts_with("RPC http://127.0.0.1:"), "{line}");
        Self { child }
    }

    /// As by `kill -9`.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A mirror on the node inside the program, over a folder in its home.
fn inside(upstream: &Upstream) -> Mirror {
    let mirror = Mirror::at("", upstream);
    let folder = mirror.home().join("node");
    mirror.with_api(&format!("embedded:{}", folder.display()))
}

#[test]
fn commands_share_a_folder_one_after_the_other() {
    let upstream = Upstream::of_fixtures();
    let mirror = inside(&upstream);
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
fn a_node_in_the_foreground_serves_those_who_name_its_folder() {
    let upstream = Upstream::of_fixtures();
    let mirror = inside(&upstream);
    let node = Foreground::start(&mirror);
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
    node.kill();
    // What it left behind is not taken for a node that runs.
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
    let second = Foreground::start(&mirror);
    let other = mirror.run("node --rpc-port 0 --gateway-port 0");
    other.exits(75).says("in use by process");
    drop(second);
}

#[test]
fn a_killed_node_holds_whole_blocks_or_none() {
    let upstream = Upstream::of_fixtures();
    let mirror = inside(&upstream);
    for delay in [0, 5, 20, 50, 90] {
        let node = Foreground::start(&mirror);
        let mut sync = mirror.command("sync --graft car");
        let mut sync = sync.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        node.kill();
        sync.wait().unwrap();
        let blocks = mirror.home().join("node/blocks");
        for block in walk(&blocks) {
            let name = block.file_name().unwrap().to_str().unwrap();
            if name.starts_with('.') {
                continue;
            }
            let hash = sha2_256(&std::fs::read(&block).unwrap());
            assert_eq!(name, format!("1220{hash}"));
        }
    }
    // Whatever was lost, the next run mends.
    mirror.run("sync").silently();
    assert_eq!(mirror.root(), fixture_roots(0)[2]);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
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

fn sha2_256(content: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(content);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

on_both_nodes!(the_collector_takes_what_is_not_pinned_and_nothing_else);

fn the_collector_takes_what_is_not_pinned_and_nothing_else(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let mirror = Mirror::new(node, &upstream);
    mirror.run("sync").silently();
    let garbage = node.add(b"nobody pins this");
    assert_eq!(
        node.rpc(&format!("block/stat?arg={garbage}&offline=true"))
            .status,
        200
    );
    let collected = node.rpc("repo/gc");
    assert_eq!(collected.status, 200, "{}", collected.text());
    let stat = node.rpc(&format!("block/stat?arg={garbage}&offline=true"));
    assert_eq!(stat.status, 500, "{}", stat.text());
    let root = mirror.root();
    for path in mirror.list() {
        let hash = &path["/gnu/store/".len()..][..32];
        let narinfo = node.get(&format!("/ipfs/{root}/{hash}.narinfo"));
        for url in narinfo
            .text()
            .lines()
            .filter_map(|line| line.strip_prefix("URL: "))
        {
            assert_eq!(
                node.get(&format!("/ipfs/{root}/{url}")).status,
                200,
                "{url}"
            );
        }
    }
    // Nothing is left to take.
    assert_eq!(node.rpc("repo/gc").text(), "");
    mirror.run("sync").silently();
}

#[test]
fn pages_of_a_browser_and_foreign_names_are_refused() {
    let node = TestNode::embedded();
    let ask = |base: &str, line: &str, headers: &str| {
        let address = base.strip_prefix("http://").unwrap();
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
    for (base, line) in [
        (&node.api, "POST /api/v0/version"),
        (
            &node.gateway,
            "GET /ipfs/QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn/x",
        ),
    ] {
        for foreign in [
            "Host: rebound.example\r\n",
            "Host: localhost\r\nOrigin: http://rebound.example\r\n",
            "Host: localhost\r\nReferer: http://rebound.example/page\r\n",
            "",
        ] {
            assert_eq!(ask(base, line, foreign), "403", "{foreign}");
        }
        assert_ne!(ask(base, line, "Host: localhost:1\r\n"), "403");
    }
    assert_eq!(
        ask(&node.api, "GET /api/v0/version", "Host: localhost\r\n"),
        "405"
    );
    assert_eq!(
        ask(&node.gateway, "POST /ipfs/x", "Host: localhost\r\n"),
        "405"
    );
}

/// The file of a key is what `ipfs key import` takes, and gives the same name.
#[test]
fn a_name_can_move_to_kubo() {
    let Some(kubo) = TestNode::kubo() else {
        return;
    };
    let upstream = Upstream::of_fixtures();
    let mirror = inside(&upstream);
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

/// A disk that takes no more is played by the system's limit of a file's size.
#[test]
fn a_full_disk_is_named_and_nothing_half_written_is_read_back() {
    let upstream = Upstream::of_fixtures();
    let mirror = inside(&upstream);
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
    mirror.run("verify --deep").silently();
    mirror.run(&add).silently();
    mirror.run("verify --deep").silently();
    assert_eq!(mirror.list().len(), 9);
}
