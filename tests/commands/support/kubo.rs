//! A real Kubo, offline on loopback, with its own repository. The program
//! `ipfs` on the PATH is used, or the one that `GUIX_IPFS_TEST_KUBO` names.

use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a daemon may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

pub struct Kubo {
    pub api: String,
    pub gateway: String,
    daemon: Child,
    program: PathBuf,
    repo: TempDir,
}

impl Kubo {
    pub fn start() -> Option<Self> {
        let Some(program) = program() else {
            say_once();
            return None;
        };
        let repo = tempfile::tempdir().unwrap();
        let mut init = ipfs(&program, repo.path());
        let made = init.args(["init", "--profile=test"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let (api, gateway) = (free_port(), free_port());
        configure(&repo.path().join("config"), api, gateway);
        let mut daemon = ipfs(&program, repo.path());
        let daemon = daemon
            .args(["daemon", "--offline"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let kubo = Self {
            api: format!("http://127.0.0.1:{api}"),
            gateway: format!("http://127.0.0.1:{gateway}"),
            daemon: daemon.unwrap(),
            program,
            repo,
        };
        kubo.wait();
        Some(kubo)
    }

    pub fn ipfs(&self, command: &str, arguments: &[&str]) -> String {
        let mut ipfs = ipfs(&self.program, self.repo.path());
        let ipfs = ipfs.args(command.split_whitespace()).args(arguments);
        let output = ipfs.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn wait(&self) {
        let agent = super::node::agent();
        let start = Instant::now();
        let url = format!("{}/api/v0/version", self.api);
        while agent.post(&url).send_empty().is_err() {
            assert!(start.elapsed() < START, "Kubo does not answer at {url}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Kubo {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn ipfs(program: &Path, repo: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("IPFS_PATH", repo);
    command
}

fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("GUIX_IPFS_TEST_KUBO") {
        return Some(named.into());
    }
    let paths = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&paths).map(|folder| folder.join("ipfs"));
    found.find(|program| program.is_file())
}

/// Straight to standard error, which tests that succeed do not show otherwise.
fn say_once() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        let line = "no `ipfs` on PATH: every test on a real Kubo (on_kubo) is left out";
        let _ = writeln!(std::io::stderr(), "{line}");
    });
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn configure(path: &Path, api: u16, gateway: u16) {
    let mut config: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    config["Addresses"]["API"] = json!(format!("/ip4/127.0.0.1/tcp/{api}"));
    config["Addresses"]["Gateway"] = json!(format!("/ip4/127.0.0.1/tcp/{gateway}"));
    config["Addresses"]["Swarm"] = json!([]);
    std::fs::write(path, config.to_string()).unwrap();
}
