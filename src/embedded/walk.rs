//! Walks through everything below a root.

use super::EmbeddedError;
use super::store::BlockStore;
use crate::ipfs::cid::{Cid, DAG_PB};
use crate::ipfs::dag_pb::{Link, Node};
use std::collections::{HashMap, HashSet};

/// `root` and every CID below it, once each. Only dag-pb blocks have links; a
/// raw leaf is looked for but not walked.
///
/// Gives an error where a block is missing, damaged, or no dag-pb node though
/// its CID says so.
pub struct Walk<'b> {
    blocks: &'b BlockStore,
    /// What is still to be visited, the next one last.
    open: Vec<Cid>,
    seen: HashSet<Cid>,
}

impl<'b> Walk<'b> {
    /// A walk through what is below these roots.
    pub fn new(blocks: &'b BlockStore, roots: impl IntoIterator<Item = Cid>) -> Self {
        Self {
            blocks,
            open: roots.into_iter().collect(),
            seen: HashSet::new(),
        }
    }

    /// Walks to the end, to know that everything is here.
    pub fn finish(mut self) -> Result<(), EmbeddedError> {
        self.try_for_each(|found| found.map(drop))
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<Cid, EmbeddedError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let cid = self.open.pop()?;
            if !self.seen.insert(cid) {
                continue;
            }
            return Some(links(self.blocks, &cid).map(|links| {
                self.open.extend(links.iter().rev().map(|link| link.cid));
                cid
            }));
        }
    }
}

/// Looks for everything below `new` that is not below `old`, all of which is
/// known to be here. Links are compared by name, so that a directory with one
/// new entry costs as many blocks as lie on the way to it.
pub fn find_new(blocks: &BlockStore, old: &Cid, new: &Cid) -> Result<(), EmbeddedError> {
    let mut open = vec![(*old, *new)];
    let mut seen = HashSet::new();
    let mut unknown = Vec::new();
    while let Some((old, new)) = open.pop() {
        if old == new || !seen.insert(new) {
            continue;
        }
        let old_links = links(blocks, &old)?;
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

fn links(blocks: &BlockStore, cid: &Cid) -> Result<Vec<Link>, EmbeddedError> {
    if cid.codec() != DAG_PB {
        return blocks.size(cid).map(|_| Vec::new());
    }
    let block = blocks.get(cid)?;
    match Node::decode(&block) {
        Ok(node) => Ok(node.links),
        Err(error) => Err(EmbeddedError::refused(format!("/ipfs/{cid}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::CidVersion;
    use crate::ipfs::directory::{Changes, Entry, patch};
    use crate::ipfs::file::add_file;

    fn add(store: &BlockStore, content: &[u8]) -> Entry {
        let mut put = |cid, block: Vec<u8>| {
            store.put(&cid, &block).unwrap();
            Ok(())
        };
        let added = add_file(CidVersion::V0, &mut &content[..], &mut put).unwrap();
        Entry {
            cid: added.cid,
            size: added.cumulative,
        }
    }

    fn directory(store: &BlockStore, base: Option<&Cid>, names: &[&str]) -> Cid {
        let entry = |name: &&str| (name.to_string(), Some(add(store, name.as_bytes())));
        let changes: Changes = names.iter().map(entry).collect();
        let mut put = |cid, block: Vec<u8>| store.put(&cid, &block);
        patch(store, base, changes, CidVersion::V0, &mut put)
            .unwrap()
            .cid
    }

    #[test]
    fn a_missing_block_is_found_wherever_it_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let store = BlockStore::open(folder.path()).unwrap();
        let old = directory(&store, None, &["a", "b"]);
        let new = directory(&store, Some(&old), &["c"]);
        find_new(&store, &old, &new).unwrap();
        let lost = add(&store, b"c").cid;
        store.sweep(|hash| hash != lost.hash()).unwrap();
        assert!(find_new(&store, &old, &new).is_err());
        assert!(Walk::new(&store, [new]).finish().is_err());
    }

    #[test]
    fn what_the_old_root_holds_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = BlockStore::open(folder.path()).unwrap();
        let old = directory(&store, None, &["a", "b"]);
        let new = directory(&store, Some(&old), &["c"]);
        let unread = add(&store, b"a").cid;
        store.sweep(|hash| hash != unread.hash()).unwrap();
        find_new(&store, &old, &new).unwrap();
    }

    #[test]
    fn a_link_under_the_raw_codec_is_not_walked() {
        let folder = tempfile::tempdir().unwrap();
        let store = BlockStore::open(folder.path()).unwrap();
        let directory = directory(&store, None, &["a"]);
        let missing = add(&store, b"a").cid;
        store.sweep(|hash| hash != missing.hash()).unwrap();
        let staged = Cid::new_v1(crate::ipfs::cid::RAW, *directory.hash());
        assert_eq!(Walk::new(&store, [staged]).count(), 1);
    }
}
