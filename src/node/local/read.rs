//! Files, read from their blocks as a stream.

use super::super::error::{Problem, Refusal};
use super::blocks::BlockStore;
use super::problem::refused;
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, DAG_PB};
use crate::ipfs::dag_pb::{Link, PbNode};
use crate::ipfs::unixfs::{Kind, UnixFs};
use std::io::{self, Cursor, Read};
use std::sync::Arc;

/// A file's content. Holds one block at a time.
pub struct FileReader {
    blocks: Arc<BlockStore>,
    /// The blocks to be read, the next one last.
    open: Vec<Cid>,
    content: Cursor<Vec<u8>>,
}

impl FileReader {
    /// Reads the first block of `file`.
    ///
    /// # Errors
    /// When the block is missing, damaged, or not that of a file.
    pub fn open(blocks: Arc<BlockStore>, file: &Cid) -> Result<Self, Problem> {
        let mut reader = Self {
            blocks,
            open: Vec::new(),
            content: Cursor::default(),
        };
        reader.enter(file)?;
        Ok(reader)
    }

    /// Continues with the content of this block, and then with its links.
    fn enter(&mut self, cid: &Cid) -> Result<(), Problem> {
        let block = self.blocks.get(cid)?;
        let (content, links) = match cid.codec() {
            DAG_PB => part(&block).ok_or_else(|| {
                refused(
                    Refusal::Other,
                    format!("/ipfs/{cid} is not a part of a file"),
                )
            })?,
            _ => (block, Vec::new()),
        };
        self.content = Cursor::new(content);
        self.open.extend(links.iter().rev().map(|link| link.cid));
        Ok(())
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let length = self.content.read(buffer)?;
            if length > 0 || buffer.is_empty() {
                return Ok(length);
            }
            let Some(cid) = self.open.pop() else {
                return Ok(0);
            };
            self.enter(&cid).map_err(io::Error::other)?;
        }
    }
}

/// The content and the links of a part of a file.
fn part(block: &[u8]) -> Option<(Vec<u8>, Vec<Link>)> {
    let node = PbNode::decode(block).ok()?;
    let message = UnixFs::decode(&node.data?).ok()?;
    let is_file = matches!(message.kind, Kind::Raw | Kind::File);
    is_file.then(|| (message.data.unwrap_or_default(), node.links))
}
