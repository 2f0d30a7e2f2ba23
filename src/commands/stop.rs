//! Whether the run was asked to end: by a signal, or by a limit of its own.
//!
//! The first SIGINT or SIGTERM breaks off all downloads; what is whole is still
//! published. A second one ends the program at once, and so does [`PATIENCE`]: a
//! run may be killed at any moment, so this loses nothing that was published.

use crate::failure::Exit;
use crate::guix::Upstream;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

/// How long the end of an interrupted run may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often a pause looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// The signal that the process was sent, if any.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// 0 while there was none.
    signal: Arc<AtomicI32>,
}

impl Stop {
    /// Waits for signals from now on; the first one breaks off what `upstreams` do.
    pub fn on_signals(upstreams: &[Upstream]) -> io::Result<Self> {
        let stop = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let asked = Arc::clone(&stop.signal);
        let upstreams = upstreams.to_vec();
        thread::spawn(move || {
            let mut signals = signals.forever();
            if let Some(signal) = signals.next() {
                asked.store(signal, Ordering::SeqCst);
                upstreams.into_iter().for_each(Upstream::break_off);
                thread::spawn(move || {
                    thread::sleep(PATIENCE);
                    std::process::exit(128 + signal);
                });
            }
            if let Some(signal) = signals.next() {
                std::process::exit(128 + signal);
            }
        });
        Ok(stop)
    }

    /// Whether there was a signal.
    pub fn is_asked(&self) -> bool {
        self.signal.load(Ordering::SeqCst) != 0
    }

    /// The exit code that says so.
    pub fn exit(&self) -> Option<Exit> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            SIGTERM => Some(Exit::Terminated),
            _ => Some(Exit::Interrupted),
        }
    }

    /// Pauses for so long, or until there is a signal.
    pub fn pause(&self, mut time: Duration) {
        while !time.is_zero() && !self.is_asked() {
            let step = time.min(LOOK);
            thread::sleep(step);
            time -= step;
        }
    }
}
