//! Items made up by number, as many as a test wants, and the trees they make.

use super::{TestNode, Upstream};
use flate2::Compression;
use flate2::write::GzEncoder;
use guix_ipfs::guix::base32;
use guix_ipfs::ipfs::blocks::Blocks;
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::directory::{Changes, Entry, patch};
use guix_ipfs::ipfs::file::{add_file, add_leaves};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// A tree: decoded path to content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The `nix-cache-info` of the first root.
pub const CACHE_INFO: &[u8] = b"StoreDir: /gnu/store\nWantMassQuery: 0\nPriority: 100\n";

pub struct Item {
    pub hash: String,
    /// Its narinfo and its nar.
    pub files: Files,
}

/// Item `number`; its nar has `nar_bytes` bytes, and `name` is its package's.
pub fn item(number: u64, name: &str, nar_bytes: usize) -> Item {
    let seed = Sha256::digest(number.to_be_bytes());
    let nar: Vec<u8> = (0u64..)
        .flat_map(|block| Sha256::digest([seed.as_slice(), &block.to_be_bytes()].concat()))
        .take(nar_bytes)
        .collect();
    item_with_nar(number, name, &nar)
}

/// The same with this nar.
pub fn item_with_nar(number: u64, name: &str, nar: &[u8]) -> Item {
    let nar_bytes = nar.len();
    let seed = Sha256::digest(number.to_be_bytes());
    let hash = base32::encode(&seed[..20]);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(nar).unwrap();
    let gzip = gzip.finish().unwrap();
    let narinfo = format!(
        "StorePath: /gnu/store/{hash}-{name}\nURL: nar/gzip/{hash}-{name}\nCompression: gzip\n\
         FileSize: {}\nNarHash: sha256:{}\nNarSize: {nar_bytes}\nReferences: \n",
        gzip.len(),
        base32::encode(&Sha256::digest(nar)),
    );
    Item {
        files: Files::from([
            (format!("{hash}.narinfo"), narinfo.into_bytes()),
            (format!("nar/gzip/{hash}-{name}"), gzip),
        ]),
        hash,
    }
}

impl Item {
    /// The same, with references to other items.
    pub fn referring_to<'i>(mut self, others: impl IntoIterator<Item = &'i Item>) -> Self {
        let others = others.into_iter().map(|other| format!("{}-x", other.hash));
        let references: Vec<String> = others.collect();
        let line = format!("References: {}", references.join(" "));
        self.edit_narinfo("References: ", &line);
        self
    }

    /// Replaces a part of its narinfo.
    pub fn edit_narinfo(&mut self, from: &str, to: &str) {
        let narinfo = self.files.get_mut(&format!("{}.narinfo", self.hash));
        let narinfo = narinfo.unwrap();
        let text = String::from_utf8(std::mem::take(narinfo)).unwrap();
        assert!(text.contains(from), "{text}");
        *narinfo = text.replace(from, to).into_bytes();
    }

    /// The path of its nar.
    pub fn nar(&self) -> String {
        let nar = self.files.keys().find(|path| path.starts_with("nar/"));
        nar.unwrap().clone()
    }
}

impl Upstream {
    /// Stops to serve an item.
    pub fn remove_item(&self, item: &Item) {
        item.files.keys().for_each(|path| self.remove(path));
    }

    /// Serves these items from now on.
    pub fn add_items<'i>(&self, items: impl IntoIterator<Item = &'i Item>) {
        for (path, content) in items.into_iter().flat_map(|item| &item.files) {
            self.set(path, content.clone());
        }
    }
}

/// The files of `fixtures/substitute-server` whose names contain one of `hashes`,
/// and the first root's.
pub fn tree_of_fixtures(hashes: &[&str]) -> Files {
    let upstream = Upstream::of_fixtures();
    let mut tree = Files::from([("nix-cache-info".to_owned(), CACHE_INFO.to_vec())]);
    tree.extend(upstream.files().into_iter().filter(|(path, _)| {
        let is_served = path.ends_with(".narinfo") || path.starts_with("nar/");
        is_served && hashes.iter().any(|hash| path.contains(hash))
    }));
    tree
}

/// The tree of a mirror of these items.
pub fn tree_of<'i>(items: impl IntoIterator<Item = &'i Item>) -> Files {
    let mut tree = Files::from([("nix-cache-info".to_owned(), CACHE_INFO.to_vec())]);
    for item in items {
        tree.extend(item.files.clone());
    }
    tree
}

/// Writes a tree into a folder on disk.
pub fn write_tree(tree: &Files, folder: &Path) {
    for (path, content) in tree {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// The root of a tree when each of its directories is made at once.
pub fn root_of(tree: &Files, version: CidVersion) -> String {
    let root = directory(tree, "", version, &mut |_, _| {});
    root.cid.to_string()
}

impl TestNode {
    /// Stores a tree, and pins it as `ipfs add -r` does; returns its root.
    pub fn store_tree(&self, tree: &Files, version: CidVersion) -> String {
        let mut blocks = Vec::new();
        let mut put = |cid: Cid, block: Vec<u8>| blocks.push((cid, block));
        let root = directory(tree, "", version, &mut put).cid;
        self.store(blocks);
        self.pin(&root);
        root.to_string()
    }
}

type Put<'p> = &'p mut dyn FnMut(Cid, Vec<u8>);

fn directory(tree: &Files, prefix: &str, version: CidVersion, put: Put) -> Entry {
    let mut changes = Changes::new();
    for (path, content) in tree.range(prefix.to_owned()..) {
        let Some(rest) = path.strip_prefix(prefix) else {
            break;
        };
        let (name, is_file) = match rest.split_once('/') {
            Some((name, _)) => (name, false),
            None => (rest, true),
        };
        if changes.contains_key(name) {
            continue;
        }
        let entry = match is_file {
            true if prefix == "nar/delta1/" => file_of_frames(content, version, put),
            true => file(content, version, put),
            false => directory(tree, &format!("{prefix}{name}/"), version, put),
        };
        changes.insert(name.to_owned(), Some(entry));
    }
    patch(&Nothing, None, changes, version, &mut |cid, block| {
        put(cid, block);
        Ok(())
    })
    .unwrap()
}

fn file(content: &[u8], version: CidVersion, put: Put) -> Entry {
    let added = add_file(version, &mut &content[..], &mut |cid, block| {
        put(cid, block);
        Ok::<_, String>(())
    });
    added.unwrap().into()
}

/// A file with a leaf for each of the zstd frames that its content is.
fn file_of_frames(content: &[u8], version: CidVersion, put: Put) -> Entry {
    let mut rest = content;
    let frames = std::iter::from_fn(|| {
        let length = match rest {
            [] => return None,
            rest => zstd::zstd_safe::find_frame_compressed_size(rest).unwrap(),
        };
        let (frame, others) = rest.split_at(length);
        rest = others;
        Some(Ok(frame.to_vec()))
    });
    let added = add_leaves(version, frames, &mut |cid, block| {
        put(cid, block);
        Ok::<_, String>(())
    });
    added.unwrap().into()
}

/// A store without blocks, for directories that are made at once.
pub struct Nothing;

impl Blocks for Nothing {
    type Error = String;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, String> {
        Err(format!("{cid} is not here"))
    }
}
