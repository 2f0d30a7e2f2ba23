//! A pseudo-terminal with a program in it, as a person has one before them.

use pty_process::Size;
use pty_process::blocking::{Command as InTerminal, Pty, open};
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The longest time that something is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program in a terminal of its own.
pub struct Terminal {
    pty: Arc<Pty>,
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts a command, with its variables and no others.
    pub fn start(command: &Command) -> Self {
        let (pty, other_end) = open().unwrap();
        pty.resize(Size::new(24, 200)).unwrap();
        let variables = command.get_envs();
        let variables = variables.filter_map(|(name, value)| Some((name, value?)));
        let mut started = InTerminal::new(command.get_program())
            .args(command.get_args())
            .env_clear()
            .env("TERM", "xterm")
            .envs(variables);
        if let Some(folder) = command.get_current_dir() {
            started = started.current_dir(folder);
        }
        let child = started.spawn(other_end).unwrap();
        let pty = Arc::new(pty);
        let shown = Arc::<Mutex<Vec<u8>>>::default();
        let (source, sink) = (Arc::clone(&pty), Arc::clone(&shown));
        // Ends when the last program in the terminal has ended.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = (&*source).read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self { pty, child, shown }
    }

    /// Types something.
    pub fn types(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).unwrap();
    }

    /// All that was shown until now, escape codes and all.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Waits until `text` is shown `count` times.
    #[track_caller]
    pub fn waits_for(&self, count: usize, text: &str) {
        let begun = Instant::now();
        while self.shown().matches(text).count() < count {
            let shown = self.shown();
            assert!(begun.elapsed() < PATIENCE, "no {text:?} in:\n{shown}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the program ends; returns its exit code and all that was shown.
    pub fn ends(mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        let code = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.code(),
                None if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                None => panic!("it does not end:\n{}", self.shown()),
            }
        };
        // The last words may still be on their way.
        std::thread::sleep(Duration::from_millis(50));
        (code, self.shown())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
