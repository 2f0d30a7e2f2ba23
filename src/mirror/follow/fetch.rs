//! The blocks of the new files, fetched before the root is pinned: a pin reports no
//! progress, and ends with its time limit. No more of a file is fetched than its
//! directory states.

use super::changes::Roots;
use super::halt::Halt;
use super::objection::Objection;
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, DAG_PB, RAW};
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::directory::{Changed, Entry};
use crate::ipfs::unixfs::{Kind, UnixFs};
use crate::mirror::observer::{DownloadProgress, RunProgress};
use crate::publication::join;

/// A file whose blocks come.
struct Coming<'p> {
    path: String,
    /// It may be nothing but a file.
    is_nar: bool,
    /// Bytes that may still come.
    left: u64,
    /// Blocks that are still to come, as far as they are known.
    open: usize,
    size: u64,
    progress: &'p dyn RunProgress,
    /// Its line, once a block came.
    line: Option<Box<dyn DownloadProgress>>,
}

/// Fetches all files of the new root that differ, but for narinfos.
pub fn fetch(roots: &Roots, progress: &dyn RunProgress) -> Result<(), Halt> {
    let coming = |path: String, is_nar: bool, entry: Entry| {
        let file = Coming {
            path,
            is_nar,
            left: entry.size,
            open: 1,
            size: entry.size,
            progress,
            line: None,
        };
        (file, entry.cid)
    };
    roots.for_each_file(&mut |changed| {
        let others = changed
            .into_iter()
            .filter(|it| !it.name.ends_with(".narinfo"));
        let others = others.filter_map(|Changed { name, new, .. }| Some(coming(name, false, new?)));
        fetch_each(roots, others.collect())
    })?;
    roots.for_each_nar(&mut |changed| {
        let nars = changed.into_iter();
        let nars = nars.filter_map(|nar| Some(coming(join(&nar.path), true, nar.new?)));
        fetch_each(roots, nars.collect())
    })
}

/// Fetches these files, the first ones first.
fn fetch_each(roots: &Roots, files: Vec<(Coming, Cid)>) -> Result<(), Halt> {
    let at_once = usize::from(roots.blocks.at_once.max(1));
    let (mut files, roots_of_files): (Vec<Coming>, Vec<Cid>) = files.into_iter().unzip();
    // The last one is next.
    let mut open: Vec<(usize, Cid)> = roots_of_files.into_iter().enumerate().rev().collect();
    while !open.is_empty() {
        let mut some = open.split_off(open.len().saturating_sub(at_once));
        some.reverse();
        let cids: Vec<Cid> = some.iter().map(|(_, cid)| *cid).collect();
        let blocks = roots.blocks.get_many(&cids)?;
        let mut below = Vec::new();
        for ((file, cid), block) in some.into_iter().zip(blocks) {
            let links = files[file].take(&cid, &block)?;
            below.extend(links.into_iter().map(|cid| (file, cid)));
        }
        open.extend(below.into_iter().rev());
    }
    Ok(())
}

impl Coming<'_> {
    /// Takes a block, and returns the blocks below it.
    fn take(&mut self, cid: &Cid, block: &[u8]) -> Result<Vec<Cid>, Objection> {
        let bytes = block.len() as u64;
        let Some(left) = self.left.checked_sub(bytes) else {
            let size = self.size;
            return Err(self.objection(format!(
                "it has more than the {size} bytes that its directory lists"
            )));
        };
        self.left = left;
        let Some(links) = self.links(cid, block) else {
            return Err(self.objection("it is not a file".to_owned()));
        };
        let line = self
            .line
            .get_or_insert_with(|| self.progress.download(&self.path, Some(self.size)));
        line.advance(bytes);
        self.open = self.open + links.len() - 1;
        if self.open == 0 {
            line.finish();
            self.line = None;
            self.progress.item_done();
        }
        Ok(links)
    }

    /// The blocks below one; `None` where it is no part of a file.
    fn links(&self, cid: &Cid, block: &[u8]) -> Option<Vec<Cid>> {
        match cid.codec() {
            RAW => Some(Vec::new()),
            DAG_PB => {
                let node = PbNode::decode(block).ok()?;
                let message = UnixFs::decode(node.data.as_deref()?).ok()?;
                let is_file = matches!(message.kind, Kind::File | Kind::Raw);
                let links = node.links.into_iter().map(|link| link.cid);
                (is_file || !self.is_nar).then(|| links.collect())
            }
            _ => None,
        }
    }

    fn objection(&self, reason: String) -> Objection {
        let path = self.path.clone();
        Objection::File { path, reason }
    }
}
