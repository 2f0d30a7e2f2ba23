//! What a run says. Results go to standard output, everything else to standard
//! error; without a terminal a run that succeeds is silent, because cron mails
//! what is printed.

mod progress;

pub use progress::{Download, Passing, Progress, Waiting};

use console::{StyledObject, style};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use serde_json::json;
use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// The one place that prints.
#[derive(Debug)]
pub struct Report {
    verbose: bool,
    quiet: bool,
    json: bool,
    terminal: bool,
    lines: MultiProgress,
    began: Instant,
    /// The ways out that were named already: once is enough.
    named: Mutex<HashSet<String>>,
}

impl Report {
    /// As `-v`, `-q` and `--json` say.
    pub fn new(verbose: bool, quiet: bool, json: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let target = match terminal && !quiet {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self {
            verbose,
            quiet,
            json,
            terminal,
            lines: MultiProgress::with_draw_target(target),
            began: Instant::now(),
            named: Mutex::default(),
        }
    }

    /// A result, on standard output. With `--json` only [`Report::sum`] speaks there.
    pub fn result(&self, line: &str) {
        if !self.json {
            self.print(line);
        }
    }

    /// The run's sum, an object, where `--json` asks for it. `seconds`, which is
    /// how long the run took, is added.
    pub fn sum(&self, sum: &impl Serialize) {
        if self.json {
            // Maps of text and numbers always serialise.
            let mut sum = serde_json::to_value(sum).unwrap_or_default();
            let milliseconds = self.began.elapsed().as_millis() as f64;
            sum["seconds"] = (milliseconds / 1000.0).into();
            self.print(&sum.to_string());
        }
    }

    /// What a person at a terminal wants to know, and cron does not.
    pub fn say(&self, line: &str) {
        if (self.terminal || self.verbose) && !self.quiet {
            self.eprint(line);
        }
    }

    /// A line per item, for `-v`.
    pub fn detail(&self, line: &str) {
        if self.verbose {
            self.eprint(line);
        }
    }

    /// What a person should look at, though the run goes on.
    pub fn warn(&self, text: &str) {
        if !self.quiet {
            self.speak(
                style("guix-ipfs: warning:").for_stderr().yellow().bold(),
                text,
            );
        }
    }

    /// What went wrong with an item, or stopped the run.
    pub fn error(&self, text: &str) {
        self.speak(style("guix-ipfs:").for_stderr().red().bold(), text);
    }

    /// The text's first line is what happened, the others what to do, which is said
    /// once a run.
    fn speak(&self, name: StyledObject<&str>, text: &str) {
        let (what, way_out) = text.split_once('\n').unwrap_or((text, ""));
        self.eprint(&format!("{name} {what}"));
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if !way_out.is_empty() && named.insert(way_out.to_owned()) {
            self.eprint(&format!("  {}", way_out.replace('\n', "\n  ")));
        }
    }

    /// What stopped the run, as [`Report::error`] and as the sum. `is_silent`
    /// where cron should not hear of it.
    pub fn failed(&self, text: &str, exit: u8, is_silent: bool) {
        if !is_silent || self.terminal || self.verbose {
            self.error(text);
        }
        let (what, way_out) = text.split_once('\n').unwrap_or((text, ""));
        self.sum(&json!({"error": what, "try": way_out, "exit": exit}));
    }

    /// Shows how `items` of `bytes` in all come in, as far as their size is known.
    pub fn progress(&self, items: usize, bytes: u64) -> Progress {
        Progress::new(&self.lines, items, bytes)
    }

    /// Shows what is waited for.
    pub fn waiting(&self, text: &str) -> Waiting {
        Waiting::new(&self.lines, text)
    }

    /// Standard output that nobody reads any more is no failure of the run.
    fn print(&self, line: &str) {
        self.lines.suspend(|| {
            let _ = writeln!(io::stdout(), "{line}");
        });
    }

    fn eprint(&self, line: &str) {
        self.lines.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }
}

/// A number of items as people say it.
pub fn items(count: usize) -> String {
    match count {
        1 => "1 item".to_owned(),
        count => format!("{count} items"),
    }
}

/// A number of bytes as people read it.
pub fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
