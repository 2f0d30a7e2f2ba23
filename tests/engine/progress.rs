//! The progress that is reported of downloads.

use crate::silent::Silent;
use crate::support::{PartServer, Sent, TestNode, Upstream, item};
use crate::{mirror_when_free, request};
use guix_ipfs::guix::UpstreamClient;
use guix_ipfs::mirror::{
    Closure, DownloadProgress, Event, ItemSelection, MirrorRequest, Observer, RunProgress,
};
use std::sync::{Arc, Mutex};

/// The bytes of each download that was shown.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<u64>>>);

impl Observer for Shown {
    fn notify(&self, _: Event<'_>) {}

    fn waiting(&self, text: &'static str) -> Box<dyn Send> {
        Silent.waiting(text)
    }

    fn progress(&self, _: usize, _: u64) -> Box<dyn RunProgress> {
        Box::new(self.clone())
    }
}

impl RunProgress for Shown {
    fn item_done(&self) {}

    fn publishing(&self) {}

    fn download(&self, _: &str, _: Option<u64>) -> Box<dyn DownloadProgress> {
        self.0.lock().unwrap().push(0);
        Box::new(self.clone())
    }
}

impl DownloadProgress for Shown {
    fn advance(&self, bytes: u64) {
        *self.0.lock().unwrap().last_mut().unwrap() += bytes;
    }

    fn finish(&mut self) {}
}

#[test]
fn a_download_that_continues_is_one_whose_bytes_count_once() {
    let at = TestNode::local();
    let locks = tempfile::tempdir().unwrap();
    let item = item(1, "parts", 200_000);
    let file = item.files[&item.nar()].clone();
    let size = file.len() as u64;
    let upstream = Upstream::empty();
    upstream.add_items([&item]);
    let server = PartServer::new(&upstream, move |asked| {
        let headers = "ETag: \"one\"\r\n";
        match asked.from {
            None => Sent::whole(&file, 90_000, headers),
            Some(from) => Sent::rest(&file, from, 90_000, headers),
        }
    });
    let request = MirrorRequest {
        selection: ItemSelection::List(vec![item.hash.parse().unwrap()]),
        upstreams: vec![UpstreamClient::new(&server.url, crate::limits()).unwrap()],
        ..request(&upstream, locks.path(), "progress", Closure::Whole)
    };
    let shown = Shown::default();
    mirror_when_free(at.node(), &request, &shown).unwrap();
    assert_eq!(server.asked(&item.nar()).len(), 3);
    assert_eq!(*shown.0.lock().unwrap(), [size]);
}
