//! The copy of a mirror's content to another node, a part at a time.
//!
//! Whatever is there already is not sent again, and a killed run is continued: its parts
//! are pinned there. A block that is there stands for all below it; the pin of its part
//! proves that, and if the node's collector was quicker, the whole part is sent again.

use super::error::PublicationError;
use super::journal::{Content, Journal};
use super::part::Part;
use super::publisher::Publisher;
use super::sending::{Copied, CopyError, Known, Sending, batches, links_of, of_source, of_target};
use crate::ipfs::blocks::each;
use crate::ipfs::cid::{Cid, DAG_PB, inlined};
use crate::ipfs::dag_pb::{Link, PbNode};
use crate::ipfs::directory::PlainDirectory;
use crate::ipfs::unixfs::{Kind, UnixFs};
use crate::node::{KnownBlocks, Node, NodeError};
use std::collections::HashSet;

/// A copy that is under way.
pub struct Copier<'c, 'n> {
    source: &'c dyn Node,
    target: &'c Publisher<'n>,
    /// The name of the pins of parts.
    pin_name: String,
    /// The parts that the target keeps.
    pinned: HashSet<Cid>,
    /// The directories that were copied with all below them.
    copied_directories: HashSet<Cid>,
    part: Part,
    /// The blocks that were sent.
    pub copied: Copied,
    /// Called with the bytes of each part.
    advance: &'c dyn Fn(u64),
}

impl<'c, 'n> Copier<'c, 'n> {
    /// A copy to the node of `target`, which continues that of a killed run.
    pub fn new(
        source: &'c dyn Node,
        target: &'c Publisher<'n>,
        advance: &'c dyn Fn(u64),
    ) -> Result<Self, CopyError> {
        let pin_name = format!("{}/moving", Journal::pin_name(&target.view.key.id));
        let pinned = of_target(target.node().pins_named(&pin_name))?;
        let mut pinned: HashSet<Cid> = pinned.into_iter().collect();
        pinned.extend(of_target(keepers(target))?);
        Ok(Self {
            source,
            target,
            pin_name,
            pinned,
            copied_directories: HashSet::new(),
            part: Part::default(),
            copied: Copied::default(),
            advance,
        })
    }

    /// Copies all of `content` that the target lacks. It stays pinned there until
    /// [`Copier::unpin_all`].
    ///
    /// # Errors
    /// A later call continues where this one ended.
    pub fn copy(&mut self, content: &Content) -> Result<(), CopyError> {
        let (keeper, block) = content.keeper();
        if !self.pinned.contains(&keeper) {
            let walked = self.walk(content);
            if walked.is_err() {
                self.part = Part::default();
                self.copied_directories.clear();
            }
            walked?;
            // The parts hold all of it.
            let name = Journal::pin_name(&self.target.view.key.id);
            let pin = (name.as_str(), KnownBlocks::All);
            self.send(&Part::default(), (keeper, block), Known::Nothing, pin)?;
        }
        self.unpin(|part| *part != keeper)
    }

    /// Unpins the copy, once something else keeps it.
    pub fn unpin_all(&mut self) -> Result<(), CopyError> {
        self.unpin(|_| true)
    }

    fn unpin(&mut self, is_over: impl Fn(&Cid) -> bool) -> Result<(), CopyError> {
        let over: Vec<Cid> = self.pinned.iter().copied().filter(is_over).collect();
        for part in over {
            of_target(self.target.node().unpin(&part))?;
            self.pinned.remove(&part);
        }
        Ok(())
    }

    fn walk(&mut self, content: &Content) -> Result<(), CopyError> {
        for entry in [Some(content.root), content.ledger].into_iter().flatten() {
            if !self.copied_directories.contains(&entry.cid) {
                let block = of_source(self.source.block(&entry.cid))?;
                self.directory(entry.cid, block)?;
            }
        }
        self.flush()
    }

    /// Takes all below a directory, plain or a shard, and then the directory.
    fn directory(&mut self, cid: Cid, block: Vec<u8>) -> Result<(), CopyError> {
        let links = links_of(&cid, &block);
        for links in batches(&links) {
            let new = |link: &&Link| !self.copied_directories.contains(&link.cid);
            let links: Vec<&Link> = links.iter().filter(new).collect();
            let cids: Vec<Cid> = links.iter().map(|link| link.cid).collect();
            let blocks = of_source(self.source.blocks(&cids))?;
            for (link, block) in links.into_iter().zip(blocks) {
                let node = match link.cid.codec() {
                    DAG_PB => PbNode::decode(&block).ok(),
                    _ => None,
                };
                if node.as_ref().is_some_and(is_directory) {
                    self.directory(link.cid, block)?;
                } else if inlined(&link.cid).is_none() {
                    self.part.file(link.cid, link.size, block, node);
                    self.flush_full()?;
                }
            }
        }
        self.part.directory(cid, block);
        self.copied_directories.insert(cid);
        self.flush_full()
    }

    fn flush_full(&mut self) -> Result<(), CopyError> {
        match self.part.is_full() {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Sends the part, unless the target keeps it.
    fn flush(&mut self) -> Result<(), CopyError> {
        let part = std::mem::take(&mut self.part);
        let (cid, block) = part.directory_block();
        let name = self.pin_name.clone();
        let pin = (name.as_str(), KnownBlocks::Unsure);
        if !part.units.is_empty() && !self.pinned.contains(&cid) {
            match self.send(&part, (cid, block.clone()), Known::Asked, pin) {
                // The collector took what was there.
                Err(CopyError::Target(PublicationError::Node(error))) if error.is_missing() => {
                    self.send(&part, (cid, block), Known::Nothing, pin)?;
                }
                sent => sent?,
            }
        }
        (self.advance)(part.bytes);
        Ok(())
    }

    /// Sends a part with the directory that keeps it, and pins that under a name.
    fn send(
        &mut self,
        part: &Part,
        keeper: (Cid, Vec<u8>),
        known: Known,
        pin: (&str, KnownBlocks),
    ) -> Result<(), CopyError> {
        let (cid, block) = keeper;
        let mut sending = Sending::new(self.source, self.target, known, &mut self.copied);
        let sent = sending.units(&part.units).and_then(|()| {
            sending.put(cid, block)?;
            sending.flush()?;
            of_target(self.target.node().pin(&cid, pin.0, pin.1))
        });
        let staging = sending.staging;
        if sent.is_ok() {
            self.pinned.insert(cid);
        }
        let dropped = of_target(self.target.drop_staging(&staging));
        sent.and(dropped)
    }
}

/// The directories that keep the content of a move that was killed near its end.
fn keepers(target: &Publisher) -> Result<Vec<Cid>, NodeError> {
    let pins = Journal::pins(&target.view)?;
    let mut keepers = Vec::new();
    for (pin, block) in pins.iter().zip(each(target.node(), &pins)) {
        let directory = block.map(|block| PlainDirectory::decode(&block));
        let is_keeper = |directory: &PlainDirectory| !directory.entries.contains_key("state");
        match directory {
            Ok(directory) if directory.as_ref().is_ok_and(is_keeper) => keepers.push(*pin),
            Err(error) if !error.is_of_block() => return Err(error),
            // A journal, readable or not.
            _ => {}
        }
    }
    Ok(keepers)
}

fn is_directory(node: &PbNode) -> bool {
    let message = UnixFs::decode(node.data.as_deref().unwrap_or_default());
    message.is_ok_and(|message| matches!(message.kind, Kind::Directory | Kind::HamtShard))
}
