//! The end of a run that a signal asks for.
//!
//! The first SIGINT or SIGTERM breaks off all downloads; what is whole is still
//! published. A second one ends the program at once, and so do 40 seconds: a
//! run may be killed at any moment, so this loses nothing that was published.
//! A thread waits for the signals, so that what it calls may do anything.

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
    /// Called at each signal, before anything else is done about it.
    tell: Option<Box<dyn Fn(Ending) + Send>>,
    /// The signal that there was, or 0.
    signal: i32,
    open: Vec<Run>,
}

/// The consequence of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The run publishes what is whole; then the process ends.
    AfterTheRun,
    /// The process ends by this signal.
    Now(i32),
}

/// Calls `tell` at each signal from now on. One that comes while no run is open ends
/// the process, as it would without this.
pub fn on_signals(tell: impl Fn(Ending) + Send + 'static) -> io::Result<()> {
    let mut runs = Runs::lock();
    runs.tell = Some(Box::new(tell));
    runs.watch()
}

/// A run, until its [`Stop`] is dropped.
struct Run {
    signal: Weak<AtomicI32>,
    break_off: Box<dyn FnOnce() + Send>,
}

static RUNS: Mutex<Runs> = Mutex::new(Runs {
    is_watched: false,
    tell: None,
    signal: 0,
    open: Vec::new(),
});

impl Stop {
    /// Waits for signals from now on; the first one also calls `break_off`. One that
    /// came before, to another run of this process, ends this one, too.
    pub fn on_signals(break_off: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let mut runs = Runs::lock();
        runs.watch()?;
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

    /// Begins to wait for signals, once in a process.
    fn watch(&mut self) -> io::Result<()> {
        if !self.is_watched {
            let signals = Signals::new([SIGINT, SIGTERM])?;
            thread::spawn(move || watch(signals));
            self.is_watched = true;
        }
        Ok(())
    }

    /// Ends all runs that are open, and those to come. Returns true if there is one.
    fn end(&mut self, signal: i32) -> bool {
        self.signal = signal;
        let mut is_any = false;
        for run in std::mem::take(&mut self.open) {
            if let Some(of_run) = run.signal.upgrade() {
                of_run.store(signal, Ordering::SeqCst);
                (run.break_off)();
                is_any = true;
            }
        }
        is_any
    }

    fn tell(&self, ending: Ending) {
        if let Some(tell) = &self.tell {
            tell(ending);
        }
    }
}

/// Ends the runs of the process at the first signal, and the process at the second.
fn watch(mut signals: Signals) {
    let mut signals = signals.forever();
    if let Some(signal) = signals.next() {
        let mut runs = Runs::lock();
        // Without a callback, a run may be about to begin.
        let continues = runs.end(signal) || runs.tell.is_none();
        if !continues {
            exit(&runs, signal);
        }
        runs.tell(Ending::AfterTheRun);
        thread::spawn(move || {
            thread::sleep(PATIENCE);
            exit(&Runs::lock(), signal);
        });
    }
    if let Some(signal) = signals.next() {
        exit(&Runs::lock(), signal);
    }
}

fn exit(runs: &Runs, signal: i32) -> ! {
    runs.tell(Ending::Now(signal));
    std::process::exit(128 + signal);
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
        let after = open();
        // Other tests open files meanwhile.
        assert!(
            after < before + 200,
            "{before} files were open, now {after}"
        );
    }
}
