//! A published mirror of so many items, made without mirroring them: its
//! entries share one narinfo and one nar, because only directories matter.

use crate::support::{Mirror, Nothing, TestNode, Upstream, item, tree_of};
use guix_ipfs::guix::base32;
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::directory::{Changes, Entry, patch};
use guix_ipfs::ipfs::file::add_file;
use sha2::{Digest, Sha256};

/// Bytes of blocks that are sent at once.
const BATCH_BYTES: usize = 8 << 20;

/// A mirror on `node` whose root has `count` narinfos and `nar/gzip` as many
/// nars, adopted by the program.
pub fn publish(node: &TestNode, upstream: &Upstream, count: u64) -> Mirror {
    let mut blocks = Blocks {
        node,
        blocks: Vec::new(),
        bytes: 0,
    };
    let shared = item(u64::MAX, "shared", 2000);
    let tree = tree_of([&shared]);
    let files = tree.iter().map(|(path, content)| {
        let mut put = |cid, block: Vec<u8>| {
            blocks.put(cid, block);
            Ok::<_, String>(())
        };
        let added = add_file(CidVersion::V0, &mut &content[..], &mut put).unwrap();
        let entry = Entry {
            cid: added.cid,
            size: added.cumulative,
        };
        (path.clone(), entry)
    });
    let files: Vec<(String, Entry)> = files.collect();
    let find = |part: &str| {
        files
            .iter()
            .find(|(path, _)| path.contains(part))
            .unwrap()
            .1
    };
    let (narinfo, nar, info) = (find(".narinfo"), find("nar/"), find("nix-cache-info"));
    let hash = |i: u64| base32::encode(&Sha256::digest(i.to_le_bytes())[..20]);
    let gzip = (0..count).map(|i| (format!("{}-package-{i}", hash(i)), nar));
    let gzip = blocks.directory(gzip.collect::<Vec<_>>());
    let nar = blocks.directory(vec![("gzip".to_owned(), gzip)]);
    let narinfos = (0..count).map(|i| (format!("{}.narinfo", hash(i)), narinfo));
    let others = [("nar".to_owned(), nar), ("nix-cache-info".to_owned(), info)];
    let root = blocks.directory(narinfos.chain(others).collect::<Vec<_>>());
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
