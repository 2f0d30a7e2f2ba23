//! The end of a run that a signal asks for.
//!
//! The first SIGINT or SIGTERM breaks off all downloads; what is whole is still
//! published. A second one ends the program at once, and so do 40 seconds: a
//! run may be killed at any moment, so this loses nothing that was published.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;
use std::time::Duration;

/// The longest time that the end of an interrupted run may take.
const PATIENCE: Duration = Duration::from_secs(40);
/// The interval at which a pause looks for a signal.
const LOOK: Duration = Duration::from_millis(100);

/// The signal that the process was sent, if any.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// 0 while there was none.
    signal: Arc<AtomicI32>,
}

impl Stop {
    /// Waits for signals from now on; the first one also calls `break_off`.
    pub fn on_signals(break_off: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let stop = Self::default();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let asked = Arc::clone(&stop.signal);
        thread::spawn(move || {
            let mut signals = signals.forever();
            if let Some(signal) = signals.next() {
                asked.store(signal, Ordering::SeqCst);
                break_off();
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

    /// Returns true once there was a signal.
    pub fn is_asked(&self) -> bool {
        self.signal().is_some()
    }

    /// The number of the signal that there was.
    pub fn signal(&self) -> Option<i32> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
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
