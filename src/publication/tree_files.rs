//! The files of a tree: the content of small ones, and the sizes of all.

use super::error::PublicationError;
use super::tree::{Search, Tree};
use crate::ipfs::blocks::each;
use crate::ipfs::cid::{Cid, DAG_PB};
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::directory::Entry;
use crate::ipfs::file::CHUNK_BYTES;
use crate::ipfs::unixfs::UnixFs;

/// The longest file that [`Tree::read`] reads, in bytes: a narinfo's limit.
const MAX_FILE_BYTES: usize = 1 << 20;

/// The blocks that such a file may have: four, unless an odd chunker made it.
const MAX_FILE_BLOCKS: usize = 64;

/// Bytes of a file whose first block is read together with those of others. That of a
/// file with several leaves is small, too: it holds links.
const SMALL_BYTES: u64 = 16 << 10;

impl Tree<'_> {
    /// The content of a small file, at most 1 MiB long.
    pub fn read(&self, file: &Cid) -> Result<Vec<u8>, PublicationError> {
        self.content(file, self.block(file)?)
    }

    /// The contents of small files, read together, as [`Tree::read`] gives each.
    pub fn read_each<'a>(
        &'a self,
        files: &'a [Cid],
    ) -> impl Iterator<Item = Result<Vec<u8>, PublicationError>> + 'a {
        let blocks: Box<dyn Iterator<Item = _> + 'a> = match self.search {
            Search::Node => Box::new(each(self.node(), files)),
            Search::Network(_) => Box::new(files.iter().map(|file| self.block(file))),
        };
        let files = files.iter().zip(blocks);
        files.map(|(file, block)| self.content(file, block?))
    }

    /// The content of a small file that begins with this block.
    fn content(&self, file: &Cid, first: Vec<u8>) -> Result<Vec<u8>, PublicationError> {
        let mut content = Vec::new();
        let mut open = Vec::new();
        let mut blocks = 1;
        let (mut cid, mut block) = (*file, first);
        loop {
            if cid.codec() != DAG_PB {
                content.extend(block);
            } else {
                let (node, message) = file_node(&cid, &block)?;
                content.extend(message.data.unwrap_or_default());
                open.extend(node.links.iter().rev().map(|link| link.cid));
            }
            if content.len() > MAX_FILE_BYTES || blocks > MAX_FILE_BLOCKS {
                let reason = format!("it is longer than {MAX_FILE_BYTES} bytes");
                return Err(unreadable(file, reason));
            }
            let Some(next) = open.pop() else {
                return Ok(content);
            };
            (cid, block) = (next, self.block(&next)?);
            blocks += 1;
        }
    }

    /// The size of a file's content, in bytes, as its first block states it.
    pub fn file_size(&self, file: &Cid) -> Result<u64, PublicationError> {
        match file.codec() {
            DAG_PB => size_in(file, &self.node().block(file)?),
            _ => {
                let size = self.node().block_size(file)?;
                size.ok_or_else(|| unreadable(file, "its block is not on this node".to_owned()))
            }
        }
    }

    /// The sizes of files, as [`Tree::file_size`] gives each. First blocks that are small
    /// are read together.
    pub fn file_sizes(&self, files: &[Entry]) -> Vec<Result<u64, PublicationError>> {
        let is_large =
            |file: &Entry| file.cid.codec() == DAG_PB && file.size > 2 * CHUNK_BYTES as u64;
        let is_small = |file: &&Entry| file.size <= SMALL_BYTES || is_large(file);
        let small: Vec<Cid> = files.iter().filter(is_small).map(|file| file.cid).collect();
        let mut small_blocks = each(self.node(), &small);
        let mut size = |file: &Entry| {
            let block = is_small(&file).then(|| small_blocks.next()).flatten();
            match block {
                Some(block) if file.cid.codec() == DAG_PB => size_in(&file.cid, &block?),
                Some(block) => Ok(block?.len() as u64),
                None => self.file_size(&file.cid),
            }
        };
        files.iter().map(&mut size).collect()
    }
}

/// The size of the content of a file with this first block.
fn size_in(file: &Cid, block: &[u8]) -> Result<u64, PublicationError> {
    let (_, message) = file_node(file, block)?;
    let inline = message.data.map(|data| data.len() as u64);
    let size = message.filesize.or(inline);
    size.ok_or_else(|| unreadable(file, "its block has no size".to_owned()))
}

/// The first block of a file that is not a raw leaf.
fn file_node(file: &Cid, block: &[u8]) -> Result<(PbNode, UnixFs), PublicationError> {
    let node = PbNode::decode(block).map_err(|error| unreadable(file, error.to_string()))?;
    let message = UnixFs::decode(node.data.as_deref().unwrap_or_default());
    let message = message.map_err(|error| unreadable(file, error.to_string()))?;
    Ok((node, message))
}

fn unreadable(file: &Cid, reason: String) -> PublicationError {
    PublicationError::File(format!("/ipfs/{file}"), reason)
}
