//! The publisher: a view of a publication with the right to write.

use super::error::PublicationError;
use super::journal::NewBlocks;
use super::name_state::read_name_state;
use super::page::PageMaker;
use super::publication_log::PublicationLog;
use super::view::PublicationView;
use super::writer_lock::WriterLock;
use crate::ipfs::cid::Cid;
use crate::node::{Node, NodeError, Problem, PublishOptions, Reach, Refusal, Segment};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The end of a key's name until its first journal is pinned. A person's key is not
/// called so.
const NEW: &str = ".guix-ipfs-new";

/// The terms of publishing.
#[derive(Clone, Debug)]
pub struct PublisherOptions {
    /// The folder of the lock files. One writer at a time holds as far as all use the
    /// same.
    pub lock_folder: PathBuf,
    /// The time of validity of a record.
    pub record_lifetime: Duration,
    /// Permission for a node without peers to publish for itself only.
    pub allow_offline: bool,
    /// The time after which the claim of another writer counts as left by a killed one.
    pub patience: Duration,
    /// Records what is published.
    pub log: PublicationLog,
    /// Writes the page for people.
    pub page: Option<Arc<dyn PageMaker>>,
}

/// The history of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAge {
    /// It was there before this run, so its name may have been published.
    Existing,
    /// It does not have its name on the node yet, which comes after its first
    /// journal and before its first publication. So nothing can have been
    /// published under it, and a run that is killed until then is begun again.
    New,
}

/// A node, one of its keys, and the right to write under it.
pub struct Publisher<'n> {
    /// The node and the key.
    pub view: PublicationView<'n>,
    /// The history of the key.
    pub key_age: KeyAge,
    /// The terms of publishing.
    pub(super) options: PublisherOptions,
    reach: Reach,
    lock: WriterLock,
}

impl<'n> Publisher<'n> {
    /// Takes the right to write under the key named `name`, which is made where the
    /// node does not have it, and unpins the staging directories that a killed run
    /// left.
    ///
    /// # Errors
    /// [`PublicationError::Offline`], before a key is made, where a publication
    /// could reach nobody; [`PublicationError::Lock`] while another run has it.
    pub fn open(
        node: &'n dyn Node,
        name: &str,
        options: &PublisherOptions,
    ) -> Result<Self, PublicationError> {
        let (reach, options) = terms(node, options)?;
        let (view, key_age) = key_or_new(node, name)?;
        options.log.note_writer(view.id());
        Self::of_key(view, key_age, reach, options)
    }

    /// The same under a key that the node has; `None` where it has none of that name.
    ///
    /// # Errors
    /// As [`Publisher::open`].
    pub fn open_existing(
        node: &'n dyn Node,
        name: &str,
        options: &PublisherOptions,
    ) -> Result<Option<Self>, PublicationError> {
        let Some(view) = PublicationView::of_key(node, name)? else {
            return Ok(None);
        };
        options.log.note_writer(view.id());
        let (reach, options) = terms(node, options)?;
        Self::of_key(view, KeyAge::Existing, reach, options).map(Some)
    }

    /// The right to write journals of a mirror that leaves the node. It publishes
    /// nothing, so the node need not reach anybody.
    pub fn open_to_leave(
        view: PublicationView<'n>,
        options: &PublisherOptions,
    ) -> Result<Self, PublicationError> {
        Self::of_key(view, KeyAge::Existing, Reach::Offline, options.clone())
    }

    /// The same for a mirror that comes to the node, which does not have its key yet.
    ///
    /// # Errors
    /// As [`Publisher::open`].
    pub fn open_to_receive(
        view: PublicationView<'n>,
        options: &PublisherOptions,
    ) -> Result<Self, PublicationError> {
        let (reach, options) = terms(view.node, options)?;
        Self::of_key(view, KeyAge::Existing, reach, options)
    }

    fn of_key(
        view: PublicationView<'n>,
        key_age: KeyAge,
        reach: Reach,
        options: PublisherOptions,
    ) -> Result<Self, PublicationError> {
        let lock = WriterLock::take(&options.lock_folder, &view.id())?;
        let publisher = Self {
            lock,
            view,
            key_age,
            options,
            reach,
        };
        publisher.drop_staging(&publisher.lock.listed())?;
        Ok(publisher)
    }

    /// The node.
    pub fn node(&self) -> &'n dyn Node {
        self.view.node
    }

    /// Announces a published root to the network, unless the node has no peers.
    pub fn announce(&self, root: &Cid) -> Result<(), NodeError> {
        match self.reach {
            Reach::Offline | Reach::Peers(0) => Ok(()),
            Reach::Peers(_) => self.node().announce(root),
        }
    }

    /// Records a root that was published, and the one before it.
    pub(super) fn note_published(&self, previous: Option<Cid>, root: Cid) {
        self.options.log.note(self.view.id(), previous, root);
    }

    /// The terms of a record, with its sequence number where that must be set.
    pub(super) fn publish_options(&self, sequence: Option<u64>) -> PublishOptions {
        PublishOptions {
            lifetime: self.options.record_lifetime,
            allow_offline: self.options.allow_offline,
            sequence,
        }
    }

    /// Sends a segment, and returns its pinned staging directory, to be unpinned
    /// when something better keeps the blocks.
    pub(super) fn import(&self, segment: Segment) -> Result<Cid, NodeError> {
        let segment = segment.seal();
        self.list_staging(&segment.staging)?;
        self.node().import(&segment)?;
        Ok(segment.staging)
    }

    /// Sends blocks for something that `pin` pins, which keeps them from then on.
    pub(super) fn import_and_pin(
        &self,
        blocks: NewBlocks,
        pin: impl FnOnce() -> Result<(), NodeError>,
    ) -> Result<(), NodeError> {
        let staging = self.import(blocks.into_iter().collect())?;
        let pinned = pin();
        self.drop_staging(&[staging])?;
        pinned
    }

    /// Lists a directory that is about to be pinned for a while, so that it is found again
    /// even when this run is killed.
    pub(super) fn list_staging(&self, directory: &Cid) -> Result<(), NodeError> {
        self.lock.list(directory).map_err(|source| {
            let path = self.lock.path.clone();
            NodeError::new("list a staging directory", Problem::File { path, source })
        })
    }

    /// Unpins staging directories, when something better keeps what they kept, or
    /// nothing needs it.
    pub(super) fn drop_staging(&self, staging: &[Cid]) -> Result<(), NodeError> {
        if staging.is_empty() {
            return Ok(());
        }
        for directory in staging {
            self.node().unpin(directory)?;
        }
        self.lock.forget(staging);
        Ok(())
    }

    /// Gives a new key its name, once its first journal is pinned.
    pub(super) fn name_new_key(&mut self) -> Result<(), NodeError> {
        let key = &mut self.view.key;
        if self.key_age == KeyAge::New
            && let Some(name) = key.name.strip_suffix(NEW)
        {
            let name = name.to_owned();
            if let Err(error) = self.view.node.rename_key(key, &name) {
                // Another writer that began with the same key may have been quicker.
                let mut keys = self.view.node.keys()?.into_iter();
                if !keys.any(|found| found.name == name && found.id == key.id) {
                    return Err(error);
                }
            }
            key.name = name;
        }
        Ok(())
    }
}

/// The others that a publication reaches, and the terms of publishing.
///
/// # Errors
/// [`PublicationError::Offline`] where it could reach nobody, and that is not allowed.
fn terms(
    node: &dyn Node,
    options: &PublisherOptions,
) -> Result<(Reach, PublisherOptions), PublicationError> {
    let reach = node.reach()?;
    // A node without the ability is offline by design.
    let allow_offline = options.allow_offline || !node.description().capabilities.network;
    match reach {
        Reach::Offline if !allow_offline => return Err(PublicationError::Offline("offline")),
        Reach::Peers(0) if !allow_offline => {
            return Err(PublicationError::Offline("connected to no peers"));
        }
        _ => {}
    }
    let options = PublisherOptions {
        allow_offline,
        ..options.clone()
    };
    Ok((reach, options))
}

/// The key to be named `name`, made where the node does not have it.
fn key_or_new<'n>(
    node: &'n dyn Node,
    name: &str,
) -> Result<(PublicationView<'n>, KeyAge), PublicationError> {
    if let Some(view) = PublicationView::of_key(node, name)? {
        return Ok((view, KeyAge::Existing));
    }
    let begun = begun_key(node, &format!("{name}{NEW}"));
    // Another writer that started at the same moment may have got further.
    match PublicationView::of_key(node, name)? {
        Some(view) => Ok((view, KeyAge::Existing)),
        None => Ok((begun?, KeyAge::New)),
    }
}

/// The key `name` of a killed run, or of a writer that begins now; made where there is
/// none.
fn begun_key<'n>(node: &'n dyn Node, name: &str) -> Result<PublicationView<'n>, PublicationError> {
    if let Some(view) = PublicationView::of_key(node, name)? {
        return never_published(view);
    }
    match node.create_key(name) {
        Ok(key) => Ok(PublicationView { node, key }),
        Err(error) if error.is(Refusal::KeyExists) => {
            PublicationView::of_key(node, name)?.ok_or_else(|| error.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// The view of a key that a killed run began. Its first journal may be pinned, and
/// nothing can be published.
fn never_published(view: PublicationView) -> Result<PublicationView, PublicationError> {
    match read_name_state(&view)?.shown_publication() {
        None => Ok(view),
        Some(path) => Err(PublicationError::KeyInUse {
            key: view.key.name,
            path,
        }),
    }
}
