//! The program, run as a person or cron would.

use super::{TestNode, Upstream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A publisher: the program with a node, an upstream and a home of its own.
pub struct Mirror {
    api: String,
    upstream: String,
    home: TempDir,
    /// A publication must reach others.
    online: bool,
}

/// Sends a signal, such as `-TERM`, with the shell's own `kill`.
#[track_caller]
pub fn signal(process: &Child, signal: &str) {
    let pid = process.id().to_string();
    let sent = Command::new("sh")
        .args(["-c", "kill \"$0\" \"$1\"", signal, pid.as_str()])
        .status();
    assert!(sent.unwrap().success());
}

/// The exit code and the output of a run.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Run {
    /// Fails the test unless the run ended with this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Fails the test unless the run succeeded without a word.
    #[track_caller]
    pub fn silently(self) {
        let run = self.exits(0);
        assert!(run.out.is_empty() && run.err.is_empty(), "{run:?}");
    }

    /// Fails the test unless the run said this on standard error.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.err.contains(part), "no {part:?} in {self:?}");
        self
    }
}

impl Mirror {
    pub fn new(node: &TestNode, upstream: &Upstream) -> Self {
        Self::at(&node.api, upstream)
    }

    /// With `--api` as given.
    pub fn at(api: &str, upstream: &Upstream) -> Self {
        Self {
            api: api.to_owned(),
            upstream: upstream.url(),
            home: tempfile::tempdir().unwrap(),
            online: false,
        }
    }

    /// The same without `--allow-offline`.
    pub fn online(self) -> Self {
        let online = true;
        Self { online, ..self }
    }

    /// The same with another `--api`.
    pub fn with_api(self, api: &str) -> Self {
        let api = api.to_owned();
        Self { api, ..self }
    }

    /// The folder that is `$HOME`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The program with these arguments, separated by spaces, not started yet.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_guix-ipfs"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("GUIX_IPFS_API", &self.api)
            .env("GUIX_IPFS_UPSTREAM", &self.upstream)
            .env("GUIX_IPFS_SYSTEM", "x86_64-linux")
            .args(arguments.split_whitespace())
            .stdin(Stdio::null());
        if !self.online {
            command.env("GUIX_IPFS_ALLOW_OFFLINE", "1");
        }
        command
    }

    /// Runs the program.
    pub fn run(&self, arguments: &str) -> Run {
        run(&mut self.command(arguments))
    }

    /// The root that the name points to.
    pub fn root(&self) -> String {
        let resolved = self.run("resolve").exits(0).out;
        resolved.trim().strip_prefix("/ipfs/").unwrap().to_owned()
    }

    /// The published store paths, sorted.
    pub fn list(&self) -> Vec<String> {
        let listed = self.run("resolve --list").exits(0).out;
        let mut paths: Vec<_> = listed.lines().map(str::to_owned).collect();
        paths.sort();
        paths
    }
}

/// Runs a command that is ready.
pub fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
