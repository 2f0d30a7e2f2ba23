//! The one place that prints. All text is taken for text from outside and escaped
//! ([`printable`]); styles are put around it here.

use super::figures::RunFigures;
use super::repeated;
use super::summary::FailureResult;
use crate::mirror::{Exit, Failure};
use crate::publication::PublicationLog;
use crate::util::diagnosis::Diagnosis;
use crate::util::printable::{printable, printable_json};
use crate::util::stop::Ending;
use console::{StyledObject, style};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Standard output and standard error of a run.
#[derive(Debug)]
pub struct Report {
    verbose: bool,
    quiet: bool,
    json: bool,
    /// A person looks on at a terminal.
    watched: bool,
    pub(super) lines: MultiProgress,
    began: Instant,
    /// The error of standard output, the first one.
    output: OnceLock<io::Error>,
    /// Advice that was printed already: once a run is enough.
    advice: Mutex<HashSet<String>>,
    publications: PublicationLog,
    figures: Mutex<RunFigures>,
}

impl Report {
    /// A report with the options `-v`, `-q` and `--json`.
    pub fn new(verbose: bool, quiet: bool, json: bool) -> Self {
        // Whoever asks for JSON reads that.
        let watched = io::stderr().is_terminal() && !quiet && !json;
        let target = match watched {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self {
            verbose,
            quiet,
            json,
            watched,
            lines: MultiProgress::with_draw_target(target),
            began: Instant::now(),
            output: OnceLock::new(),
            advice: Mutex::default(),
            publications: PublicationLog::default(),
            figures: Mutex::default(),
        }
    }

    /// Returns true where a person looks on at a terminal.
    pub fn is_watched(&self) -> bool {
        self.watched
    }

    /// The keys that the run writes under, and the roots that it published.
    pub fn publications(&self) -> &PublicationLog {
        &self.publications
    }

    /// Records figures of the run.
    pub fn note(&self, change: impl FnOnce(&mut RunFigures)) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut figures);
    }

    /// The figures that were noted.
    pub(super) fn figures(&self) -> RunFigures {
        let figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.clone()
    }

    /// The time that the run took until now.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Prints a result on standard output, which `--json` keeps for the summary.
    pub fn print(&self, line: &str) {
        if !self.json {
            self.write(&format!("{}\n", printable(line)));
        }
    }

    /// Prints the summary of a verb, an object, where `--json` asks for it. The verb and
    /// the result of `--gc` are added.
    pub fn summary_json(&self, command: &str, result: &impl Serialize) {
        if self.json {
            let mut summary = json(result);
            summary["command"] = command.into();
            if let Some(collected) = self.figures().collected {
                summary["collected"] = json(&collected);
            }
            self.print_json(summary);
        }
    }

    /// Prints an object. `seconds`, the time that the run took, is added.
    fn print_json(&self, mut summary: Value) {
        let milliseconds = self.began.elapsed().as_millis() as f64;
        summary["seconds"] = (milliseconds / 1000.0).into();
        let summary = printable_json(&summary.to_string());
        self.write(&format!("{summary}\n"));
    }

    /// Tells a user at a terminal that a signal was received, and clears the moving
    /// lines of a run that ends by it.
    pub fn interrupted(&self, ending: Ending) {
        if !self.watched {
            return;
        }
        let text = match ending {
            Ending::AfterTheRun => {
                "interrupted; publishing what is complete (interrupt again to stop at once)"
            }
            Ending::Now(_) => {
                let _ = self.lines.clear();
                // Nothing is drawn again.
                self.lines.set_draw_target(ProgressDrawTarget::hidden());
                "interrupted"
            }
        };
        self.print_error_line(text);
    }

    /// Prints a line for a person at a terminal; cron need not see it.
    pub fn status(&self, line: &str) {
        if (self.watched || self.verbose) && !self.quiet {
            self.print_error_line(&printable(line));
        }
    }

    /// Prints a line for `-v`.
    pub fn verbose(&self, line: &str) {
        if self.verbose {
            self.print_error_line(&printable(line));
        }
    }

    /// Prints a warning: the run continues, and the user should look into it.
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

    /// Prints the reason why the run stopped, and as the summary. A job that runs by itself
    /// prints once a day that it has to try again later; `None` stands for a run by hand.
    pub fn failure(&self, job: Option<&str>, failure: &Failure) {
        if job.is_some_and(|job| self.holds_back(job, failure, &failure.to_string())) {
            return;
        }
        if !failure.is_silent() || self.watched || self.verbose {
            self.error(&failure.to_string(), failure.advice().as_deref());
        }
        if self.json {
            self.print_json(json(&FailureResult::new(failure)));
        }
    }

    /// Returns true for a failure of a job that passes by itself and was printed less than a
    /// day ago. `kind` is equal for those that count as the same.
    pub(super) fn holds_back(&self, job: &str, failure: &Failure, kind: &str) -> bool {
        let is_for_a_person = self.watched || self.verbose || self.json;
        !is_for_a_person
            && failure.exit() == Exit::TryLater
            && !failure.is_silent()
            && repeated::is_repeated(job, kind)
    }

    /// Records that a job went well, so that its next failure is printed.
    pub fn job_succeeded(&self, job: &str) {
        repeated::forget(job);
    }

    fn print_problem(&self, head: StyledObject<&str>, what: &str, advice: Option<&str>) {
        self.print_error_line(&format!("{head} {}", printable(what)));
        let mut printed = self.advice.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(advice) = advice
            && printed.insert(advice.to_owned())
        {
            for line in advice.lines() {
                self.print_error_line(&format!("  {}", printable(line)));
            }
        }
    }

    /// Writes text of this program to standard output, as it is.
    pub fn write(&self, text: &str) {
        let written = self.lines.suspend(|| {
            let mut out = io::stdout();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        if let Err(error) = written {
            self.not_written(error);
        }
    }

    /// Records an error of standard output. A closed pipe is not one: `head` reads no
    /// more than it needs.
    pub fn not_written(&self, error: io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            // The first one is the reason of the others.
            let _ = self.output.set(error);
        }
    }

    /// The exit code of a run that ended so: a result that could not be written is a
    /// failure, and is reported.
    pub fn end(&self, exit: Exit) -> Exit {
        match (self.output.get(), exit) {
            (Some(error), Exit::Done | Exit::Partly) => {
                let text = format!("cannot write to standard output: {error}");
                self.error(&text, None);
                Exit::Failed
            }
            _ => exit,
        }
    }

    fn print_error_line(&self, line: &str) {
        self.lines.suspend(|| {
            let _ = writeln!(io::stderr(), "{line}");
        });
    }
}

/// A struct of text and numbers, which always serialises.
fn json(result: &impl Serialize) -> Value {
    serde_json::to_value(result).unwrap_or_default()
}
