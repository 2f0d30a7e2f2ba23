//! The copy of a mirror's content to another node, a part at a time.
//!
//! Whatever is there already is not sent again, and a killed run is continued: its parts
//! are pinned there. Files are sent children first, so that a block that is there stands
//! for all below it; the pin of its part proves that, and if the node's collector was
//! quicker, the whole part is sent again.

use super::error::PublicationError;
use super::journal::Journal;
use super::part::{Part, Unit};
use super::publisher::Publisher;
use crate::ipfs::blocks::each;
use crate::ipfs::cid::{Cid, CidVersion, DAG_PB, inlined};
use crate::ipfs::dag_pb::{Link, PbNode};
use crate::ipfs::directory::{Entry, PlainDirectory};
use crate::ipfs::unixfs::{Kind, UnixFs};
use crate::node::{KnownBlocks, Node, NodeError, Segment};
use serde::Serialize;
use std::collections::HashSet;
use thiserror::Error;

/// Blocks that are read together, and their bytes about.
const READ_BLOCKS: usize = 256;
const READ_BYTES: u64 = 8 << 20;

/// Files of one block that are asked for together, and sent together where one is
/// lacking.
const ASKED_TOGETHER: usize = 64;

/// Bytes of the first block of a file of many leaves, or of a shard, about.
const SMALL_BYTES: u64 = 16 << 10;

/// The longest leaf of a file, in bytes. What is larger begins with a block of links.
const LEAF_BYTES: u64 = 1 << 20;

/// A root with the ledger beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The root, as a directory above it links to it.
    pub root: Entry,
    /// The directory of the ledger.
    pub ledger: Option<Entry>,
}

/// The blocks that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Their number.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The failure of one of two nodes.
#[derive(Debug, Error)]
pub enum CopyError {
    /// The node that is copied from.
    #[error(transparent)]
    Source(PublicationError),
    /// The node that is copied to.
    #[error(transparent)]
    Target(PublicationError),
}

/// The treatment of blocks that may be on the target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// The target is asked, and what it has is not sent.
    Asked,
    /// They are sent.
    Nothing,
}

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

/// A part being sent.
struct Sending<'s, 'n> {
    target: &'s Publisher<'n>,
    segment: Segment,
    staging: Vec<Cid>,
    copied: &'s mut Copied,
}

impl Content {
    /// A directory with both, whose pin keeps all. The pin has the name of a journal's,
    /// which the journal takes over from it; without a `state` it is not a journal.
    pub(super) fn keeper(&self) -> (Cid, Vec<u8>) {
        let parts = [("root", self.root)].into_iter();
        let parts = parts.chain(self.ledger.map(|ledger| ("ledger", ledger)));
        let entries = parts.map(|(name, entry)| (name.to_owned(), entry));
        let directory = PlainDirectory {
            entries: entries.collect(),
        };
        let (block, entry) = directory.encode(CidVersion::V1);
        (entry.cid, block)
    }
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
    /// [`Copier::let_go`].
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

    /// Removes what keeps the copy, once something else does.
    pub fn let_go(&mut self) -> Result<(), CopyError> {
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
        let mut sending = Sending {
            target: self.target,
            segment: Segment::default(),
            staging: Vec::new(),
            copied: &mut self.copied,
        };
        let cid = keeper.0;
        let sent = send_units(self.source, &mut sending, &part.units, known);
        let sent = sent.and_then(|()| {
            sending.put(keeper.0, keeper.1)?;
            sending.send()?;
            let target = self.target.node();
            of_target(target.pin(&cid, pin.0, pin.1))
        });
        let staging = std::mem::take(&mut sending.staging);
        if sent.is_ok() {
            self.pinned.insert(cid);
        }
        let dropped = of_target(self.target.drop_staging(&staging));
        sent.and(dropped)
    }
}

impl Sending<'_, '_> {
    fn put(&mut self, cid: Cid, block: Vec<u8>) -> Result<(), CopyError> {
        self.copied.blocks += 1;
        self.copied.bytes += block.len() as u64;
        self.segment.push(cid, block);
        match self.segment.is_full() {
            true => self.send(),
            false => Ok(()),
        }
    }

    fn send(&mut self) -> Result<(), CopyError> {
        let segment = std::mem::take(&mut self.segment);
        if !segment.is_empty() {
            let staging = of_target(self.target.import(segment))?;
            self.staging.push(staging);
        }
        Ok(())
    }

    /// Returns true when the target holds this block.
    fn has(&self, cid: &Cid) -> Result<bool, CopyError> {
        let size = of_target(self.target.node().block_size(cid))?;
        Ok(size.is_some())
    }
}

/// The directories that keep the content of a move that was killed near its end.
fn keepers(target: &Publisher) -> Result<Vec<Cid>, NodeError> {
    let node = target.node();
    let pins = node.pins_named(&Journal::pin_name(&target.view.key.id))?;
    let mut keepers = Vec::new();
    for (pin, block) in pins.iter().zip(each(node, &pins)) {
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

/// Sends those of these files and directories that the target lacks.
fn send_units(
    source: &dyn Node,
    sending: &mut Sending,
    units: &[Unit],
    known: Known,
) -> Result<(), CopyError> {
    let (files, single): (Vec<&Unit>, Vec<&Unit>) =
        units.iter().partition(|unit| !unit.links.is_empty());
    for together in single.chunks(ASKED_TOGETHER) {
        let cids: Vec<Cid> = together.iter().map(|unit| unit.cid).collect();
        if known == Known::Nothing || !has_all(sending, &cids)? {
            for unit in together {
                sending.put(unit.cid, unit.block.clone())?;
            }
        }
    }
    for unit in files {
        if known == Known::Nothing || !sending.has(&unit.cid)? {
            send_below(source, sending, &unit.links, known)?;
            sending.put(unit.cid, unit.block.clone())?;
        }
    }
    Ok(())
}

/// Sends blocks of a file with all below them, children first.
fn send_below(
    source: &dyn Node,
    sending: &mut Sending,
    links: &[Link],
    known: Known,
) -> Result<(), CopyError> {
    for links in batches(links) {
        let mut cids: Vec<Cid> = links.iter().map(|link| link.cid).collect();
        // If the first one is missing, a killed run did not get that far.
        if known == Known::Asked && sending.has(&cids[0])? {
            let mut lacking = Vec::new();
            for cid in &cids[1..] {
                if !sending.has(cid)? {
                    lacking.push(*cid);
                }
            }
            cids = lacking;
        }
        let blocks = of_source(source.blocks(&cids))?;
        for (cid, block) in cids.into_iter().zip(blocks) {
            send_below(source, sending, &links_of(&cid, &block), known)?;
            sending.put(cid, block)?;
        }
    }
    Ok(())
}

/// Returns true when the target holds all of these blocks. It takes two calls; asking
/// for each block takes about as long as sending small ones.
fn has_all(sending: &Sending, cids: &[Cid]) -> Result<bool, CopyError> {
    match cids {
        [] => Ok(true),
        [first, ..] if !sending.has(first)? => Ok(false),
        _ => match sending.target.node().blocks(cids) {
            Ok(_) => Ok(true),
            Err(error) if error.is_of_block() => Ok(false),
            Err(error) => of_target(Err(error)),
        },
    }
}

/// The links of a block; none of a leaf.
fn links_of(cid: &Cid, block: &[u8]) -> Vec<Link> {
    match cid.codec() {
        DAG_PB => PbNode::decode(block).map_or(Vec::new(), |node| node.links),
        _ => Vec::new(),
    }
}

fn is_directory(node: &PbNode) -> bool {
    let message = UnixFs::decode(node.data.as_deref().unwrap_or_default());
    message.is_ok_and(|message| matches!(message.kind, Kind::Directory | Kind::HamtShard))
}

/// Links in groups whose blocks are read together.
fn batches(mut links: &[Link]) -> impl Iterator<Item = &[Link]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let count = links.iter().take(READ_BLOCKS).take_while(|link| {
            let is_first = bytes == 0;
            bytes += match link.size > LEAF_BYTES {
                true => SMALL_BYTES,
                false => link.size.max(1),
            };
            is_first || bytes <= READ_BYTES
        });
        let (batch, rest) = links.split_at(count.count());
        links = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

fn of_source<T>(result: Result<T, NodeError>) -> Result<T, CopyError> {
    result.map_err(|error| CopyError::Source(error.into()))
}

fn of_target<T>(result: Result<T, NodeError>) -> Result<T, CopyError> {
    result.map_err(|error| CopyError::Target(error.into()))
}
