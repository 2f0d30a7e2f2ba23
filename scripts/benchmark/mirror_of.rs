//! A published mirror of so many items, made without mirroring them: its entries share
//! one nar and, where only directories matter, one narinfo.

use crate::support::{Mirror, Nothing, TestNode, Upstream, item, tree_of};
use guix_ipfs::guix::base32;
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::directory::{Changes, Entry, patch};
use guix_ipfs::ipfs::file::add_file;
use sha2::{Digest, Sha256};

/// Bytes of blocks that are sent at once.
const BATCH_BYTES: usize = 8 << 20;

/// The narinfos of the items.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Narinfos {
    /// One file stands for all.
    Shared,
    /// Each is about its item.
    OfTheirOwn,
}

/// The store hash of an item.
pub fn hash(number: u64) -> String {
    base32::encode(&Sha256::digest(number.to_le_bytes())[..20])
}

/// A mirror on `node` whose root has `count` narinfos and `nar/gzip` as many
/// nars, adopted by the program.
pub fn publish(node: &TestNode, upstream: &Upstream, count: u64, narinfos: Narinfos) -> Mirror {
    let mut blocks = Blocks {
        node,
        blocks: Vec::new(),
        bytes: 0,
    };
    let shared = item(u64::MAX, "shared", 2000);
    let tree = tree_of([&shared]);
    let files = tree.iter();
    let files = files.map(|(path, content)| (path.clone(), blocks.file(content)));
    let files: Vec<(String, Entry)> = files.collect();
    let find = |part: &str| {
        files
            .iter()
            .find(|(path, _)| path.contains(part))
            .unwrap()
            .1
    };
    let (narinfo, nar, info) = (find(".narinfo"), find("nar/"), find("nix-cache-info"));
    let text = String::from_utf8(tree[&format!("{}.narinfo", shared.hash)].clone()).unwrap();
    let narinfo_of = |number: u64| {
        let name = format!("{}-package-{number}", hash(number));
        text.replace(&format!("{}-shared", shared.hash), &name)
    };
    let gzip = (0..count).map(|i| (format!("{}-package-{i}", hash(i)), nar));
    let gzip = blocks.directory(gzip.collect::<Vec<_>>());
    let nar = blocks.directory(vec![("gzip".to_owned(), gzip)]);
    let mut entries = Vec::new();
    for number in 0..count {
        let entry = match narinfos {
            Narinfos::Shared => narinfo,
            Narinfos::OfTheirOwn => blocks.file(narinfo_of(number).as_bytes()),
        };
        entries.push((format!("{}.narinfo", hash(number)), entry));
    }
    let others = [("nar".to_owned(), nar), ("nix-cache-info".to_owned(), info)];
    entries.extend(others);
    let root = blocks.directory(entries);
    blocks.send();
    let mirror = Mirror::new(node, upstream);
    node.publish("guix-ipfs", &root.cid.to_string());
    let adopted = item(u64::MAX - 1, "adopted", 100);
    upstream.add_items([&adopted]);
    mirror.run(&format!("add {}", adopted.hash)).exits(0);
    mirror
}

struct Blocks<'n> {
    node: &'n TestNode,
    blocks: Vec<(Cid, Vec<u8>)>,
    bytes: usize,
}

impl Blocks<'_> {
    fn put(&mut self, cid: Cid, block: Vec<u8>) {
        self.bytes += block.len();
        self.blocks.push((cid, block));
        if self.bytes > BATCH_BYTES {
            self.send();
        }
    }

    fn file(&mut self, content: &[u8]) -> Entry {
        let mut put = |cid, block: Vec<u8>| {
            self.put(cid, block);
            Ok::<_, String>(())
        };
        let added = add_file(CidVersion::V0, &mut &content[..], &mut put).unwrap();
        Entry::from(added)
    }

    fn send(&mut self) {
        self.node.store(std::mem::take(&mut self.blocks));
        self.bytes = 0;
    }

    fn directory(&mut self, entries: Vec<(String, Entry)>) -> Entry {
        let changes: Changes = entries
            .into_iter()
            .map(|(name, entry)| (name, Some(entry)))
            .collect();
        let mut put = |cid, block: Vec<u8>| {
            self.put(cid, block);
            Ok(())
        };
        patch(&Nothing, None, changes, CidVersion::V0, &mut put).unwrap()
    }
}
