//! The commit: pin, publish, check, and only then unpin the older journals.

use super::base::Base;
use super::claim;
use super::error::PublicationError;
use super::journal::Journal;
use super::ledger::LedgerFiles;
use super::other_writer::{
    moved_to, rebase_onto, refuse_if_behind, refuse_if_moved, refuse_if_not_followed,
    refuse_if_unpinned, resolve,
};
use super::past_damage::pin_past_damage;
use super::publisher::Publisher;
use crate::node::{NodeError, Refusal};

/// The number of attempts: one, one for a writer that committed before this run had its
/// claim, and more for those that work without one, as on another node.
pub const ATTEMPTS: u32 = 5;

/// The effect of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The name already pointed to the root.
    Unchanged,
    /// The name points to the root now.
    Published,
}

/// Pins a journal whose blocks are stored, and publishes its root.
///
/// # Errors
/// The name then still points where it did, and the root may be pinned: the next run
/// continues from it. [`PublicationError::Moved`] when another writer published
/// meanwhile: [`rebase_onto`] its root, and graft onto that.
pub fn commit(
    publisher: &Publisher,
    base: &mut Base,
    journal: Journal,
    ledger: LedgerFiles,
) -> Result<Committed, PublicationError> {
    let pinned = match (journal.pin(&publisher.view, base.journal()), base.journal()) {
        (Err(error), Some(older)) if may_be_of_the_old(&error) => {
            // Its own reason is more useful than that of a second try.
            pin_past_damage(publisher, older, &journal).map_err(|_| error)
        }
        (pinned, _) => pinned,
    };
    if let Err(error) = pinned {
        // A writer that has published unpins the journals before its own, and the
        // collector then takes what only they held.
        let now = refuse_if_moved(publisher, base, journal.root)?;
        return Err(match now {
            // It wrote the ledger beside the same root.
            Some(now) if error.is(Refusal::NotPinned) => moved_to(publisher, now, journal.root),
            _ => error.into(),
        });
    }
    base.root = journal.root;
    base.state.journals.insert(0, journal);
    base.ledger = ledger.stored();
    let committed = publish_where_due(publisher, base)?;
    if committed == Committed::Unchanged {
        refuse_if_moved(publisher, base, base.root)?;
        refuse_if_behind(publisher, base)?;
    }
    unpin_older(publisher, base)?;
    Ok(committed)
}

/// Returns true for the failure of a pin that may be due to damage in the old root,
/// which was replaced in the new one.
fn may_be_of_the_old(error: &NodeError) -> bool {
    error.is_missing() || error.is_of_block() || error.is(Refusal::Other)
}

/// Makes the name point to the base, where it does not, and unpins older journals. The
/// run continues from the root of another writer that published meanwhile, since it has
/// nothing of its own to add.
pub fn ensure_published(
    publisher: &Publisher,
    base: &mut Base,
) -> Result<Committed, PublicationError> {
    if base.is_settled() {
        return Ok(Committed::Unchanged);
    }
    let claim = claim::take(publisher)?;
    let published = publish_from_newest(publisher, base);
    let dropped = publisher.drop_staging(&[claim]);
    let committed = published?;
    dropped?;
    Ok(committed)
}

fn publish_from_newest(
    publisher: &Publisher,
    base: &mut Base,
) -> Result<Committed, PublicationError> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        let published =
            refuse_if_behind(publisher, base).and_then(|()| publish_base(publisher, base));
        match published {
            Err(PublicationError::Moved { now, .. }) if attempts < ATTEMPTS => {
                rebase_onto(publisher, base, *now)?;
            }
            done => return done,
        }
    }
}

/// The same in one attempt.
///
/// # Errors
/// [`PublicationError::Moved`] when another writer published meanwhile.
pub fn publish_base(publisher: &Publisher, base: &mut Base) -> Result<Committed, PublicationError> {
    let committed = publish_where_due(publisher, base)?;
    if committed == Committed::Unchanged && !base.is_settled() {
        // Another writer's root must keep the journal that holds it.
        refuse_if_moved(publisher, base, base.root)?;
        refuse_if_unpinned(publisher, base)?;
    }
    unpin_older(publisher, base)?;
    Ok(committed)
}

fn publish_where_due(
    publisher: &Publisher,
    base: &mut Base,
) -> Result<Committed, PublicationError> {
    match base.state.published == Some(base.root) {
        true => Ok(Committed::Unchanged),
        false => publish(publisher, base),
    }
}

/// Unpins the journals that the first one of the base replaces.
fn unpin_older(publisher: &Publisher, base: &mut Base) -> Result<(), NodeError> {
    let node = publisher.node();
    // A newer one may be that of a writer that is at work: the next commit is newer still.
    let own = base.journal().map(Journal::age);
    let is_older = |journal: &mut Journal| Some(journal.age()) < own;
    let older: Vec<Journal> = base.state.journals.extract_if(.., is_older).collect();
    for journal in older.iter().rev() {
        node.unpin(&journal.cid)?;
    }
    // Until a journal holds the root, the pin of a lost one keeps the collector away.
    let is_held = base.journal().map(|journal| journal.root) == Some(base.root);
    while let (true, Some(lost)) = (is_held, base.state.lost.pop()) {
        node.unpin(&lost)?;
    }
    Ok(())
}

fn publish(publisher: &Publisher, base: &mut Base) -> Result<Committed, PublicationError> {
    let (node, key) = (publisher.node(), &publisher.view.key);
    let root = base.root;
    // No node offers compare-and-swap: this is the latest moment for a check.
    let mut now = refuse_if_moved(publisher, base, root)?;
    if now != Some(root) {
        node.publish(key, &root, &publisher.publish_options(None))?;
        now = resolve(publisher, base)?;
    }
    if now != Some(root) {
        // The node's own count of the name's records is behind the network's.
        refuse_if_moved(publisher, base, root)?;
        if let Some(record) = node.record(&key.id)? {
            let sequence = Some(record.sequence.saturating_add(1));
            node.publish(key, &root, &publisher.publish_options(sequence))?;
            now = resolve(publisher, base)?;
        }
    }
    refuse_if_not_followed(publisher, now, root)?;
    publisher.note_published(base.state.published, root);
    base.state.published = now;
    refuse_if_behind(publisher, base)?;
    Ok(Committed::Published)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{Cid, CidVersion};
    use crate::ipfs::directory::Entry;
    use crate::node::Node;
    use crate::node::local::LocalNode;
    use crate::publication::PublicationLog;
    use crate::publication::base::create_first_root;
    use crate::publication::claim::CLAIM_PATIENCE;
    use crate::publication::graft::{Engine, NewFile, graft};
    use crate::publication::publisher::PublisherOptions;
    use crate::publication::transaction::publish_with_rebase;
    use crate::publication::tree::Tree;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    /// A publisher on a store of its own, with a lock folder of its own, that has
    /// published its first root.
    fn begun<'n>(node: &'n dyn Node, state: &Path) -> (Publisher<'n>, Base) {
        let options = PublisherOptions {
            lock_folder: state.to_owned(),
            record_lifetime: Duration::from_secs(600),
            allow_offline: false,
            patience: CLAIM_PATIENCE,
            log: PublicationLog::default(),
            page: None,
        };
        let mut publisher = Publisher::open(node, "key", &options).unwrap();
        let name_state = crate::publication::read_name_state(&publisher.view).unwrap();
        let mut base = match name_state.published {
            None => create_first_root(&mut publisher, name_state, CidVersion::V0).unwrap(),
            Some(_) => crate::publication::base::adopt_root(&mut publisher, None).unwrap(),
        };
        ensure_published(&publisher, &mut base).unwrap();
        (publisher, base)
    }

    /// Publishes one more file.
    fn add(
        publisher: &Publisher,
        base: &mut Base,
        name: &str,
    ) -> Result<Committed, PublicationError> {
        let tree = Tree::new(publisher.node(), base.root);
        publish_with_rebase(publisher, base, &tree, Engine::Car, |tree, stage, _| {
            let entry = stage.content(name, name.as_bytes())?;
            let path = vec![name.to_owned()];
            graft(Engine::Car, tree, stage, &[NewFile { path, entry }]).map(Some)
        })
    }

    fn names_of(node: &dyn Node, root: Cid) -> Vec<String> {
        let mut names = Vec::new();
        let tree = Tree::new(node, root);
        let lost = tree.for_each_part(&root, 1, |entries| {
            names.extend(entries.into_iter().map(|(name, _)| name));
            Ok::<_, PublicationError>(())
        });
        assert!(lost.unwrap().is_empty());
        names
    }

    #[test]
    fn one_journal_is_left_and_it_keeps_the_published_root() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(&folder.path().join("node")).unwrap();
        let (publisher, mut base) = begun(&node, folder.path());
        for name in ["a", "b", "c"] {
            assert_eq!(
                add(&publisher, &mut base, name).unwrap(),
                Committed::Published
            );
            assert_eq!(publisher.view.resolve().unwrap(), Some(base.root));
        }
        assert_eq!(
            add(&publisher, &mut base, "c").unwrap(),
            Committed::Unchanged
        );
        let key_id = &publisher.view.key.id;
        let pins = node.pins_named(&Journal::pin_name(key_id)).unwrap();
        assert_eq!(pins, [base.state.journals[0].cid]);
        node.collect_garbage().unwrap();
        assert_eq!(
            names_of(&node, base.root),
            ["a", "b", "c", "nix-cache-info"]
        );
    }

    #[test]
    fn a_collector_that_never_rests_takes_nothing_of_a_commit() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(&folder.path().join("node")).unwrap();
        let (publisher, mut base) = begun(&node, folder.path());
        let done = AtomicBool::new(false);
        let names: Vec<String> = (0..60).map(|number| format!("file-{number:02}")).collect();
        let collected = thread::scope(|scope| {
            let collector = scope.spawn(|| {
                let node = LocalNode::open(&folder.path().join("node")).unwrap();
                let mut collected = 0;
                while !done.load(Ordering::Relaxed) {
                    collected += node.collect_garbage().unwrap();
                }
                collected
            });
            let committed: Result<Vec<_>, _> = names
                .iter()
                .map(|name| add(&publisher, &mut base, name))
                .collect();
            done.store(true, Ordering::Relaxed);
            committed.unwrap();
            collector.join().unwrap()
        });
        assert!(collected > 0);
        node.collect_garbage().unwrap();
        let published = names_of(&node, base.root);
        assert_eq!(published[..60], names);
        assert_eq!(published.len(), 61);
    }

    #[test]
    fn a_root_that_moved_meanwhile_is_grafted_onto() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(&folder.path().join("node")).unwrap();
        let (slow, mut slow_base) = begun(&node, &folder.path().join("slow"));
        let (quick, mut quick_base) = begun(&node, &folder.path().join("quick"));
        add(&quick, &mut quick_base, "quick").unwrap();
        add(&slow, &mut slow_base, "slow").unwrap();
        assert_eq!(slow.view.resolve().unwrap(), Some(slow_base.root));
        assert_eq!(
            names_of(&node, slow_base.root),
            ["nix-cache-info", "quick", "slow"]
        );
    }

    #[test]
    fn writers_at_once_publish_the_files_of_all() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(&folder.path().join("node")).unwrap();
        begun(&node, folder.path());
        let names: Vec<String> = (0..36).map(|number| format!("file-{number:02}")).collect();
        thread::scope(|scope| {
            for (writer, names) in names.chunks(6).enumerate() {
                let folder = folder.path();
                scope.spawn(move || {
                    let node = LocalNode::open(&folder.join("node")).unwrap();
                    let locks = folder.join(format!("locks-{writer}"));
                    let (publisher, mut base) = begun(&node, &locks);
                    for name in names {
                        add(&publisher, &mut base, name).unwrap();
                    }
                });
            }
        });
        let (publisher, base) = begun(&node, folder.path());
        let published = names_of(&node, base.root);
        assert_eq!(published[..36], names);
        assert_eq!(published.len(), 37);
        let key_id = &publisher.view.key.id;
        let pins = node.pins_beginning("").unwrap();
        assert_eq!(
            pins,
            [(Journal::pin_name(key_id), base.state.journals[0].cid)]
        );
    }

    #[test]
    fn a_failed_commit_leaves_the_name_and_no_staging_pin() {
        let folder = tempfile::tempdir().unwrap();
        let node = LocalNode::open(&folder.path().join("node")).unwrap();
        let (publisher, mut base) = begun(&node, folder.path());
        let before = base.root;
        let tree = Tree::new(&node, base.root);
        let failed =
            publish_with_rebase(&publisher, &mut base, &tree, Engine::Car, |_, stage, _| {
                stage.file(&mut &[1; 5 << 20][..]).unwrap();
                Err::<Option<Entry>, _>(PublicationError::Offline("broken on purpose"))
            });
        assert!(failed.is_err());
        assert_eq!(publisher.view.resolve().unwrap(), Some(before));
        assert_eq!(node.pins_named("").unwrap(), []);
    }
}
