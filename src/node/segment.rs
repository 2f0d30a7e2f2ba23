//! Blocks on their way to a node, some MiB in a call.
//!
//! A segment has a staging directory: its links point to the segment's blocks under
//! the *raw* codec. Pinned, it keeps the collector from each block without making
//! the node walk below any, so a segment may hold half a file. A block of random
//! bytes makes the directory this run's own: a CID has one pin, and another run on
//! the node may be storing the same files.

use crate::ipfs::car;
use crate::ipfs::cid::{Cid, CidVersion, RAW, cid_of};
use crate::ipfs::directory::{Entry, PlainDirectory};
use std::io::{self, Cursor, Read};

/// The size from which a segment is sent, in bytes of blocks.
const SEGMENT_BYTES: usize = 4 << 20;

/// Blocks to be sent together.
#[derive(Debug, Default)]
pub struct Segment {
    blocks: Vec<(Cid, Vec<u8>)>,
    bytes: usize,
    staging: PlainDirectory,
}

/// A segment that takes no more blocks.
#[derive(Debug)]
pub struct SealedSegment {
    /// The staging directory, to be pinned.
    pub staging: Cid,
    /// All blocks, the staging directory's first.
    pub blocks: Vec<(Cid, Vec<u8>)>,
}

impl Segment {
    /// Takes one more block. One that it holds already is not sent twice.
    pub fn push(&mut self, cid: Cid, block: Vec<u8>) {
        let protected = Cid::new_v1(RAW, *cid.hash());
        let entry = Entry {
            cid: protected,
            size: block.len() as u64,
        };
        let name = protected.to_string();
        if self.staging.entries.insert(name, entry).is_none() {
            self.bytes += block.len();
            self.blocks.push((cid, block));
        }
    }

    /// Returns true when it is time to send it.
    pub fn is_full(&self) -> bool {
        self.bytes >= SEGMENT_BYTES
    }

    /// Returns true when there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Ends the segment.
    pub fn seal(mut self) -> SealedSegment {
        let mut own = [0; 16];
        // Without randomness two runs may share a pin, which few will ever see.
        let _ = getrandom::fill(&mut own);
        self.push(cid_of(CidVersion::V1, RAW, &own), own.to_vec());
        let (block, Entry { cid, .. }) = self.staging.encode(CidVersion::V1);
        self.blocks.insert(0, (cid, block));
        SealedSegment {
            staging: cid,
            blocks: self.blocks,
        }
    }
}

impl FromIterator<(Cid, Vec<u8>)> for Segment {
    fn from_iter<I: IntoIterator<Item = (Cid, Vec<u8>)>>(blocks: I) -> Self {
        let mut segment = Self::default();
        for (cid, block) in blocks {
            segment.push(cid, block);
        }
        segment
    }
}

impl SealedSegment {
    /// The segment as a CARv1 whose only root is the staging directory. Blocks are
    /// not copied.
    pub fn car(&self) -> impl Read {
        let header = Cursor::new(car::header(&self.staging));
        let sections = self.blocks.iter().flat_map(|(cid, block)| {
            let head = Cursor::new(car::section_head(cid, block.len()));
            [Part::Head(head), Part::Block(block.as_slice())]
        });
        header.chain(Parts {
            parts: sections,
            current: None,
        })
    }
}

/// A piece of a CAR.
enum Part<'s> {
    Head(Cursor<Vec<u8>>),
    Block(&'s [u8]),
}

/// Pieces, read one after another.
struct Parts<'s, I: Iterator<Item = Part<'s>>> {
    parts: I,
    current: Option<Part<'s>>,
}

impl<'s, I: Iterator<Item = Part<'s>>> Read for Parts<'s, I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = match &mut self.current {
                Some(Part::Head(head)) => head.read(buffer)?,
                Some(Part::Block(block)) => block.read(buffer)?,
                None => 0,
            };
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            match self.parts.next() {
                Some(part) => self.current = Some(part),
                None => return Ok(0),
            }
        }
    }
}
