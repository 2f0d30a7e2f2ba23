//! What a run says. Results go to standard output, everything else to standard
//! error; without a terminal a run that succeeds is silent, because cron mails
//! what is printed.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// The one place that prints.
#[derive(Debug)]
pub struct Report {
    verbose: bool,
    quiet: bool,
    json: bool,
    terminal: bool,
    bars: MultiProgress,
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
            bars: MultiProgress::with_draw_target(target),
        }
    }

    /// A result, on standard output. With `--json` only [`Report::sum`] speaks there.
    pub fn result(&self, line: &str) {
        if !self.json {
            self.print(line);
        }
    }

    /// The run's sum as one JSON object, where `--json` asks for it.
    pub fn sum(&self, sum: &impl Serialize) {
        if self.json {
            // Maps of text and numbers always serialise.
            self.print(&serde_json::to_string(sum).unwrap_or_default());
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
    pub fn warn(&self, line: &str) {
        if !self.quiet {
            self.eprint(&format!("guix-ipfs: warning: {line}"));
        }
    }

    /// What went wrong with an item, or stopped the run.
    pub fn error(&self, line: &str) {
        self.eprint(&format!("guix-ipfs: {line}"));
    }

    /// A bar for a download of `bytes`, if they are known. Draws nothing without
    /// a terminal.
    pub fn bar(&self, name: &str, bytes: Option<u64>) -> ProgressBar {
        let (bar, template) = match bytes {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{bar:20} {bytes:>10}/{total_bytes:10} {bytes_per_sec:>12}  {msg}",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{spinner} {bytes:>10} {bytes_per_sec:>12}  {msg}",
            ),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(name.to_owned());
        self.bars.add(bar)
    }

    /// Standard output that nobody reads any more is no failure of the run.
    fn print(&self, line: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stdout(), "{line}");
        });
    }

    fn eprint(&self, line: &str) {
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }
}

/// A number of bytes as people read it.
pub fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
