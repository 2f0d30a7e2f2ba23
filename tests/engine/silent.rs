//! An observer for runs that nobody watches.

use guix_ipfs::mirror::{DownloadProgress, Event, Observer, RunProgress};

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
