//! The claim of a commit: a pin that holds back the other writers of a node until the
//! commit is done.
//!
//! No node exchanges a value on a condition, but each shows a pin from the moment that it
//! exists. A writer pins a claim of its own, and only then lists those of others: of two
//! at the same moment, at least one sees the other. One that sees another unpins its own,
//! waits, and tries again. Writers with one lock folder never meet here.

use super::error::PublicationError;
use super::publisher::Publisher;
use crate::ipfs::cid::{Cid, unique};
use crate::node::{KnownBlocks, NodeError};
use crate::util::retry::step_aside;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The time after which the claim of another writer counts as left by a killed one. The
/// longest step of a commit is the publication by an online node, of a minute or two.
pub const CLAIM_PATIENCE: Duration = Duration::from_secs(300);

/// The attempt after which pauses grow no longer: a commit takes some tenths of a second.
const LONGEST_STEP: u32 = 4;

/// Waits until no other writer has a claim to the key, and returns the claim of this
/// run. It is listed and unpinned as a staging directory is. A claim of another that
/// stays for longer than the publisher's patience is unpinned.
///
/// # Errors
/// The node fails; no claim of this run is then left, as far as the node can be reached.
pub fn take(publisher: &Publisher) -> Result<Cid, PublicationError> {
    let name = format!("guix-ipfs/claim/{}", publisher.view.key.id);
    let mut first_seen: BTreeMap<Cid, Instant> = BTreeMap::new();
    let mut attempt = 0;
    loop {
        // While another waits for this one to be unpinned, it would wait for ever.
        let own = match first_seen.is_empty() {
            true => Some(pin_own(publisher, &name)?),
            false => None,
        };
        let found = publisher.node().pins_named(&name);
        let others = found.map(|found| {
            let others = found.into_iter().filter(|claim| Some(*claim) != own);
            others.collect::<BTreeSet<Cid>>()
        });
        match (own, &others) {
            (Some(own), Ok(others)) if others.is_empty() => return Ok(own),
            (Some(own), _) => publisher.drop_staging(&[own])?,
            (None, _) => {}
        }
        let others = others?;
        first_seen.retain(|claim, _| others.contains(claim));
        for claim in others {
            let since = *first_seen.entry(claim).or_insert_with(Instant::now);
            if since.elapsed() > publisher.options.patience {
                publisher.node().unpin(&claim)?;
            }
        }
        attempt = (attempt + 1).min(LONGEST_STEP);
        step_aside(attempt);
    }
}

/// Pins a claim that no other run has had.
fn pin_own(publisher: &Publisher, name: &str) -> Result<Cid, NodeError> {
    let own = unique();
    publisher.list_staging(&own)?;
    let pinned = publisher.node().pin(&own, name, KnownBlocks::All);
    if pinned.is_err() {
        // It may have been pinned all the same.
        let _ = publisher.drop_staging(&[own]);
    }
    pinned.map(|()| own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Node;
    use crate::node::local::LocalNode;
    use crate::publication::PublicationLog;
    use crate::publication::publisher::PublisherOptions;
    use std::path::Path;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    /// A publisher with a lock folder of its own.
    fn publisher<'n>(node: &'n dyn Node, locks: &Path, patience: Duration) -> Publisher<'n> {
        let options = PublisherOptions {
            lock_folder: locks.to_owned(),
            record_lifetime: Duration::from_secs(600),
            allow_offline: true,
            patience,
            log: PublicationLog::default(),
            page: None,
        };
        let opened = Publisher::open_existing(node, "key", &options).unwrap();
        opened.unwrap()
    }

    #[test]
    fn one_writer_at_a_time_has_the_claim() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(&folder.path().join("node")).unwrap();
        node.create_key("key").unwrap();
        let holders = AtomicUsize::new(0);
        thread::scope(|scope| {
            for writer in 0..4 {
                let (folder, holders) = (&folder, &holders);
                scope.spawn(move || {
                    let node = LocalNode::open(&folder.path().join("node")).unwrap();
                    let locks = folder.path().join(format!("locks-{writer}"));
                    let publisher = publisher(&node, &locks, CLAIM_PATIENCE);
                    for _ in 0..5 {
                        let claim = take(&publisher).unwrap();
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        thread::sleep(Duration::from_millis(2));
                        holders.fetch_sub(1, Ordering::SeqCst);
                        publisher.drop_staging(&[claim]).unwrap();
                    }
                });
            }
        });
        assert_eq!(node.pins_beginning("guix-ipfs/").unwrap(), []);
    }

    #[test]
    fn the_claim_of_a_killed_writer_is_unpinned_by_its_next_run_or_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(&folder.path().join("node")).unwrap();
        node.create_key("key").unwrap();
        let own = folder.path().join("own");
        let killed = publisher(&node, &own, CLAIM_PATIENCE);
        take(&killed).unwrap();
        drop(killed);
        // With the same lock folder no time passes.
        let next = publisher(&node, &own, CLAIM_PATIENCE);
        let claim = take(&next).unwrap();
        drop(next);
        let other = publisher(
            &node,
            &folder.path().join("other"),
            Duration::from_millis(20),
        );
        let taken = take(&other).unwrap();
        assert_ne!(taken, claim);
        let pins = node.pins_beginning("guix-ipfs/claim/").unwrap();
        assert_eq!(pins.len(), 1);
        assert_eq!(pins[0].1, taken);
    }
}
