//! An independent reader of published trees. It takes raw blocks, reads dag-pb, UnixFS
//! and narinfos by itself, and uses nothing of the program under test. (Its own tests
//! use the program, to make trees.)

use cid::Cid;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

/// A tree whose blocks were all read, hashed and compared with the links to them.
pub struct PublishedTree {
    /// Path to content.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Returns the bytes of a CID.
type GetBlock<'g> = &'g dyn Fn(&str) -> Option<Vec<u8>>;

/// A block: of the dag-pb codec, or a raw leaf as a file without links.
struct Node {
    links: Vec<Link>,
    /// The UnixFS type.
    kind: u64,
    /// A file's bytes, or a shard's bitfield.
    data: Vec<u8>,
    /// A file's size and the sizes below its links, where the node states them.
    filesize: Option<u64>,
    blocksizes: Vec<u64>,
    /// The size of this block and all below it, as the links say.
    cumulative: u64,
}

struct Link {
    cid: Cid,
    name: String,
    cumulative: u64,
}

const RAW: u64 = 0;
const DIRECTORY: u64 = 1;
const FILE: u64 = 2;
const SHARD: u64 = 5;

/// A narinfo's fields, in their order.
struct Fields<'n>(Vec<(&'n str, &'n str)>);

impl PublishedTree {
    /// Reads everything below `root`; `block` returns the bytes of a CID.
    #[track_caller]
    pub fn read(block: GetBlock, root: &str) -> Self {
        let mut files = BTreeMap::new();
        let root = Node::read(block, &root.parse().unwrap());
        directory(block, &root, "", &mut files);
        Self { files }
    }

    /// Fails the test unless every narinfo is about the item of its name, every nar
    /// that it lists is there with its FileSize, NarSize and NarHash, and there is
    /// nothing else.
    #[track_caller]
    pub fn judge(&self) {
        let mut expected = BTreeSet::from(["nix-cache-info".to_owned()]);
        for (name, narinfo) in self.narinfos() {
            let fields = Fields::of(narinfo);
            let item = fields.get("StorePath").strip_prefix("/gnu/store/");
            let hash = item.and_then(|item| item.split_once('-')).unwrap().0;
            let own = format!("{hash}.narinfo");
            assert!(hash.len() == 32 && own == name, "{name} describes {hash}");
            expected.insert(name.to_owned());
            for (url, compression, file_size) in fields.variants() {
                let path = percent_decode_str(url).decode_utf8().unwrap().into_owned();
                let nar = self.files.get(&path);
                let nar = nar.unwrap_or_else(|| panic!("{name} lists {url}, which is not there"));
                if let Some(size) = file_size {
                    assert_eq!(nar.len().to_string(), size, "FileSize of {url}");
                }
                let unpacked = unpacked(compression, nar);
                let unpacked = unpacked.unwrap_or_else(|error| panic!("unpack {url}: {error}"));
                let size = unpacked.len().to_string();
                assert_eq!(size, fields.get("NarSize"), "NarSize of {url}");
                let hash = format!("sha256:{}", nix_base32(&Sha256::digest(&unpacked)));
                assert_eq!(hash, fields.get("NarHash"), "NarHash of {url}");
                expected.insert(path);
            }
        }
        let files: BTreeSet<String> = self.files.keys().cloned().collect();
        let unlisted: Vec<_> = files.difference(&expected).collect();
        assert!(unlisted.is_empty(), "no narinfo lists {unlisted:?}");
        let absent: Vec<_> = expected.difference(&files).collect();
        assert!(absent.is_empty(), "{absent:?} is not there");
    }

    /// Fails the test unless all that a published item refers to is published.
    #[track_caller]
    pub fn judge_closures(&self) {
        let open = self.open_references();
        let shown = open.first();
        assert!(
            shown.is_none(),
            "not there, as item and reference: {shown:?}"
        );
    }

    /// The hashes of published items, each with one that it refers to and that is not
    /// published.
    pub fn open_references(&self) -> Vec<(String, String)> {
        let mut open = Vec::new();
        for (name, narinfo) in self.narinfos() {
            for reference in Fields::of(narinfo).get("References").split_whitespace() {
                let needed = &reference[..32];
                if !self.files.contains_key(&format!("{needed}.narinfo")) {
                    open.push((name[..32].to_owned(), needed.to_owned()));
                }
            }
        }
        open
    }

    /// The published store hashes.
    pub fn hashes(&self) -> Vec<String> {
        self.narinfos()
            .map(|(name, _)| name[..32].to_owned())
            .collect()
    }

    /// Writes the tree into a folder on disk.
    pub fn write_to(&self, folder: &Path) {
        for (path, content) in &self.files {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }

    fn narinfos(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter();
        files
            .filter(|(path, _)| path.ends_with(".narinfo"))
            .map(|(path, content)| (path.as_str(), content.as_slice()))
    }
}

impl<'n> Fields<'n> {
    fn of(narinfo: &'n [u8]) -> Self {
        let lines = std::str::from_utf8(narinfo).unwrap().lines();
        Self(lines.map(|line| line.split_once(':').unwrap()).collect())
    }

    fn get(&self, field: &str) -> &'n str {
        let mut fields = self.0.iter().filter(|(name, _)| *name == field);
        let (_, value) = fields.next().unwrap_or_else(|| panic!("no {field}"));
        value.trim()
    }

    /// URL, Compression and FileSize of each variant.
    fn variants(&self) -> Vec<(&'n str, &'n str, Option<&'n str>)> {
        let mut variants: Vec<(&str, &str, Option<&str>)> = Vec::new();
        for (name, value) in &self.0 {
            match (*name, variants.last_mut()) {
                ("URL", _) => variants.push((value.trim(), "", None)),
                ("Compression", Some(variant)) => variant.1 = value.trim(),
                ("FileSize", Some(variant)) => variant.2 = Some(value.trim()),
                _ => {}
            }
        }
        assert!(!variants.is_empty(), "no URL");
        variants
    }
}

fn unpacked(compression: &str, nar: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    match compression {
        "none" => out.extend_from_slice(nar),
        "gzip" => drop(flate2::read::GzDecoder::new(nar).read_to_end(&mut out)?),
        // Every frame, however many.
        "zstd" => out = zstd::stream::decode_all(nar)?,
        "lzip" => drop(lzma_rust2::LzipReader::new(nar).read_to_end(&mut out)?),
        other => panic!("the compression {other}"),
    }
    Ok(out)
}

/// Five bits a digit, the last digit from the lowest bits.
fn nix_base32(hash: &[u8]) -> String {
    let digits = b"0123456789abcdfghijklmnpqrsvwxyz";
    let bit = |at: usize| hash.get(at / 8).map_or(0, |byte| byte >> (at % 8) & 1);
    let length = (hash.len() * 8).div_ceil(5);
    let digit = |at: usize| (0..5).fold(0, |sum, i| sum | bit(at * 5 + i) << i);
    let places = (0..length).rev();
    places
        .map(|at| digits[digit(at) as usize] as char)
        .collect()
}

impl Node {
    fn read(block: GetBlock, cid: &Cid) -> Self {
        let bytes = block(&cid.to_string()).unwrap_or_else(|| panic!("{cid} is missing"));
        let is_it = cid.hash().code() == 0x12 && cid.hash().digest() == &*Sha256::digest(&bytes);
        assert!(is_it, "the block {cid} has another hash");
        let mut node = Self {
            links: Vec::new(),
            kind: RAW,
            data: Vec::new(),
            filesize: None,
            blocksizes: Vec::new(),
            cumulative: bytes.len() as u64,
        };
        match cid.codec() {
            0x55 => node.data = bytes,
            0x70 => node.decode(&bytes),
            other => panic!("{cid} has the codec {other:#x}"),
        }
        node
    }

    fn decode(&mut self, bytes: &[u8]) {
        for (field, value) in fields(bytes) {
            match (field, value) {
                (1, Value::Bytes(message)) => self.decode_unixfs(message),
                (2, Value::Bytes(message)) => self.links.push(Link::decode(message)),
                _ => panic!("field {field} in a dag-pb node"),
            }
        }
        let below: u64 = self.links.iter().map(|link| link.cumulative).sum();
        self.cumulative += below;
    }

    fn decode_unixfs(&mut self, message: &[u8]) {
        for (field, value) in fields(message) {
            match (field, value) {
                (1, Value::Number(kind)) => self.kind = kind,
                (2, Value::Bytes(data)) => self.data = data.to_vec(),
                (3, Value::Number(size)) => self.filesize = Some(size),
                (4, Value::Number(size)) => self.blocksizes.push(size),
                // The hash function murmur3-x64-64, and the slots of a shard.
                (5, Value::Number(0x22)) | (6, Value::Number(256)) => {}
                _ => panic!("field {field} in a UnixFS message"),
            }
        }
    }

    /// The target of a link, which states its size.
    fn follow(block: GetBlock, link: &Link) -> Self {
        let node = Self::read(block, &link.cid);
        assert_eq!(node.cumulative, link.cumulative, "the size of {}", link.cid);
        node
    }

    /// A shard's slots that are taken, as its bitfield says.
    fn slots(&self) -> Vec<u8> {
        let bytes = self.data.iter().rev();
        let is_taken = |slot: &u8| {
            let byte = bytes.clone().nth(usize::from(slot / 8));
            byte.is_some_and(|byte| byte >> (slot % 8) & 1 == 1)
        };
        (0..=255).filter(is_taken).collect()
    }
}

impl Link {
    fn decode(message: &[u8]) -> Self {
        let (mut cid, mut name, mut cumulative) = (None, "", 0);
        for (field, value) in fields(message) {
            match (field, value) {
                (1, Value::Bytes(bytes)) => cid = Some(Cid::try_from(bytes).unwrap()),
                (2, Value::Bytes(bytes)) => name = std::str::from_utf8(bytes).unwrap(),
                (3, Value::Number(size)) => cumulative = size,
                _ => panic!("field {field} in a link"),
            }
        }
        Self {
            cid: cid.unwrap(),
            name: name.to_owned(),
            cumulative,
        }
    }
}

fn directory(block: GetBlock, node: &Node, path: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    let is_sorted = node.links.is_sorted_by(|one, next| one.name < next.name);
    assert!(is_sorted, "{path:?} has entries out of order");
    match node.kind {
        DIRECTORY => {
            for link in &node.links {
                entry(block, link, format!("{path}{}", link.name), files);
            }
        }
        SHARD => shard(block, node, &mut Vec::new(), path, files),
        other => panic!("{path:?} is not a directory but of the UnixFS type {other}"),
    }
}

/// Reads the shard below these slots, one of each level.
fn shard(
    block: GetBlock,
    node: &Node,
    above: &mut Vec<u8>,
    path: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
) {
    assert_eq!(node.kind, SHARD, "below a shard of {path:?}");
    let slot = |link: &Link| u8::from_str_radix(&link.name[..2], 16).unwrap();
    let slots: Vec<u8> = node.links.iter().map(slot).collect();
    assert_eq!(slots, node.slots(), "a bitfield in {path:?}");
    for link in &node.links {
        let name = &link.name[2..];
        above.push(slot(link));
        if name.is_empty() {
            shard(block, &Node::follow(block, link), above, path, files);
        } else {
            // The first half, its highest byte for the first level.
            let hash = murmur3::murmur3_x64_128(&mut name.as_bytes(), 0).unwrap() as u64;
            let is_placed = hash.to_be_bytes().starts_with(above);
            assert!(is_placed, "{name:?} is not found by its hash");
            entry(block, link, format!("{path}{name}"), files);
        }
        above.pop();
    }
}

fn entry(block: GetBlock, link: &Link, path: String, files: &mut BTreeMap<String, Vec<u8>>) {
    let node = Node::follow(block, link);
    match node.kind {
        DIRECTORY | SHARD => directory(block, &node, &format!("{path}/"), files),
        _ => {
            let mut content = Vec::new();
            file(block, node, &mut content);
            assert!(files.insert(path, content).is_none(), "a name stands twice");
        }
    }
}

fn file(block: GetBlock, node: Node, content: &mut Vec<u8>) {
    assert!(matches!(node.kind, RAW | FILE), "a part of a file");
    let start = content.len();
    content.extend(node.data);
    let mut sizes = Vec::new();
    for link in &node.links {
        let before = content.len();
        file(block, Node::follow(block, link), content);
        sizes.push((content.len() - before) as u64);
    }
    assert_eq!(node.blocksizes, sizes, "the parts of a file");
    let size = (content.len() - start) as u64;
    assert!(
        node.filesize.is_none_or(|stated| stated == size),
        "a file's size"
    );
}

enum Value<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a protobuf message.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let number = varint(&mut bytes);
        fields.push(match key & 7 {
            0 => (key >> 3, Value::Number(number)),
            2 => {
                let (value, rest) = bytes.split_at(number as usize);
                bytes = rest;
                (key >> 3, Value::Bytes(value))
            }
            other => panic!("the wire type {other}"),
        });
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests;
