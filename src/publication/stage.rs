//! New files, on the node but in no directory yet.

use super::Site;
use super::graft::Engine;
use super::segment::Segment;
use crate::ipfs::cid::{Cid, CidVersion};
use crate::ipfs::file::{Added, add_file};
use crate::node::{Node, NodeError, Problem};
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Where files are staged. Threads may share it.
pub struct Stage<'n> {
    node: &'n Node,
    version: CidVersion,
    way: Way,
}

enum Way {
    /// The node chunks and hashes each file.
    AddLink,
    /// That is done here, and blocks go out in segments.
    Car(Segments),
}

struct Segments {
    filling: Mutex<Segment>,
    /// One segment may wait while another is being sent.
    outbox: SyncSender<Segment>,
}

/// What was staged besides the files themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// The pinned directories that keep new blocks from the collector.
    pub staging: Vec<Cid>,
}

/// Lets `work` stage files, and sees to it that all blocks have reached the
/// node when it returns.
///
/// # Errors
/// What `work` says, or why the node took no more. No staging directory is then
/// left pinned, as far as the node can be reached.
pub fn staging<T, E: From<NodeError>>(
    site: &Site,
    version: CidVersion,
    engine: Engine,
    work: impl FnOnce(&Stage) -> Result<T, E>,
) -> Result<(T, Staged), E> {
    let node = site.node;
    if engine == Engine::AddLink {
        let way = Way::AddLink;
        let done = work(&Stage { node, version, way })?;
        return Ok((done, Staged::default()));
    }
    let (outbox, inbox) = sync_channel(1);
    thread::scope(|scope| {
        let sender = scope.spawn(move || send_all(site, &inbox));
        let stage = Stage {
            node,
            version,
            way: Way::Car(Segments {
                filling: Mutex::default(),
                outbox,
            }),
        };
        let done = work(&stage);
        stage.close();
        // A panic of the sender is passed on by the scope.
        let (staging, sent) = sender.join().unwrap_or_else(|_| (Vec::new(), Ok(())));
        // Why sending failed says more than that a file could not be sent.
        match sent.map_err(E::from).and(done) {
            Ok(done) => Ok((done, Staged { staging })),
            Err(error) => {
                // The lock file lists what stays pinned, for the next run.
                let _ = site.drop_staging(&staging);
                Err(error)
            }
        }
    })
}

impl Stage<'_> {
    /// Stages one file straight from `content`.
    ///
    /// # Errors
    /// [`Problem::Source`] with `content`'s own error when it refuses to end
    /// cleanly: a nar whose hash is wrong never becomes a file. With CAR some of
    /// its blocks may then be on the node, where nothing refers to them.
    pub fn file(&self, content: &mut dyn Read) -> Result<Added, NodeError> {
        let segments = match &self.way {
            Way::AddLink => return self.node.add(self.version, content),
            Way::Car(segments) => segments,
        };
        let mut content = content;
        add_file(self.version, &mut content, &mut |cid, block| {
            segments.put(&cid, &block)
        })
        .map_err(|error| NodeError {
            doing: "stage a file".to_owned(),
            problem: Problem::Source(error),
        })
    }

    /// Stages a block of a directory. With add-link the node makes those.
    pub fn block(&self, cid: &Cid, block: &[u8]) -> Result<(), NodeError> {
        match &self.way {
            Way::AddLink => self.node.block_put(cid, block),
            Way::Car(segments) => segments.put(cid, block).map_err(|error| NodeError {
                doing: format!("stage the block {cid}"),
                problem: Problem::Cut(error.to_string()),
            }),
        }
    }

    fn close(self) {
        if let Way::Car(segments) = self.way {
            let last = segments
                .filling
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner);
            if !last.is_empty() {
                // Nobody takes it only when sending failed, which is reported.
                let _ = segments.outbox.send(last);
            }
        }
    }
}

impl Segments {
    fn put(&self, cid: &Cid, block: &[u8]) -> io::Result<()> {
        let full = {
            let mut filling = self.filling.lock().unwrap_or_else(PoisonError::into_inner);
            filling.push(cid, block);
            filling.is_full().then(|| std::mem::take(&mut *filling))
        };
        match full.map(|segment| self.outbox.send(segment)) {
            Some(Err(_)) => Err(io::Error::other("the node takes no more blocks")),
            _ => Ok(()),
        }
    }
}

/// Sends what comes, until it ends or the node refuses; gives what is pinned.
fn send_all(site: &Site, inbox: &Receiver<Segment>) -> (Vec<Cid>, Result<(), NodeError>) {
    let mut staging = Vec::new();
    for segment in inbox {
        match segment.send(site) {
            Ok(directory) => staging.push(directory),
            Err(error) => return (staging, Err(error)),
        }
    }
    (staging, Ok(()))
}
