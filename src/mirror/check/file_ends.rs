//! The content of small files and the two ends of large ones, read from their blocks.

use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, DAG_PB};
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::unixfs::{Kind, UnixFs};

/// Levels of a file's blocks that are gone down: a file of eight exabytes has eight.
const MOST_LEVELS: usize = 16;

/// The two ends of a file, each as much of it as one leaf holds.
#[derive(Debug)]
pub struct FileEnds {
    /// The beginning.
    pub first: Vec<u8>,
    /// The end.
    pub last: Vec<u8>,
    /// The size of the whole, in bytes.
    pub size: u64,
}

/// Reads the ends of a file; `Ok(None)` where the blocks make no file.
pub fn file_ends<B: Blocks>(blocks: &B, file: &Cid) -> Result<Option<FileEnds>, B::Error> {
    let block = blocks.get(file)?;
    let Some((_, size)) = parts(file, &block) else {
        return Ok(None);
    };
    let first = leaf(blocks, file, |links| links.first().copied())?;
    let last = leaf(blocks, file, |links| links.last().copied())?;
    Ok(first
        .zip(last)
        .map(|(first, last)| FileEnds { first, last, size }))
}

/// Goes down to a leaf, and returns its content.
fn leaf<B: Blocks>(
    blocks: &B,
    file: &Cid,
    next: impl Fn(&[Cid]) -> Option<Cid>,
) -> Result<Option<Vec<u8>>, B::Error> {
    let mut at = *file;
    for _ in 0..MOST_LEVELS {
        let block = blocks.get(&at)?;
        match parts(&at, &block) {
            Some((Part::Leaf(content), _)) => return Ok(Some(content)),
            Some((Part::Links(links), _)) => match next(&links) {
                Some(link) => at = link,
                None => return Ok(None),
            },
            None => return Ok(None),
        }
    }
    Ok(None)
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
