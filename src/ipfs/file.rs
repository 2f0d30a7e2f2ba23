//! UnixFS files: content cut into chunks and stacked into a balanced tree, as
//! `ipfs add` does by default (boxo `ipld/unixfs/importer/balanced`).

use super::blocks::BlockSink;
use super::cid::{Cid, CidVersion, DAG_PB, RAW, cid_of};
use super::dag_pb::{Link, MAX_HEAD_BYTES, PbNode};
use super::directory::Entry;
use super::protobuf::{write_length, write_number};
use super::unixfs::{Kind, UnixFs};
use std::convert::Infallible;
use std::io::{self, Read};
use thiserror::Error;

/// Bytes of content in a leaf.
pub const CHUNK_BYTES: usize = 262_144;
/// Links of an inner node.
pub const MAX_LINKS: usize = 174;

/// A file in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// The file's root.
    pub cid: Cid,
    /// Content, in bytes.
    pub size: u64,
    /// Cumulative size in bytes, as a directory's link to the file states it.
    pub cumulative: u64,
}

impl From<Added> for Entry {
    fn from(file: Added) -> Self {
        Self {
            cid: file.cid,
            size: file.cumulative,
        }
    }
}

/// The two ways in which adding a file fails.
#[derive(Debug, Error)]
pub enum AddError<E> {
    /// The content could not be read to its end.
    #[error("{0}")]
    Content(#[source] io::Error),
    /// A block could not be stored.
    #[error("{0}")]
    Sink(E),
}

/// Reads a file to its end and hands each of its blocks to `sink`, children
/// before parents. Holds one chunk and the links of one inner node a level.
///
/// # Errors
/// [`AddError::Content`] when the reader fails, [`AddError::Sink`] when `sink`
/// does. The blocks handed out by then do not make a file.
pub fn add_file<S: BlockSink>(
    version: CidVersion,
    reader: &mut (impl Read + ?Sized),
    sink: &mut S,
) -> Result<Added, AddError<S::Error>> {
    let mut builder = FileBuilder::new(version);
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let length = read_full(reader, &mut chunk).map_err(AddError::Content)?;
        if length > 0 || builder.levels.is_empty() {
            let leaf = builder.leaf(&chunk[..length], sink);
            leaf.map_err(AddError::Sink)?;
        }
        if length < CHUNK_BYTES {
            return builder.finish(sink).map_err(AddError::Sink);
        }
    }
}

/// Fills a buffer as far as the content goes, and returns the bytes that it got.
fn read_full(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Makes a file of leaves that are cut already, each as a block of its own, and hands
/// each of its blocks to `sink`. A file of none has one empty leaf.
///
/// # Errors
/// As [`add_file`].
pub fn add_leaves<S: BlockSink>(
    version: CidVersion,
    leaves: impl Iterator<Item = io::Result<Vec<u8>>>,
    sink: &mut S,
) -> Result<Added, AddError<S::Error>> {
    let mut builder = FileBuilder::new(version);
    for leaf in leaves {
        let leaf = leaf.map_err(AddError::Content)?;
        builder.leaf(&leaf, sink).map_err(AddError::Sink)?;
    }
    builder.finish(sink).map_err(AddError::Sink)
}

/// A file that is in memory, and its blocks.
pub fn file_blocks(version: CidVersion, content: &[u8]) -> (Entry, Vec<(Cid, Vec<u8>)>) {
    let mut blocks = Vec::new();
    let mut sink = |cid, block| {
        blocks.push((cid, block));
        Ok::<_, Infallible>(())
    };
    let mut file = FileBuilder::new(version);
    let Ok(()) = file.push(content, &mut sink);
    let Ok(added) = file.finish(&mut sink);
    (added.into(), blocks)
}

/// A file that is built from pieces of its content, one after another.
#[derive(Debug)]
pub struct FileBuilder {
    version: CidVersion,
    /// Content that fills no leaf yet.
    chunk: Vec<u8>,
    /// Finished subtrees, by their height.
    levels: Vec<Vec<Added>>,
}

impl FileBuilder {
    /// A file without content.
    pub fn new(version: CidVersion) -> Self {
        Self {
            version,
            chunk: Vec::new(),
            levels: Vec::new(),
        }
    }

    /// Appends content. Blocks that are full go to `sink`.
    pub fn push<S: BlockSink>(&mut self, mut content: &[u8], sink: &mut S) -> Result<(), S::Error> {
        while !content.is_empty() {
            let room = CHUNK_BYTES - self.chunk.len();
            let (taken, rest) = content.split_at(room.min(content.len()));
            self.chunk.extend_from_slice(taken);
            content = rest;
            if self.chunk.len() == CHUNK_BYTES {
                self.cut(sink)?;
            }
        }
        Ok(())
    }

    /// Ends the file. The blocks that remain go to `sink`, its root last.
    pub fn finish<S: BlockSink>(mut self, sink: &mut S) -> Result<Added, S::Error> {
        if !self.chunk.is_empty() || self.levels.is_empty() {
            self.cut(sink)?;
        }
        let mut level = 0;
        loop {
            let parts = std::mem::take(&mut self.levels[level]);
            let is_top = level + 1 == self.levels.len();
            if let ([root], true) = (parts.as_slice(), is_top) {
                return Ok(*root);
            }
            let parent = self.inner(&parts, sink)?;
            self.add(level + 1, parent, sink)?;
            level += 1;
        }
    }

    /// Makes a leaf of the chunk. Its buffer is used again.
    fn cut<S: BlockSink>(&mut self, sink: &mut S) -> Result<(), S::Error> {
        let mut chunk = std::mem::take(&mut self.chunk);
        self.leaf(&chunk, sink)?;
        chunk.clear();
        self.chunk = chunk;
        Ok(())
    }

    fn leaf<S: BlockSink>(&mut self, content: &[u8], sink: &mut S) -> Result<(), S::Error> {
        let (codec, block) = match self.version {
            CidVersion::V1 => (RAW, content.to_vec()),
            CidVersion::V0 => (DAG_PB, leaf_node(content)),
        };
        let leaf = Added {
            cid: cid_of(self.version, codec, &block),
            size: content.len() as u64,
            cumulative: block.len() as u64,
        };
        sink.put(leaf.cid, block)?;
        self.add(0, leaf, sink)
    }

    /// Adds a subtree. A full level is folded into the one above only when another
    /// part follows, so that every level is non-empty at the end and the tree is no
    /// deeper than Kubo's.
    fn add<S: BlockSink>(
        &mut self,
        level: usize,
        part: Added,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        if self.levels.len() == level {
            self.levels.push(Vec::new());
        }
        if self.levels[level].len() == MAX_LINKS {
            let parts = std::mem::take(&mut self.levels[level]);
            let parent = self.inner(&parts, sink)?;
            self.add(level + 1, parent, sink)?;
        }
        self.levels[level].push(part);
        Ok(())
    }

    fn inner<S: BlockSink>(&self, parts: &[Added], sink: &mut S) -> Result<Added, S::Error> {
        let mut message = UnixFs::new(Kind::File);
        message.blocksizes = parts.iter().map(|part| part.size).collect();
        let size = message.blocksizes.iter().sum();
        message.filesize = Some(size);
        let links = parts.iter().map(|part| Link {
            cid: part.cid,
            name: String::new(),
            size: part.cumulative,
        });
        let (block, entry) = PbNode::of_unixfs(&message, links).seal(self.version);
        sink.put(entry.cid, block)?;
        Ok(Added {
            cid: entry.cid,
            size,
            cumulative: entry.size,
        })
    }
}

/// The block of a leaf under CIDv0: a [`PbNode`] around a [`UnixFs`] message, written at
/// once, so that the content is copied once.
fn leaf_node(content: &[u8]) -> Vec<u8> {
    let size = content.len() as u64;
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    write_number(&mut head, 1, Kind::File as u64);
    if !content.is_empty() {
        write_length(&mut head, 2, size);
    }
    write_number(&mut tail, 3, size);
    let message = [&head, content, &tail];
    let length: usize = message.iter().map(|part| part.len()).sum();
    let mut block = Vec::with_capacity(length + MAX_HEAD_BYTES);
    write_length(&mut block, 1, length as u64);
    message
        .iter()
        .for_each(|part| block.extend_from_slice(part));
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::blocks::Discard;

    const VERSIONS: [CidVersion; 2] = [CidVersion::V0, CidVersion::V1];

    #[test]
    fn leaves_of_the_usual_size_make_the_usual_file() {
        for count in [0, 1, 2, MAX_LINKS, MAX_LINKS + 1] {
            let bytes = count * CHUNK_BYTES - usize::from(count > 0);
            let content: Vec<u8> = (0..bytes).map(|at| (at / 1000) as u8).collect();
            for version in VERSIONS {
                let leaves = content.chunks(CHUNK_BYTES).map(|leaf| Ok(leaf.to_vec()));
                let of_leaves = add_leaves(version, leaves, &mut Discard).unwrap();
                let added = add_file(version, &mut content.as_slice(), &mut Discard).unwrap();
                assert_eq!(of_leaves, added, "{count} {version:?}");
            }
        }
    }

    #[test]
    fn each_leaf_is_a_block_and_equal_leaves_are_equal_blocks() {
        let leaves = [&b"one"[..], b"two", b"one"];
        for (version, wrapped) in [(CidVersion::V0, true), (CidVersion::V1, false)] {
            let mut blocks = Vec::new();
            let mut sink = |cid, block| {
                blocks.push((cid, block));
                Ok::<_, Infallible>(())
            };
            let given = leaves.iter().map(|leaf| Ok(leaf.to_vec()));
            let added = add_leaves(version, given, &mut sink).unwrap();
            assert_eq!(added.size, 9);
            assert_eq!(blocks.len(), 4);
            assert_eq!(blocks[0], blocks[2]);
            assert_eq!(blocks[1].1 == b"two", !wrapped);
            assert_eq!(blocks[3].0, added.cid);
        }
    }

    #[test]
    fn a_leaf_that_cannot_be_made_ends_the_file() {
        let broken = io::Error::from(io::ErrorKind::ConnectionReset);
        let leaves = [Ok(b"one".to_vec()), Err(broken), Ok(b"two".to_vec())];
        let error = add_leaves(CidVersion::V1, leaves.into_iter(), &mut Discard);
        assert!(matches!(error, Err(AddError::Content(_))));
    }
}
