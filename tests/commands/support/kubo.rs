//! A real Kubo, offline on loopback, with its own repository: the program that
//! `GUIX_IPFS_TEST_KUBO` names, as `scripts/test` does.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The longest start of a daemon on a busy machine.
const START: Duration = Duration::from_secs(60);

/// The user `nobody`, who owns nothing else.
const NOBODY: u32 = 65534;

/// The set-up of a Kubo.
#[derive(Clone, Copy)]
pub struct Setup<'s> {
    /// It listens for other nodes; it looks for none by itself.
    pub online: bool,
    /// Its profiles, separated by commas.
    pub profiles: &'s str,
    /// Further changes of its configuration.
    pub configure: &'s dyn Fn(&mut Value),
    /// It must obey the permissions of files, which root need not.
    pub unprivileged: bool,
    /// A user and password, `USER:PASSWORD`, that its RPC asks for.
    pub password: Option<&'s str>,
}

impl Default for Setup<'_> {
    /// Offline, with the profile `test`.
    fn default() -> Self {
        Self {
            online: false,
            profiles: "test",
            configure: &|_| {},
            unprivileged: false,
            password: None,
        }
    }
}

pub struct Kubo {
    pub api: String,
    pub gateway: String,
    daemon: Child,
    online: bool,
    /// A user and password that its RPC asks for.
    pub password: Option<String>,
    program: PathBuf,
    repo: TempDir,
}

impl Kubo {
    /// A Kubo that answers.
    pub fn start(setup: Setup) -> Self {
        let kubo = Self::spawn(setup);
        kubo.wait();
        kubo
    }

    /// A Kubo that may not answer yet.
    pub fn spawn(setup: Setup) -> Self {
        let mut program = program();
        let repo = tempfile::tempdir().unwrap();
        if setup.unprivileged && is_root(repo.path()) {
            chown(repo.path(), Some(NOBODY), None).unwrap();
            // The folders above the given program may be root's alone.
            let copy = repo.path().join("program");
            std::fs::copy(program, &copy).unwrap();
            program = copy;
        }
        let mut init = ipfs(&program, repo.path());
        init.args(["init", "--profile", setup.profiles]);
        let made = loop {
            match init.output() {
                // A process that another test has just started holds the copy open for a
                // moment.
                Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                made => break made.unwrap(),
            }
        };
        assert!(made.status.success(), "{made:?}");
        let (api, gateway) = (free_port(), free_port());
        let path = repo.path().join("config");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config["Addresses"]["API"] = json!(format!("/ip4/127.0.0.1/tcp/{api}"));
        config["Addresses"]["Gateway"] = json!(format!("/ip4/127.0.0.1/tcp/{gateway}"));
        config["Addresses"]["Swarm"] = json!([]);
        // Older gateways ask the world's name servers for 127.0.0.1.
        config["Gateway"]["NoDNSLink"] = json!(true);
        if setup.online {
            let swarm = format!("/ip4/127.0.0.1/tcp/{}", free_port());
            config["Addresses"]["Swarm"] = json!([swarm]);
            config["Routing"]["Type"] = json!("dhtserver");
        }
        (setup.configure)(&mut config);
        std::fs::write(&path, config.to_string()).unwrap();
        Self {
            api: format!("http://127.0.0.1:{api}"),
            gateway: format!("http://127.0.0.1:{gateway}"),
            daemon: daemon(&program, repo.path(), setup.online),
            online: setup.online,
            password: setup.password.map(str::to_owned),
            program,
            repo,
        }
    }

    /// Runs `ipfs` beside the daemon: a command and its options, separated by
    /// spaces, then arguments as they are.
    pub fn ipfs(&self, command: &str, arguments: &[&str]) -> String {
        let mut ipfs = ipfs(&self.program, self.repo.path());
        let ipfs = ipfs.args(command.split_whitespace()).args(arguments);
        let output = ipfs.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Its repository, `$IPFS_PATH`.
    pub fn repo(&self) -> &Path {
        self.repo.path()
    }

    /// Ends the daemon as a crash would.
    pub fn kill(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }

    /// Starts the daemon anew, over the same repository and on the same ports.
    pub fn restart(&mut self) {
        self.kill();
        self.daemon = daemon(&self.program, self.repo.path(), self.online);
        self.wait();
    }

    /// Waits until the daemon answers.
    pub fn wait(&self) {
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
        self.kill();
    }
}

/// As the owner of the repository, who may be another user than root.
fn ipfs(program: &Path, repo: &Path) -> Command {
    let owner = std::fs::metadata(repo).unwrap().uid();
    let mut command = Command::new(program);
    command.env("IPFS_PATH", repo).env("HOME", repo).uid(owner);
    // A node that is online for 15 minutes would send figures to Kubo's makers.
    command.env("IPFS_TELEMETRY", "off");
    command
}

/// Returns true when this process may write what is read-only.
fn is_root(repo: &Path) -> bool {
    std::fs::metadata(repo).unwrap().uid() == 0
}

fn daemon(program: &Path, repo: &Path, online: bool) -> Child {
    let mut daemon = ipfs(program, repo);
    daemon.arg("daemon");
    if !online {
        daemon.arg("--offline");
    }
    let daemon = daemon.stdout(Stdio::null()).stderr(Stdio::null());
    daemon.spawn().unwrap()
}

/// The program under test.
fn program() -> PathBuf {
    let named = std::env::var_os("GUIX_IPFS_TEST_KUBO");
    named
        .expect("GUIX_IPFS_TEST_KUBO names a Kubo: run scripts/test")
        .into()
}

/// The ports that nodes of this process were given.
static GIVEN_PORTS: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port below those that the system gives to outgoing connections, so that a
/// daemon finds it free again when it starts anew.
fn free_port() -> u16 {
    loop {
        let mut number = [0; 2];
        getrandom::fill(&mut number).unwrap();
        let port = 20_000 + u16::from_le_bytes(number) % 12_000;
        let is_free = TcpListener::bind(("127.0.0.1", port)).is_ok();
        // A node that is just starting has not taken its ports yet.
        if is_free && GIVEN_PORTS.lock().unwrap().insert(port) {
            return port;
        }
    }
}
