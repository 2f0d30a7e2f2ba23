//! The end of a run that a signal asks for.
//!
//! The first SIGINT or SIGTERM breaks off all downloads; what is whole is still
//! published. A second one ends the program at once, and so do 40 seconds: a
//! run may be killed at any moment, so this loses nothing that was published.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
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

/// The runs of this process that a signal ends, watched for by one thread.
struct Runs {
    is_watched: bool,
    /// The signal that there was, or 0.
    signal: i32,
    open: Vec<Run>,
}

/// A run, until its [`Stop`] is dropped.
struct Run {
    signal: Weak<AtomicI32>,
    break_off: Box<dyn FnOnce() + Send>,
}

static RUNS: Mutex<Runs> = Mutex::new(Runs {
    is_watched: false,
    signal: 0,
    open: Vec::new(),
});

impl Stop {
    /// Waits for signals from now on; the first one also calls `break_off`. One that
    /// came before, to another run of this process, ends this one, too.
    pub fn on_signals(break_off: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let mut runs = Runs::lock();
        if !runs.is_watched {
            let signals = Signals::new([SIGINT, SIGTERM])?;
            thread::spawn(move || watch(signals));
            runs.is_watched = true;
        }
        let stop = Self::default();
        stop.signal.store(runs.signal, Ordering::SeqCst);
        runs.open.retain(|run| run.signal.strong_count() > 0);
        runs.open.push(Run {
            signal: Arc::downgrade(&stop.signal),
            break_off: Box::new(break_off),
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

impl Runs {
    fn lock() -> MutexGuard<'static, Self> {
        RUNS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all runs that are open, and those to come.
    fn end(&mut self, signal: i32) {
        self.signal = signal;
        for run in self.open.drain(..) {
            if let Some(of_run) = run.signal.upgrade() {
                of_run.store(signal, Ordering::SeqCst);
                (run.break_off)();
            }
        }
    }
}

/// Ends the runs of the process at the first signal, and the process at the second.
fn watch(mut signals: Signals) {
    let mut signals = signals.forever();
    if let Some(signal) = signals.next() {
        Runs::lock().end(signal);
        thread::spawn(move || {
            thread::sleep(PATIENCE);
            std::process::exit(128 + signal);
        });
    }
    if let Some(signal) = signals.next() {
        std::process::exit(128 + signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn many_runs_of_one_process_leave_no_open_files() {
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        for _ in 0..200 {
            Stop::on_signals(|| ()).unwrap();
        }
        // Other tests open files meanwhile.
        assert!(
            open() < before + 200,
            "{before} files were open, now {}",
            open()
        );
    }
}
