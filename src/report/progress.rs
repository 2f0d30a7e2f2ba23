//! The moving lines of a terminal: one for the whole, and one for each running
//! download. Nothing is drawn without a terminal, or where `TERM` is `dumb`.

use crate::mirror::{DownloadProgress, RunProgress};
use crate::util::printable::printable;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The interval at which a line that only waits is drawn again.
const TICK: Duration = Duration::from_millis(120);

const WHOLE: &str =
    "{msg}  {binary_bytes} of {binary_total_bytes}  {binary_bytes_per_sec}  {eta} left";
/// For a size that is not known.
const WHOLE_UNKNOWN: &str = "{msg}  {binary_bytes}  {binary_bytes_per_sec}";
const DOWNLOAD: &str = "  {bar:20} {binary_bytes:>10} of {binary_total_bytes:10}  {wide_msg}";
const DOWNLOAD_UNKNOWN: &str = "  {spinner} {binary_bytes:>10}  {wide_msg}";
const WAITING: &str = "{spinner} {wide_msg}";

/// The line for the whole. It goes when this is dropped.
#[derive(Debug)]
pub struct Progress {
    lines: MultiProgress,
    whole: ProgressBar,
    items: usize,
    done: AtomicUsize,
}

/// The line of one download. It goes when this is dropped; unless it was finished,
/// its bytes do not count.
#[derive(Debug)]
struct Download {
    whole: ProgressBar,
    line: ProgressBar,
    is_finished: bool,
}

/// A line that shows that something is waited for, and counts blocks where some are read.
/// It goes when this is dropped.
#[derive(Debug)]
pub struct Waiting {
    line: ProgressBar,
    text: &'static str,
}

impl Progress {
    pub(super) fn new(lines: &MultiProgress, items: usize, bytes: u64) -> Self {
        let whole = lines.add(ProgressBar::new(bytes));
        style(&whole, if bytes > 0 { WHOLE } else { WHOLE_UNKNOWN });
        let progress = Self {
            lines: lines.clone(),
            whole,
            items,
            done: AtomicUsize::new(0),
        };
        progress.count(0);
        progress
    }

    fn count(&self, done: usize) {
        self.whole
            .set_message(format!("{done} of {} items", self.items));
    }
}

impl RunProgress for Progress {
    fn item_done(&self) {
        self.count(self.done.fetch_add(1, Ordering::Relaxed) + 1);
    }

    fn publishing(&self) {
        let done = self.done.load(Ordering::Relaxed);
        let text = format!("{done} of {} items, publishing", self.items);
        self.whole.set_message(text);
    }

    fn download(&self, name: &str, bytes: Option<u64>) -> Box<dyn DownloadProgress> {
        let (line, template) = match bytes {
            Some(bytes) => (ProgressBar::new(bytes), DOWNLOAD),
            None => (ProgressBar::new_spinner(), DOWNLOAD_UNKNOWN),
        };
        style(&line, template);
        let line = self.lines.add(line);
        line.set_message(printable(name).into_owned());
        Box::new(Download {
            whole: self.whole.clone(),
            line,
            is_finished: false,
        })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.whole.finish_and_clear();
    }
}

impl DownloadProgress for Download {
    fn advance(&self, bytes: u64) {
        self.line.inc(bytes);
        self.whole.inc(bytes);
        // Not every narinfo lists the sizes of its nars.
        if let Some(known) = self.whole.length()
            && known < self.whole.position()
        {
            self.whole.set_length(self.whole.position());
        }
    }

    fn finish(&mut self) {
        self.is_finished = true;
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        if !self.is_finished {
            self.whole.dec(self.line.position());
        }
        self.line.finish_and_clear();
    }
}

impl Waiting {
    pub(super) fn new(lines: &MultiProgress, text: &'static str) -> Self {
        let line = lines.add(ProgressBar::new_spinner());
        style(&line, WAITING);
        line.set_message(text);
        // A hidden line needs no thread that draws it.
        if !lines.is_hidden() {
            line.enable_steady_tick(TICK);
        }
        Self { line, text }
    }

    /// Counts a block.
    pub fn block(&self) {
        self.line.inc(1);
        let text = format!("{}: {} blocks", self.text, self.line.position());
        self.line.set_message(text);
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

fn style(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{InMemoryTerm, ProgressDrawTarget};

    fn on_a_terminal() -> (InMemoryTerm, MultiProgress) {
        let terminal = InMemoryTerm::new(24, 80);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        (terminal, MultiProgress::with_draw_target(target))
    }

    #[test]
    fn the_whole_has_a_line_and_so_has_each_running_download() {
        let (terminal, lines) = on_a_terminal();
        let progress = Progress::new(&lines, 2, 3 << 10);
        let mut first = progress.download("first", Some(1 << 10));
        let mut second = progress.download("second", None);
        first.advance(1 << 10);
        second.advance(512);
        progress.item_done();
        let shown = terminal.contents();
        let shown: Vec<&str> = shown.lines().collect();
        assert!(
            shown[0].starts_with("1 of 2 items  1.50 KiB of 3.00 KiB  "),
            "{shown:?}"
        );
        assert!(shown[0].ends_with(" left"), "{shown:?}");
        assert!(
            shown[1].ends_with("1.00 KiB of 1.00 KiB    first"),
            "{shown:?}"
        );
        assert!(shown[2].ends_with("512 B  second"), "{shown:?}");
        first.finish();
        second.finish();
        drop((first, second, progress));
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn a_name_from_outside_does_not_steer_the_terminal() {
        let (terminal, lines) = on_a_terminal();
        let progress = Progress::new(&lines, 1, 0);
        let download = progress.download("a\x1b[2Jb\r\u{202e}c", Some(9));
        download.advance(1);
        let shown = terminal.contents();
        assert!(shown.ends_with("a\\u{1b}[2Jb\\r\\u{202e}c"), "{shown:?}");
    }

    #[test]
    fn bytes_of_a_broken_download_do_not_count() {
        let (_, lines) = on_a_terminal();
        let progress = Progress::new(&lines, 1, 100);
        let download = progress.download("broken", Some(100));
        download.advance(60);
        drop(download);
        assert_eq!(progress.whole.position(), 0);
        let mut download = progress.download("again", Some(100));
        download.advance(120);
        download.finish();
        drop(download);
        assert_eq!(
            (progress.whole.position(), progress.whole.length()),
            (120, Some(120))
        );
    }
}
