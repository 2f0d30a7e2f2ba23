//! A mirror of a build farm, run by run at times that a test chooses.

use crate::support::{Item, TestNode, Upstream, item};
use crate::{Silent, mirror_when_free, request};
use guix_ipfs::mirror::{
    Closure, Failure, ItemSelection, LedgerSummary, MirrorRequest, MirrorSummary, OwedItem, Pauses,
    ReferencedItems, RemovalRequest, ledger_summary, remove,
};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

/// The status of a build that succeeded, as the farm lists it.
pub const SUCCEEDED: i32 = 0;

/// A minute and others, in seconds.
pub const MINUTE: u64 = 60;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;

/// A build as the farm lists it.
#[derive(Clone)]
pub struct Build {
    pub item: u64,
    pub status: i32,
    pub system: &'static str,
}

/// A build that succeeded.
pub fn built(item: u64) -> Build {
    Build {
        item,
        status: SUCCEEDED,
        system: "x86_64-linux",
    }
}

/// An item of the farm.
pub fn made(number: u64) -> Item {
    item(number, "x", 200)
}

/// The list of builds in the form of Cuirass, the newest first.
pub fn list(builds: &[Build]) -> String {
    let builds = builds.iter().map(|build| {
        format!(
            "{{\"id\": {0}, \"buildstatus\": {1}, \"system\": \"{2}\", \"buildoutputs\": \
             {{\"out\": {{\"path\": \"/gnu/store/{3}-x\"}}}}}}",
            build.item,
            build.status,
            build.system,
            made(build.item).hash
        )
    });
    format!("[{}]", builds.collect::<Vec<_>>().join(","))
}

/// A farm, and a mirror of it under one key.
pub struct Scene<'n> {
    pub node: &'n TestNode,
    pub upstream: Upstream,
    pub key: String,
    pub start: SystemTime,
    locks: TempDir,
}

impl<'n> Scene<'n> {
    pub fn new(node: &'n TestNode, key: &str) -> Self {
        Self {
            node,
            upstream: Upstream::empty(),
            key: key.to_owned(),
            start: SystemTime::now(),
            locks: tempfile::tempdir().unwrap(),
        }
    }

    /// Serves the successful builds of a list, and the list.
    pub fn serve(&self, builds: &[Build]) {
        let good = builds.iter().filter(|build| build.status == SUCCEEDED);
        let items: Vec<Item> = good.map(|build| made(build.item)).collect();
        self.upstream.add_items(&items);
        self.serve_list(builds);
    }

    pub fn serve_list(&self, builds: &[Build]) {
        self.upstream.set("api/latestbuilds", list(builds));
    }

    /// The request of a `sync`, `seconds` after the start.
    pub fn request(&self, seconds: u64) -> MirrorRequest {
        let request = request(&self.upstream, self.locks.path(), &self.key, Closure::Whole);
        let mut request = MirrorRequest {
            now: self.start + Duration::from_secs(seconds),
            jobs: 4,
            ..request
        };
        request.limits.checkpoint = 10_000;
        request
    }

    pub fn run(&self, request: &MirrorRequest) -> Result<MirrorSummary, Failure> {
        mirror_when_free(self.node.node(), request, &Silent)
    }

    /// `sync`, so long after the start.
    pub fn sync(&self, seconds: u64) -> MirrorSummary {
        self.run(&self.request(seconds)).unwrap()
    }

    /// `sync --from` a list of these items.
    pub fn sync_list(&self, seconds: u64, items: &[Item]) -> MirrorSummary {
        let hashes = items.iter().map(|item| item.hash.parse().unwrap());
        self.run(&MirrorRequest {
            selection: ItemSelection::List(hashes.collect()),
            ..self.request(seconds)
        })
        .unwrap()
    }

    /// `add` of these items.
    pub fn add(&self, seconds: u64, items: &[Item]) -> MirrorSummary {
        let hashes: Vec<&str> = items.iter().map(|item| &*item.hash).collect();
        self.add_named(seconds, &hashes)
    }

    /// The same of items by their hashes.
    pub fn add_named(&self, seconds: u64, hashes: &[&str]) -> MirrorSummary {
        let specs = hashes.iter().map(|hash| hash.parse().unwrap());
        self.run(&MirrorRequest {
            selection: ItemSelection::Named(specs.collect()),
            pauses: Pauses::Ignored,
            ..self.request(seconds)
        })
        .unwrap()
    }

    /// `remove --force` of these items.
    pub fn remove(&self, seconds: u64, items: &[Item]) {
        let request = self.request(seconds);
        let items = items.iter().map(|item| item.hash.parse().unwrap());
        let removal = RemovalRequest {
            key: request.key,
            items: items.collect(),
            referenced: ReferencedItems::Removed,
            publishing: request.publishing,
            now: request.now,
            jobs: 4,
        };
        remove(self.node.node(), &removal, &Silent).unwrap();
    }

    pub fn ledger(&self) -> LedgerSummary {
        let name = self.node.key_id(&self.key).unwrap();
        ledger_summary(self.node.node(), &name).unwrap().unwrap()
    }

    /// The owed item with the hash of this one.
    pub fn owed(&self, item: &Item) -> Option<OwedItem> {
        let owed = self.ledger().owed.into_iter();
        owed.into_iter()
            .find(|owed| owed.hash.as_str() == item.hash)
    }

    pub fn root(&self) -> String {
        let name = self.node.key_id(&self.key).unwrap();
        let path = self.node.node().resolve(&name).unwrap().unwrap();
        path.strip_prefix("/ipfs/").unwrap().to_owned()
    }

    /// Returns true for an item with a published narinfo.
    pub fn has(&self, item: &Item) -> bool {
        let path = format!("/ipfs/{}/{}.narinfo", self.root(), item.hash);
        self.node.get(&path).status == 200
    }

    /// The numbers among these of items that are not published.
    pub fn lacks(&self, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let numbers = numbers.into_iter();
        numbers.filter(|number| !self.has(&made(*number))).collect()
    }

    /// The narinfos that were asked for since the last call, by their numbers.
    pub fn asked(&self, numbers: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let asked = self.upstream.asked();
        let numbers = numbers.into_iter();
        numbers
            .filter(|number| asked.contains(&format!("{}.narinfo", made(*number).hash)))
            .collect()
    }
}
