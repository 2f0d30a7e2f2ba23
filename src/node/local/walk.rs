//! Walks through everything below a root.

use super::super::error::{Problem, Refusal};
use super::blocks::BlockStore;
use super::problem::{missing, refused};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, DAG_PB};
use crate::ipfs::dag_pb::{Link, PbNode};
use std::collections::{HashMap, HashSet};

/// The roots and every CID below them, once each. Only dag-pb blocks have links; a
/// raw leaf is looked for but not walked.
///
/// Gives an error where a block is missing, damaged, or not a dag-pb node though
/// its CID says so.
pub struct Walk<'b> {
    blocks: &'b BlockStore,
    /// The CIDs to be visited, the next one last.
    open: Vec<Cid>,
    visited: HashSet<Cid>,
}

impl<'b> Walk<'b> {
    /// A walk through everything below these roots.
    pub fn new(blocks: &'b BlockStore, roots: impl IntoIterator<Item = Cid>) -> Self {
        Self {
            blocks,
            open: roots.into_iter().collect(),
            visited: HashSet::new(),
        }
    }

    /// Walks to the end, to know that everything is there.
    pub fn finish(mut self) -> Result<(), Problem> {
        self.try_for_each(|visited| visited.map(drop))
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Cid, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let cid = self.open.pop()?;
            if !self.visited.insert(cid) {
                continue;
            }
            return Some(links(self.blocks, &cid).map(|links| {
                self.open.extend(links.iter().rev().map(|link| link.cid));
                cid
            }));
        }
    }
}

/// Looks for everything below `new` that is not below `old`, which is pinned. Links
/// are compared by name, so that a directory with one new entry costs as many
/// blocks as lie on the way to it. A block of `old` that cannot be read is passed
/// over, and its counterpart walked whole.
pub fn walk_new(blocks: &BlockStore, old: &Cid, new: &Cid) -> Result<(), Problem> {
    let mut open = vec![(*old, *new)];
    let mut visited = HashSet::new();
    let mut unknown = Vec::new();
    while let Some((old, new)) = open.pop() {
        if old == new || !visited.insert(new) {
            continue;
        }
        let old_links = links(blocks, &old).unwrap_or_default();
        let mut by_name: HashMap<&str, &Link> = HashMap::new();
        for link in &old_links {
            by_name.entry(&link.name).or_insert(link);
        }
        let known: HashSet<&Cid> = old_links.iter().map(|link| &link.cid).collect();
        for link in links(blocks, &new)? {
            match by_name.get(link.name.as_str()) {
                _ if known.contains(&link.cid) => {}
                Some(before) => open.push((before.cid, link.cid)),
                None => unknown.push(link.cid),
            }
        }
    }
    Walk::new(blocks, unknown).finish()
}

/// The links of a block that must be there.
fn links(blocks: &BlockStore, cid: &Cid) -> Result<Vec<Link>, Problem> {
    if cid.codec() != DAG_PB {
        return match blocks.size(cid)? {
            Some(_) => Ok(Vec::new()),
            None => Err(missing(cid)),
        };
    }
    let block = blocks.get(cid)?;
    match PbNode::decode(&block) {
        Ok(node) => Ok(node.links),
        Err(error) => Err(refused(Refusal::Other, format!("/ipfs/{cid}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{CidVersion, RAW};
    use crate::ipfs::directory::{Changes, Entry, patch};
    use crate::ipfs::file::add_file;
    use tempfile::TempDir;

    fn add(store: &BlockStore, content: &str) -> Entry {
        let mut put = |cid, block: Vec<u8>| store.put(&cid, &block);
        let added = add_file(CidVersion::V0, &mut content.as_bytes(), &mut put).unwrap();
        Entry {
            cid: added.cid,
            size: added.cumulative,
        }
    }

    fn directory(store: &BlockStore, base: Option<&Cid>, names: &[&str]) -> Cid {
        let entry = |name: &&str| (name.to_string(), Some(add(store, name)));
        let changes: Changes = names.iter().map(entry).collect();
        let mut put = |cid, block: Vec<u8>| store.put(&cid, &block);
        let root = patch(store, base, changes, CidVersion::V0, &mut put);
        root.unwrap().cid
    }

    /// A store, the directory of `a` and `b`, and that of `a`, `b` and `c`.
    fn two_directories() -> (TempDir, BlockStore, Cid, Cid) {
        let folder = tempfile::tempdir().unwrap();
        let store = BlockStore::open(folder.path().to_owned()).unwrap();
        let old = directory(&store, None, &["a", "b"]);
        let new = directory(&store, Some(&old), &["c"]);
        walk_new(&store, &old, &new).unwrap();
        (folder, store, old, new)
    }

    fn remove(store: &BlockStore, lost: &Cid) {
        assert_eq!(store.sweep(|hash| hash != lost.hash()).unwrap(), 1);
    }

    #[test]
    fn a_missing_block_is_found_wherever_it_is_new() {
        let (_folder, store, old, new) = two_directories();
        remove(&store, &add(&store, "c").cid);
        assert!(walk_new(&store, &old, &new).is_err());
        assert!(Walk::new(&store, [new]).finish().is_err());
    }

    #[test]
    fn blocks_below_the_old_root_are_read_again_only_when_it_is_lost() {
        let (_folder, store, old, new) = two_directories();
        remove(&store, &add(&store, "a").cid);
        walk_new(&store, &old, &new).unwrap();
        remove(&store, &old);
        assert!(walk_new(&store, &old, &new).is_err());
    }

    #[test]
    fn a_link_under_the_raw_codec_is_not_walked() {
        let (_folder, store, old, _) = two_directories();
        remove(&store, &add(&store, "a").cid);
        let staged = Cid::new_v1(RAW, *old.hash());
        assert_eq!(Walk::new(&store, [staged]).count(), 1);
    }
}
