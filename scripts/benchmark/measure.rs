//! Time and memory of whole commands.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The cost of a command.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub seconds: f64,
    /// The most memory it held, in KiB; 0 where the system does not say.
    pub peak: u64,
    /// Seconds of processors in all; 0 where the system does not say.
    pub processor: f64,
}

/// Runs a command, which must succeed.
pub fn run(command: &mut Command) -> Cost {
    run_into(command, Stdio::null())
}

/// The same with its output.
pub fn run_into(command: &mut Command, output: Stdio) -> Cost {
    let start = Instant::now();
    let mut child = command.stdout(output).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let stat = format!("/proc/{}/stat", child.id());
    let (mut peak, mut processor) = (0, 0.0);
    let ended = loop {
        peak = peak.max(high_water(&status));
        processor = processor_seconds(&stat).max(processor);
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(ended.success(), "{command:?}");
    Cost {
        seconds: start.elapsed().as_secs_f64(),
        peak,
        processor,
    }
}

fn high_water(status: &str) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    kibibytes
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// The time of a process in user and in kernel mode, in hundredths of a second each.
/// Source: proc_pid_stat(5).
fn processor_seconds(stat: &str) -> f64 {
    let text = std::fs::read_to_string(stat).unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let times = after_name.split(' ').skip(11).take(2);
    let ticks: u64 = times.filter_map(|time| time.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

/// Seconds of a processor that this thread has taken.
pub fn thread_seconds() -> f64 {
    processor_seconds("/proc/thread-self/stat")
}

/// Seconds that something takes.
pub fn time(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
