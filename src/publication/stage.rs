//! New files, on the node but not in a directory yet.

use super::error::PublicationError;
use super::graft::Engine;
use super::publisher::Publisher;
use crate::ipfs::blocks::BlockSink;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::directory::Entry;
use crate::ipfs::file::{AddError, Added, add_file, add_leaves};
use crate::node::{AddFileError, Node, NodeError, Problem, Segment};
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A place for new files. Threads may share it.
pub struct Stage<'n> {
    node: &'n dyn Node,
    version: CidVersion,
    way: Way,
}

enum Way {
    /// The node chunks and hashes each file.
    AddLink,
    /// Files are chunked and hashed here, and blocks go out in segments.
    Car(Segments),
}

struct Segments {
    filling: Mutex<Segment>,
    /// One segment may wait while another is being sent.
    outbox: SyncSender<Segment>,
    /// The node has failed. Known before the next segment is full, so that nothing
    /// more is fetched for it.
    is_over: Arc<AtomicBool>,
}

/// Lets `work` stage files, and ensures that all blocks have reached the node when it
/// returns. Returns also the staging directories that are pinned and keep new blocks
/// from the collector.
///
/// # Errors
/// The error of `work`, or the reason why the node accepted no more. No staging
/// directory is then left pinned, as far as the node can be reached.
pub fn with_stage<T, E: From<NodeError>>(
    publisher: &Publisher,
    version: CidVersion,
    engine: Engine,
    work: impl FnOnce(&Stage) -> Result<T, E>,
) -> Result<(T, Vec<Cid>), E> {
    let node = publisher.node();
    if engine == Engine::AddLink {
        let way = Way::AddLink;
        let done = work(&Stage { node, version, way })?;
        return Ok((done, Vec::new()));
    }
    let (outbox, inbox) = sync_channel(1);
    let is_over = Arc::<AtomicBool>::default();
    let ended = Arc::clone(&is_over);
    thread::scope(|scope| {
        let sender = scope.spawn(move || {
            let sent = send_all(publisher, &inbox);
            ended.store(true, Ordering::Relaxed);
            sent
        });
        let stage = Stage {
            node,
            version,
            way: Way::Car(Segments {
                filling: Mutex::default(),
                outbox,
                is_over,
            }),
        };
        let done = work(&stage);
        stage.close();
        // A panic of the sender is passed on by the scope.
        let (staging, sent) = sender.join().unwrap_or_else(|_| (Vec::new(), Ok(())));
        // The reason why sending failed is more useful than the failure to send a
        // file.
        match sent.map_err(E::from).and(done) {
            Ok(done) => Ok((done, staging)),
            Err(error) => {
                // The lock file lists what stays pinned, for the next run.
                let _ = publisher.drop_staging(&staging);
                Err(error)
            }
        }
    })
}

impl Stage<'_> {
    /// Stages one file straight from `content`.
    ///
    /// # Errors
    /// [`AddFileError::Content`] with `content`'s own error when it does not end
    /// cleanly: a nar whose hash is wrong never becomes a file. Some of its blocks
    /// may then be on the node, where nothing refers to them.
    pub fn file(&self, content: &mut dyn Read) -> Result<Added, AddFileError> {
        match &self.way {
            Way::AddLink => self.node.add_file(self.version, content),
            Way::Car(segments) => add_file(self.version, content, &mut &*segments),
        }
    }

    /// Stages the file of this name, which is in memory.
    ///
    /// # Errors
    /// As [`Stage::file`].
    pub fn content(&self, name: &str, mut content: &[u8]) -> Result<Entry, PublicationError> {
        match self.file(&mut content) {
            Ok(added) => Ok(added.into()),
            Err(AddError::Sink(error)) => Err(error.into()),
            Err(AddError::Content(error)) => {
                Err(PublicationError::File(name.to_owned(), error.to_string()))
            }
        }
    }

    /// Stages one file of leaves that are cut already.
    ///
    /// # Errors
    /// As [`Stage::file`].
    pub fn file_of_leaves(
        &self,
        leaves: &mut dyn Iterator<Item = io::Result<Vec<u8>>>,
    ) -> Result<Added, AddFileError> {
        let mut sink = |cid, block| self.block(cid, block);
        add_leaves(self.version, leaves, &mut sink)
    }

    /// Stages a block that is made here, whatever the engine: that of a directory, of the
    /// ledger, or of a file of leaves.
    pub fn block(&self, cid: Cid, block: Vec<u8>) -> Result<(), NodeError> {
        match &self.way {
            Way::AddLink => self.node.put_block(&cid, &block),
            Way::Car(segments) => (&mut &*segments).put(cid, block),
        }
    }

    fn close(self) {
        if let Way::Car(segments) = self.way {
            let last = segments.filling.into_inner();
            let last = last.unwrap_or_else(PoisonError::into_inner);
            if !last.is_empty() {
                // Nobody takes it only when sending failed, which is reported.
                let _ = segments.outbox.send(last);
            }
        }
    }
}

impl BlockSink for &Segments {
    type Error = NodeError;

    fn put(&mut self, cid: Cid, block: Vec<u8>) -> Result<(), NodeError> {
        let over = || {
            let reason = "the node accepts no more blocks".to_owned();
            NodeError::new("store blocks", Problem::Cut(reason))
        };
        if self.is_over.load(Ordering::Relaxed) {
            return Err(over());
        }
        let full = {
            let mut filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
            filling.push(cid, block);
            filling.is_full().then(|| std::mem::take(&mut *filling))
        };
        match full.map(|segment| self.outbox.send(segment)) {
            Some(Err(_)) => Err(over()),
            _ => Ok(()),
        }
    }
}

/// Sends what comes, until it ends or the node refuses; returns what is pinned.
fn send_all(publisher: &Publisher, inbox: &Receiver<Segment>) -> (Vec<Cid>, Result<(), NodeError>) {
    let mut staging = Vec::new();
    for segment in inbox {
        match publisher.import(segment) {
            Ok(directory) => staging.push(directory),
            Err(error) => return (staging, Err(error)),
        }
    }
    (staging, Ok(()))
}
