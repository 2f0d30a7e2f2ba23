//! An observer for runs that nobody watches.

use guix_ipfs::mirror::{DownloadProgress, Event, Observer, RunProgress};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An observer that takes no note of anything.
pub struct Silent;

impl Observer for Silent {
    fn notify(&self, _: Event<'_>) {}

    fn waiting(&self, _: &'static str) -> Box<dyn Send> {
        Box::new(())
    }

    fn progress(&self, _: usize, _: u64) -> Box<dyn RunProgress> {
        Box::new(Silent)
    }
}

impl RunProgress for Silent {
    fn item_done(&self) {}

    fn publishing(&self) {}

    fn download(&self, _: &str, _: Option<u64>) -> Box<dyn DownloadProgress> {
        Box::new(Silent)
    }
}

impl DownloadProgress for Silent {
    fn advance(&self, _: u64) {}

    fn finish(&mut self) {}
}

/// An observer that counts the gaps in lists that are reported.
#[derive(Default)]
pub struct Noted(AtomicUsize);

impl Noted {
    pub fn gaps(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Observer for Noted {
    fn notify(&self, event: Event<'_>) {
        if let Event::ListGap { .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn waiting(&self, text: &'static str) -> Box<dyn Send> {
        Silent.waiting(text)
    }

    fn progress(&self, items: usize, bytes: u64) -> Box<dyn RunProgress> {
        Silent.progress(items, bytes)
    }
}
