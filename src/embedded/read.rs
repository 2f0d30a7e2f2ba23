//! Files, read from their blocks as a stream.

use super::EmbeddedError;
use super::repo::Repo;
use crate::ipfs::cid::{Cid, DAG_PB};
use crate::ipfs::dag_pb::{Link, Node};
use crate::ipfs::directory::Blocks;
use crate::ipfs::unixfs::{Kind, UnixFs};
use std::io::{self, Read};
use std::sync::Arc;

/// A node below which there are files, or content.
pub enum Found {
    /// A directory, plain or sharded.
    Directory,
    /// A file of so many bytes.
    File(u64),
    /// A symbolic link.
    Symlink,
}

/// What a CID names, by its first block.
pub fn kind(repo: &Repo, cid: &Cid) -> Result<Found, EmbeddedError> {
    let (message, data, _) = open(repo, cid)?;
    Ok(match message.kind {
        Kind::Directory | Kind::HamtShard => Found::Directory,
        Kind::Symlink => Found::Symlink,
        _ => Found::File(message.filesize.unwrap_or(data.len() as u64)),
    })
}

/// A file's content. Holds one block at a time.
pub struct FileReader {
    repo: Arc<Repo>,
    /// The blocks still to come, the next one last.
    open: Vec<Cid>,
    content: io::Cursor<Vec<u8>>,
}

impl FileReader {
    /// Reads the file `cid` from its start.
    pub fn new(repo: &Arc<Repo>, cid: Cid) -> Self {
        Self {
            repo: Arc::clone(repo),
            open: vec![cid],
            content: io::Cursor::default(),
        }
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
            let (message, data, links) = open(&self.repo, &cid).map_err(io::Error::other)?;
            if !matches!(message.kind, Kind::Raw | Kind::File) {
                return Err(io::Error::other(format!(
                    "/ipfs/{cid} is no part of a file"
                )));
            }
            self.open.extend(links.iter().rev().map(|link| link.cid));
            self.content = io::Cursor::new(data);
        }
    }
}

/// A block's message, its own content, and its links.
fn open(repo: &Repo, cid: &Cid) -> Result<(UnixFs, Vec<u8>, Vec<Link>), EmbeddedError> {
    let block = Blocks::get(&repo.blocks, cid)?;
    if cid.codec() != DAG_PB {
        let mut message = UnixFs::new(Kind::Raw);
        message.filesize = Some(block.len() as u64);
        return Ok((message, block, Vec::new()));
    }
    let refused =
        |error: &dyn std::fmt::Display| EmbeddedError::refused(format!("/ipfs/{cid}: {error}"));
    let node = Node::decode(&block).map_err(|error| refused(&error))?;
    let data = node.data.unwrap_or_default();
    let mut message = UnixFs::decode(&data).map_err(|error| refused(&error))?;
    let content = message.data.take().unwrap_or_default();
    Ok((message, content, node.links))
}
