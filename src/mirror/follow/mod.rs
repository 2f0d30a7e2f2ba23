//! Following somebody else's mirror: its newest root is held on this node, so that others
//! find it here too. No key is needed.
//!
//! The blocks of what is new come first, directories before narinfos before nars, and are
//! checked; then the root is pinned beside the one that is held, which is unpinned last. A
//! run that is killed leaves one of the two pinned, or both; what came stays on the node
//! until its collector runs.

mod blocks;
mod changes;
mod check;
mod checked;
pub(super) mod failure;
mod faults;
mod fetch;
mod halt;
mod held;
mod new_nars;
mod objection;
mod request;

pub use checked::FollowChanges;
pub use failure::FollowFailure;
pub use held::{HeldFigures, HeldRoot, followed_names, held_root, held_roots};
pub use objection::Objection;
pub use request::FollowRequest;

use self::blocks::ComingBlocks;
use self::changes::Roots;
use self::check::Check;
use self::checked::Checked;
use self::halt::Halt;
use self::held::Pins;
use super::failure::Failure;
use super::inspect::Target;
use super::json;
use super::observer::{Event, Observer};
use crate::ipfs::cid::Cid;
use crate::node::{Node, Reach};
use crate::publication::{PublicationError, PublicationId, Search, Tree};
use crate::util::lock::{FileLock, LockFailure};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Blocks that are asked for at once, for each job, and the most of all: each waits for
/// the network.
const BLOCKS_PER_JOB: u16 = 8;
const MOST_BLOCKS: u16 = 64;

/// The result of following a name.
#[derive(Debug, Serialize)]
pub struct FollowSummary {
    /// The name.
    pub name: String,
    /// The root that is held now.
    #[serde(serialize_with = "json::text")]
    pub root: Cid,
    /// The root that was held before.
    #[serde(serialize_with = "json::optional_text")]
    pub previous: Option<Cid>,
    /// The changes since then.
    #[serde(flatten)]
    pub changes: FollowChanges,
    /// The figures of the whole.
    #[serde(flatten)]
    pub figures: HeldFigures,
}

/// The name to follow that a word stands for, as [`Target::of_word`] reads it.
pub fn followed_name(node: &dyn Node, word: &str) -> Result<String, Failure> {
    match Target::of_word(node, Some(word), "")? {
        Target::Name(name) => Ok(name),
        Target::Root(root) => Err(FollowFailure::NotAName(format!("/ipfs/{root}")).into()),
    }
}

/// Holds the root that a name points to now.
///
/// # Errors
/// [`FollowFailure`]. What the node held for the name stays pinned.
pub fn follow(
    node: &dyn Node,
    name: &str,
    request: &FollowRequest,
    observer: &dyn Observer,
) -> Result<FollowSummary, Failure> {
    if !node.description().capabilities.network {
        return Err(FollowFailure::NoNetwork.into());
    }
    let _lock = lock(node, name, &request.lock_folder)?;
    let pins = Pins::of(node, name)?;
    let newest = pins.roots.first();
    let held = newest.map(|held| held.root);
    let root = {
        let _shown = observer.waiting("resolving the name");
        resolve(node, name, held)?
    };
    // Of two that a killed run left, the one that is current now.
    if let Some(current) = pins.roots.iter().find(|held| held.root == root) {
        pins.remove_all_but(node, Some(current))?;
        return Ok(FollowSummary::of_nothing(current));
    }
    let at_once = request.jobs.saturating_mul(BLOCKS_PER_JOB).min(MOST_BLOCKS);
    let blocks = ComingBlocks::new(node, at_once);
    let (new, checked) = update(&blocks, name, root, &pins, request, observer)
        .map_err(|halt| stopped(halt, name, root, held, blocks.came()))?;
    if let Ok(Reach::Peers(1..)) = node.reach()
        && let Err(error) = node.announce(&root)
    {
        observer.notify(Event::NotAnnounced(&error));
    }
    pins.remove_all_but(node, Some(&new))?;
    Ok(FollowSummary {
        previous: held,
        changes: checked.changes,
        ..FollowSummary::of_nothing(&new)
    })
}

/// Unpins the root that the node holds for a name. Returns the root.
pub fn stop_following(
    node: &dyn Node,
    name: &str,
    lock_folder: &Path,
) -> Result<Option<Cid>, Failure> {
    let _lock = lock(node, name, lock_folder)?;
    let pins = Pins::of(node, name)?;
    if pins.is_empty() {
        return Err(FollowFailure::NotFollowed(name.to_owned()).into());
    }
    pins.remove_all_but(node, None)?;
    Ok(pins.roots.first().map(|held| held.root))
}

/// Checks, fetches and pins a new root.
fn update(
    blocks: &ComingBlocks,
    name: &str,
    root: Cid,
    pins: &Pins,
    request: &FollowRequest,
    observer: &dyn Observer,
) -> Result<(HeldRoot, Checked), Halt> {
    let node = blocks.node;
    let came = || {};
    let mut old = pins.roots.first();
    let mut roots = Roots {
        blocks,
        old: old.map(|held| Tree::new(node, held.root)),
        new: Tree::searching(node, root, Search::Network(&came)),
    };
    let held = old.map(|held| held.figures).unwrap_or_default();
    let check = |roots: &Roots| {
        let _shown = observer.waiting("reading what is new");
        let check = Check {
            roots,
            held,
            request,
            observer,
        };
        check.run()
    };
    let checked = match check(&roots) {
        Err(halt) if old.is_some() && is_of_the_old_root(&halt) => {
            (roots.old, old) = (None, None);
            check(&roots)?
        }
        checked => checked?,
    };
    {
        let progress = observer.progress(checked.files, checked.changes.bytes_new);
        fetch::fetch(&roots, &*progress)?;
    }
    let _shown = observer.waiting("pinning the root");
    let whole = roots.new.whole()?;
    let (new, around) = HeldRoot::compose(name, whole, checked.figures);
    new.pin(node, around, old)?;
    Ok((new, checked))
}

/// Returns true where the whole root is to be looked at, as if none were held: some blocks
/// of that are lost or damaged, or files that were counted before may be gone.
fn is_of_the_old_root(halt: &Halt) -> bool {
    match halt {
        Halt::Objection(objection) => matches!(objection, Objection::Others { .. }),
        Halt::Failure(Failure::Publication(error)) => error.is_of_block(),
        Halt::Failure(_) => false,
    }
}

/// The root that a name points to, past all caches.
fn resolve(node: &dyn Node, name: &str, held: Option<Cid>) -> Result<Cid, Failure> {
    match Target::Name(name.to_owned()).root(node) {
        Err(Failure::Unresolved(name)) => Err(FollowFailure::Unresolved { name, held }.into()),
        other => other,
    }
}

/// The failure of an update.
fn stopped(halt: Halt, name: &str, root: Cid, held: Option<Cid>, came: u64) -> Failure {
    let name = name.to_owned();
    let root = Box::new(root);
    match halt {
        Halt::Objection(objection) => FollowFailure::Refused {
            name,
            root,
            held,
            objection: Box::new(objection),
        }
        .into(),
        Halt::Failure(Failure::Publication(PublicationError::Node(error)))
            if failure::is_absence(&error) =>
        {
            FollowFailure::Absent {
                name,
                root,
                held,
                came,
                source: Box::new(error),
            }
            .into()
        }
        Halt::Failure(failure) => failure,
    }
}

/// Keeps other runs from following the same name.
fn lock(node: &dyn Node, name: &str, folder: &Path) -> Result<FileLock, Failure> {
    let id = PublicationId {
        peer_id: node.description().peer_id.clone(),
        key_id: name.to_owned(),
    };
    let path = id.file(folder, "follow.lock");
    let taken = std::fs::create_dir_all(folder)
        .map_err(LockFailure::Io)
        .and_then(|()| FileLock::take(&path, Duration::ZERO));
    match taken {
        Ok((lock, _)) => Ok(lock),
        Err(LockFailure::Held(holder)) => {
            let name = name.to_owned();
            Err(FollowFailure::Held { name, holder }.into())
        }
        Err(LockFailure::Io(source)) => Err(FollowFailure::Lock { path, source }.into()),
    }
}

impl FollowSummary {
    /// The result where the root is held already.
    fn of_nothing(held: &HeldRoot) -> Self {
        Self {
            name: held.name.clone(),
            root: held.root,
            previous: Some(held.root),
            changes: FollowChanges::default(),
            figures: held.figures,
        }
    }

    /// Returns true where another root than before is held.
    pub fn is_new(&self) -> bool {
        self.previous != Some(self.root)
    }
}
