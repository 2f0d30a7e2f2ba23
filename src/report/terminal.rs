//! The one place that prints.

use super::summary::FailureResult;
use crate::mirror::Failure;
use crate::util::diagnosis::Diagnosis;
use console::{StyledObject, style};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Standard output and standard error of a run.
#[derive(Debug)]
pub struct Report {
    verbose: bool,
    quiet: bool,
    json: bool,
    terminal: bool,
    pub(super) lines: MultiProgress,
    began: Instant,
    /// Advice that was printed already: once a run is enough.
    advice: Mutex<HashSet<String>>,
}

impl Report {
    /// A report with the options `-v`, `-q` and `--json`.
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
            advice: Mutex::default(),
        }
    }

    /// Prints a result on standard output, which `--json` keeps for the summary.
    pub fn print(&self, line: &str) {
        if !self.json {
            self.print_line(line);
        }
    }

    /// Prints the summary of the run, an object, where `--json` asks for it.
    /// `seconds`, the time that the run took, is added.
    pub fn summary_json(&self, summary: &impl Serialize) {
        if self.json {
            // Structs of text and numbers always serialise.
            let mut summary = serde_json::to_value(summary).unwrap_or_default();
            let milliseconds = self.began.elapsed().as_millis() as f64;
            summary["seconds"] = (milliseconds / 1000.0).into();
            self.print_line(&summary.to_string());
        }
    }

    /// Prints a line for a person at a terminal; cron need not see it.
    pub fn status(&self, line: &str) {
        if (self.terminal || self.verbose) && !self.quiet {
            self.print_error_line(line);
        }
    }

    /// Prints a line for `-v`.
    pub fn verbose(&self, line: &str) {
        if self.verbose {
            self.print_error_line(line);
        }
    }

    /// Prints a warning: the run goes on, and a person should look.
    pub fn warn(&self, what: &str, advice: Option<&str>) {
        if !self.quiet {
            let head = style("guix-ipfs: warning:").for_stderr().yellow().bold();
            self.print_problem(head, what, advice);
        }
    }

    /// Prints an error about an item.
    pub fn error(&self, what: &str, advice: Option<&str>) {
        let head = style("guix-ipfs:").for_stderr().red().bold();
        self.print_problem(head, what, advice);
    }

    /// Prints the reason why the run stopped, and as the summary.
    pub fn failure(&self, failure: &Failure) {
        let advice = failure.advice();
        if !failure.is_silent() || self.terminal || self.verbose {
            self.error(&failure.to_string(), advice.as_deref());
        }
        self.summary_json(&FailureResult {
            error: failure.to_string(),
            r#try: advice.unwrap_or_default(),
            exit: failure.exit() as u8,
        });
    }

    fn print_problem(&self, head: StyledObject<&str>, what: &str, advice: Option<&str>) {
        self.print_error_line(&format!("{head} {what}"));
        let mut printed = self.advice.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(advice) = advice
            && printed.insert(advice.to_owned())
        {
            self.print_error_line(&format!("  {}", advice.replace('\n', "\n  ")));
        }
    }

    /// Standard output that nobody reads any more is not a failure of the run.
    fn print_line(&self, line: &str) {
        self.lines.suspend(|| {
            let _ = writeln!(io::stdout(), "{line}");
        });
    }

    fn print_error_line(&self, line: &str) {
        self.lines.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }
}
