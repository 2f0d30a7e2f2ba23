//! UnixFS files: cut into chunks and stacked into a balanced tree, as
//! `ipfs add` does by default (boxo `ipld/unixfs/importer/balanced`).

use super::cid::{Cid, CidVersion, DAG_PB, RAW, cid_of};
use super::dag_pb::{Link, Node};
use super::unixfs::{Kind, UnixFs};
use std::io::{self, Read};

/// Bytes of content in a leaf.
pub const CHUNK_BYTES: usize = 262_144;
/// Links of an inner node.
pub const MAX_LINKS: usize = 174;

/// A file that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// The file's root.
    pub cid: Cid,
    /// Content, in bytes.
    pub size: u64,
    /// Cumulative size in bytes, as a directory's link to the file states it.
    pub cumulative: u64,
}

/// Reads a file to its end and hands each of its blocks to `put`, children
/// before parents. Holds one chunk and the links of one inner node a level.
///
/// # Errors
/// What the reader or `put` says. The blocks handed out by then are no file.
pub fn add_file(
    version: CidVersion,
    reader: &mut impl Read,
    put: &mut impl FnMut(Cid, Vec<u8>) -> io::Result<()>,
) -> io::Result<Added> {
    let mut levels: Vec<Vec<Part>> = Vec::new();
    loop {
        let mut chunk = Vec::new();
        reader
            .by_ref()
            .take(CHUNK_BYTES as u64)
            .read_to_end(&mut chunk)?;
        let last = chunk.len() < CHUNK_BYTES;
        if !chunk.is_empty() || levels.is_empty() {
            let leaf = leaf(version, chunk, put)?;
            push(&mut levels, 0, leaf, version, put)?;
        }
        if last {
            return finish(levels, version, put);
        }
    }
}

/// A finished subtree of the file.
type Part = Added;

fn leaf(
    version: CidVersion,
    chunk: Vec<u8>,
    put: &mut impl FnMut(Cid, Vec<u8>) -> io::Result<()>,
) -> io::Result<Part> {
    let size = chunk.len() as u64;
    let (codec, block) = match version {
        CidVersion::V1 => (RAW, chunk),
        CidVersion::V0 => {
            let mut message = UnixFs::new(Kind::File);
            message.data = (!chunk.is_empty()).then_some(chunk);
            message.filesize = Some(size);
            let node = Node {
                links: Vec::new(),
                data: Some(message.encode()),
            };
            (DAG_PB, node.encode())
        }
    };
    let part = Part {
        cid: cid_of(version, codec, &block),
        size,
        cumulative: block.len() as u64,
    };
    put(part.cid, block)?;
    Ok(part)
}

fn inner(
    version: CidVersion,
    parts: &[Part],
    put: &mut impl FnMut(Cid, Vec<u8>) -> io::Result<()>,
) -> io::Result<Part> {
    let mut message = UnixFs::new(Kind::File);
    message.blocksizes = parts.iter().map(|part| part.size).collect();
    let size = message.blocksizes.iter().sum();
    message.filesize = Some(size);
    let node = Node {
        links: parts.iter().map(Part::link).collect(),
        data: Some(message.encode()),
    };
    let block = node.encode();
    let part = Part {
        cid: cid_of(version, DAG_PB, &block),
        size,
        cumulative: node.cumulative_size(block.len()),
    };
    put(part.cid, block)?;
    Ok(part)
}

impl Added {
    fn link(&self) -> Link {
        Link {
            cid: self.cid,
            name: String::new(),
            size: self.cumulative,
        }
    }
}

/// A full level is folded into the one above only when another part comes, so
/// that every level is non-empty at the end and the tree is no deeper than Kubo's.
fn push(
    levels: &mut Vec<Vec<Part>>,
    level: usize,
    part: Part,
    version: CidVersion,
    put: &mut impl FnMut(Cid, Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    if levels.len() == level {
        levels.push(Vec::new());
    }
    if levels[level].len() == MAX_LINKS {
        let parts = std::mem::take(&mut levels[level]);
        let parent = inner(version, &parts, put)?;
        push(levels, level + 1, parent, version, put)?;
    }
    levels[level].push(part);
    Ok(())
}

fn finish(
    mut levels: Vec<Vec<Part>>,
    version: CidVersion,
    put: &mut impl FnMut(Cid, Vec<u8>) -> io::Result<()>,
) -> io::Result<Added> {
    let mut level = 0;
    loop {
        let parts = std::mem::take(&mut levels[level]);
        let is_top = level + 1 == levels.len();
        if let ([root], true) = (parts.as_slice(), is_top) {
            return Ok(*root);
        }
        let parent = inner(version, &parts, put)?;
        push(&mut levels, level + 1, parent, version, put)?;
        level += 1;
    }
}
