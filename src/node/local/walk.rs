//! Walks through everything below a root.

use super::super::error::{Problem, Refusal};
use super::blocks::BlockStore;
use super::marks::{Marks, Seen, Visit};
use super::problem::{missing, refused};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, DAG_PB, inlined};
use crate::ipfs::dag_pb::{Link, PbNode};
use multihash::Multihash;
use std::collections::{HashMap, HashSet};

/// A walk through everything below some roots, each block once. Only dag-pb blocks have
/// links; under the raw codec a block is looked for but not followed.
#[derive(Debug)]
pub struct Walk<'b> {
    blocks: &'b BlockStore,
    /// The CIDs to be visited, the next one last.
    open: Vec<Cid>,
    marks: Marks,
    bytes: u64,
}

impl<'b> Walk<'b> {
    /// A walk that has not begun.
    pub fn new(blocks: &'b BlockStore) -> Self {
        Self {
            blocks,
            open: Vec::new(),
            marks: Marks::default(),
            bytes: 0,
        }
    }

    /// Walks through everything below `root` that was not visited yet.
    ///
    /// # Errors
    /// When a block is missing, damaged, or not a dag-pb node though its CID says so.
    /// The next call would continue after it, so the walk is of no use then.
    pub fn below(&mut self, root: &Cid) -> Result<(), Problem> {
        self.open.push(*root);
        while let Some(cid) = self.open.pop() {
            let seen = match inlined(&cid) {
                // No block holds it.
                Some(_) => Seen::NotFollowed,
                None => self.marks.visit(cid.hash(), visit(&cid)),
            };
            if seen == Seen::Already {
                continue;
            }
            let (bytes, links) = read(self.blocks, &cid)?;
            if seen == Seen::Never {
                self.bytes += bytes;
            }
            self.open.extend(links.iter().rev().map(|link| link.cid));
        }
        Ok(())
    }

    /// Returns true for the hash of a block that was visited.
    pub fn visited(&self, hash: &Multihash<64>) -> bool {
        self.marks.contain(hash)
    }

    /// The size of all visited blocks, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn visit(cid: &Cid) -> Visit {
    match cid.codec() {
        DAG_PB => Visit::Followed,
        _ => Visit::LookedFor,
    }
}

/// Looks for everything below `new` that is not below `old`, which is pinned. Links
/// are compared by name, so that a directory with one new entry costs as many blocks
/// as lie on the way to it. A block of `old` that cannot be read is skipped, and its
/// counterpart walked whole.
pub fn walk_new(blocks: &BlockStore, old: &Cid, new: &Cid) -> Result<(), Problem> {
    let mut open = vec![(*old, *new)];
    let mut visited = HashSet::new();
    let mut unknown = Vec::new();
    while let Some((old, new)) = open.pop() {
        if old == new || !visited.insert(new) {
            continue;
        }
        let old_links = read(blocks, &old).map_or_else(|_| Vec::new(), |(_, links)| links);
        let mut by_name: HashMap<&str, &Link> = HashMap::new();
        for link in &old_links {
            by_name.entry(&link.name).or_insert(link);
        }
        let known: HashSet<&Cid> = old_links.iter().map(|link| &link.cid).collect();
        for link in read(blocks, &new)?.1 {
            match by_name.get(link.name.as_str()) {
                _ if known.contains(&link.cid) => {}
                Some(before) => open.push((before.cid, link.cid)),
                None => unknown.push(link.cid),
            }
        }
    }
    let mut walk = Walk::new(blocks);
    unknown.iter().try_for_each(|cid| walk.below(cid))
}

/// The size and the links of a block that must be there.
fn read(blocks: &BlockStore, cid: &Cid) -> Result<(u64, Vec<Link>), Problem> {
    if cid.codec() != DAG_PB {
        return match blocks.size(cid)? {
            Some(size) => Ok((size, Vec::new())),
            None => Err(missing(cid)),
        };
    }
    if let Some(size) = blocks.size_of_leaf(cid) {
        return Ok((size, Vec::new()));
    }
    let block = blocks.get(cid)?;
    match PbNode::decode(&block) {
        Ok(node) => Ok((block.len() as u64, node.links)),
        Err(error) => Err(refused(Refusal::Other, format!("/ipfs/{cid}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipfs::cid::{CidVersion, RAW, cid_of};
    use crate::ipfs::directory::{Changes, Entry, patch};
    use crate::ipfs::file::add_file;
    use std::fs;
    use tempfile::TempDir;

    fn add(store: &BlockStore, content: &str) -> Entry {
        let mut put = |cid, block: Vec<u8>| store.put(&cid, &block);
        let added = add_file(CidVersion::V0, &mut content.as_bytes(), &mut put).unwrap();
        added.into()
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
        let shelves = store.shelves().unwrap();
        let files = shelves.iter().flat_map(|shelf| store.files(shelf).unwrap());
        let mut lost = files.filter(|file| file.hash == *lost.hash());
        assert!(lost.next().unwrap().remove().unwrap());
    }

    #[test]
    fn a_missing_block_is_found_wherever_it_is_new() {
        let (_folder, store, old, new) = two_directories();
        remove(&store, &add(&store, "c").cid);
        assert!(walk_new(&store, &old, &new).is_err());
        assert!(Walk::new(&store).below(&new).is_err());
    }

    #[test]
    fn a_link_that_stands_after_the_data_is_followed() {
        let (_folder, store, old, _) = two_directories();
        let file = add(&store, "a").cid;
        let node = PbNode::decode(&store.get(&old).unwrap()).unwrap();
        let links = PbNode {
            data: None,
            ..node.clone()
        }
        .encode();
        let data = PbNode {
            links: Vec::new(),
            ..node
        }
        .encode();
        let block = [data, links].concat();
        let root = cid_of(CidVersion::V1, DAG_PB, &block);
        store.put(&root, &block).unwrap();
        let mut walk = Walk::new(&store);
        walk.below(&root).unwrap();
        assert!(walk.visited(file.hash()));
        remove(&store, &file);
        assert!(Walk::new(&store).below(&root).is_err());
    }

    #[test]
    fn a_leaf_that_was_cut_is_found() {
        let (_folder, store, old, new) = two_directories();
        let leaf = add(&store, "c").cid;
        let whole = store.get(&leaf).unwrap();
        for left in [0, 1, whole.len() - 1] {
            fs::write(store.path(&leaf), &whole[..left]).unwrap();
            let found = [walk_new(&store, &old, &new), Walk::new(&store).below(&new)];
            for found in found {
                assert!(
                    matches!(found, Err(Problem::Damaged { .. })),
                    "{left}: {found:?}"
                );
            }
        }
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
    fn a_link_under_the_raw_codec_is_not_followed_until_another_way_leads_there() {
        let (_folder, store, old, _) = two_directories();
        let file = add(&store, "a").cid;
        let mut walk = Walk::new(&store);
        walk.below(&Cid::new_v1(RAW, *old.hash())).unwrap();
        assert!(walk.visited(old.hash()) && !walk.visited(file.hash()));
        let directory = walk.bytes();
        walk.below(&old).unwrap();
        assert!(walk.visited(file.hash()));
        walk.below(&Cid::new_v1(RAW, *file.hash())).unwrap();
        // Each block counts once.
        let files: u64 = ["a", "b"].map(|name| add(&store, name).size).iter().sum();
        assert_eq!(walk.bytes(), directory + files);
        remove(&store, &file);
        assert!(Walk::new(&store).below(&old).is_err());
        Walk::new(&store)
            .below(&Cid::new_v1(RAW, *old.hash()))
            .unwrap();
    }
}
