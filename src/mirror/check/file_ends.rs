//! The content of small files and the two ends of large ones, read from their blocks.

use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, DAG_PB};
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::unixfs::{Kind, UnixFs};

/// Levels of a file's blocks that are gone down: a file of eight exabytes has eight.
const MOST_LEVELS: usize = 16;

/// Blocks that are read at each end of a file: the leaves of a delta nar may have a few
/// bytes each.
const MOST_BLOCKS: usize = 64;

/// The two ends of a file: each as many of its leaves as the bytes asked for take.
#[derive(Debug)]
pub struct FileEnds {
    /// The beginning.
    pub first: Vec<u8>,
    /// The end.
    pub last: Vec<u8>,
    /// The size of the whole, in bytes.
    pub size: u64,
}

/// Reads the ends of a file, at least so many bytes of each where it has them; `Ok(None)`
/// where the blocks make no file.
pub fn file_ends<B: Blocks>(
    blocks: &B,
    file: &Cid,
    bytes: usize,
) -> Result<Option<FileEnds>, B::Error> {
    let block = blocks.get(file)?;
    let Some((_, size)) = parts(file, &block) else {
        return Ok(None);
    };
    let first = end(blocks, file, bytes, End::First)?;
    let last = end(blocks, file, bytes, End::Last)?;
    Ok(first
        .zip(last)
        .map(|(first, last)| FileEnds { first, last, size }))
}

/// An end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    First,
    Last,
}

/// Reads leaves from an end on.
fn end<B: Blocks>(
    blocks: &B,
    file: &Cid,
    bytes: usize,
    end: End,
) -> Result<Option<Vec<u8>>, B::Error> {
    let mut content = Vec::new();
    // The next block is the last one, after its depth.
    let mut open = vec![(0, *file)];
    for _ in 0..MOST_BLOCKS {
        let Some((depth, cid)) = open.pop() else {
            break;
        };
        let block = blocks.get(&cid)?;
        match parts(&cid, &block) {
            Some((Part::Leaf(leaf), _)) => {
                let at = match end {
                    End::First => content.len(),
                    End::Last => 0,
                };
                content.splice(at..at, leaf);
                if content.len() >= bytes {
                    break;
                }
            }
            Some((Part::Links(links), _)) if depth < MOST_LEVELS => {
                let links = links.into_iter().map(|link| (depth + 1, link));
                match end {
                    End::First => open.extend(links.rev()),
                    End::Last => open.extend(links),
                }
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(content))
}

enum Part {
    Leaf(Vec<u8>),
    Links(Vec<Cid>),
}

/// A block as a part of a file, and the bytes of the file below it.
fn parts(cid: &Cid, block: &[u8]) -> Option<(Part, u64)> {
    if cid.codec() != DAG_PB {
        return Some((Part::Leaf(block.to_vec()), block.len() as u64));
    }
    let node = PbNode::decode(block).ok()?;
    let message = UnixFs::decode(node.data.as_deref()?).ok()?;
    if !matches!(message.kind, Kind::File | Kind::Raw) {
        return None;
    }
    let content = message.data.unwrap_or_default();
    if node.links.is_empty() {
        let size = content.len() as u64;
        return Some((Part::Leaf(content), size));
    }
    let links = node.links.iter().map(|link| link.cid).collect();
    Some((Part::Links(links), message.filesize.unwrap_or_default()))
}
