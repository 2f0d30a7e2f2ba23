//! Whatever bytes come from outside, no parser panics, overflows or takes
//! memory out of proportion, and what it accepts is what it says.
//!
//! `PROPTEST_CASES` says how many inputs each parser gets. Half of them are
//! noise, half are real ones with a few bytes changed, moved, cut or repeated.

use base64::Engine as _;
use guix_ipfs::guix::cuirass::parse_latest_builds;
use guix_ipfs::guix::sexp::Sexp;
use guix_ipfs::guix::signature::Signature;
use guix_ipfs::guix::{Compression, KeyFile, NarPath, Narinfo, StorePath, TrustedKeys, base32};
use guix_ipfs::ipfs::blocks::Blocks;
use guix_ipfs::ipfs::cid::{Cid, CidVersion, DAG_PB, RAW, cid_of};
use guix_ipfs::ipfs::dag_pb::PbNode;
use guix_ipfs::ipfs::directory::{Changes, DirectoryNode, Entry, for_each, lookup, patch};
use guix_ipfs::ipfs::unixfs::UnixFs;
use guix_ipfs::node::kubo::Address;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

/// Noise, or one of `seeds` with a few changes.
fn inputs(seeds: &'static [Vec<u8>]) -> impl Strategy<Value = Vec<u8>> {
    let change = (0u8..6, any::<Index>(), any::<Index>(), any::<u8>());
    let changed = (any::<Index>(), vec(change, 0..6)).prop_map(|(seed, changes)| {
        let mut bytes = seed.get(seeds).clone();
        for (kind, at, other, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let (at, other) = (at.index(bytes.len()), other.index(bytes.len()));
            let (from, to) = (at.min(other), at.max(other));
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                3 => drop(bytes.drain(from..to.min(from + 40))),
                4 => {
                    let again = bytes[from..to.min(from + 200)].to_vec();
                    bytes.splice(at..at, again);
                }
                _ => bytes.truncate(at),
            }
        }
        bytes
    });
    prop_oneof![vec(any::<u8>(), 0..200), changed]
}

/// Characters that mean something to a parser, and some that do not.
fn words(alphabet: &'static str) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<Index>(), 0..120).prop_map(|at| {
        let bytes = alphabet.as_bytes();
        at.iter().map(|at| bytes[at.index(bytes.len())]).collect()
    })
}

fn read(file: impl AsRef<Path>) -> Vec<u8> {
    fs::read(Path::new(FIXTURES).join(file)).unwrap()
}

static NARINFOS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folders = ["substitute-server", "farm"];
    let entries = folders.map(|folder| fs::read_dir(format!("{FIXTURES}/{folder}")).unwrap());
    let paths = entries
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path());
    let narinfos = paths.filter(|path| path.extension().is_some_and(|e| e == "narinfo"));
    narinfos.map(read).collect()
});

/// The part of each real narinfo that a key of [`KEYS`] signed.
static SIGNED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let narinfos = NARINFOS.iter().map(|bytes| Narinfo::parse(bytes).unwrap());
    narinfos
        .map(|narinfo| narinfo.signed().unwrap().to_vec())
        .collect()
});

static KEYS: LazyLock<TrustedKeys> = LazyLock::new(|| {
    let mut keys = KeyFile::parse(&read("signing-key.pub")).unwrap().keys;
    keys.extend(&TrustedKeys::of_server("https://ci.guix.gnu.org"));
    keys
});

static SEXPS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let signatures = NARINFOS.iter().map(|bytes| {
        let narinfo = Narinfo::parse(bytes).unwrap();
        let signature = narinfo.signature.unwrap();
        let (_, base64) = signature.rsplit_once(';').unwrap();
        base64::prelude::BASE64_STANDARD.decode(base64).unwrap()
    });
    let key = read("signing-key.pub");
    let entry = [b"(acl (entry ", key.as_slice(), b"(tag (guix import))))"].concat();
    signatures.chain([key, entry]).collect()
});

static BUILDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let small = br#"[{"id":1,"job":"a.b","buildstatus":0,"buildoutputs":{"out":{"path":
        "/gnu/store/vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv-a"}},"x":[null,{"y":1.5}]}]"#;
    vec![
        read("latestbuilds.json"),
        small.to_vec(),
        small.to_vec(),
        small.to_vec(),
    ]
});

/// The blocks of a sharded directory, its root first.
static SHARDS: LazyLock<(Cid, HashMap<Cid, Vec<u8>>)> = LazyLock::new(|| {
    let store = Store::default();
    let entry = Entry {
        cid: cid_of(CidVersion::V1, RAW, b"file"),
        size: 4,
    };
    let names = (0..2000).map(|number| format!("{number:0160}"));
    let changes: Changes = names.map(|name| (name, Some(entry))).collect();
    let mut put = |cid, block| {
        store.0.borrow_mut().insert(cid, block);
        Ok(())
    };
    let root = patch(&store, None, changes, CidVersion::V0, &mut put).unwrap();
    (root.cid, store.0.into_inner())
});

static BLOCKS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let (root, blocks) = &*SHARDS;
    let mut small: Vec<_> = blocks.iter().filter(|(cid, _)| *cid != root).collect();
    small.sort();
    let small = small.into_iter().map(|(_, block)| block.clone()).take(15);
    let file = guix_ipfs::ipfs::dag_pb::PbNode {
        links: Vec::new(),
        data: Some(b"\x08\x02\x12\x03abc\x18\x03\x20\x03\x22\x02\x01\x02".to_vec()),
    };
    small.chain([blocks[root].clone(), file.encode()]).collect()
});

static MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let blocks = BLOCKS.iter().map(|block| PbNode::decode(block).unwrap());
    blocks.filter_map(|node| node.data).collect()
});

static ADDRESSES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    [
        "/ip4/127.0.0.1/tcp/5001",
        "/ip6/::1/tcp/5001/https",
        "/dns4/node.example/tcp/443/tls/http",
        "http://user:pass@[::1]:5001/path/",
        "https://node.example",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
});

#[derive(Default)]
struct Store(RefCell<HashMap<Cid, Vec<u8>>>);

impl Blocks for Store {
    type Error = String;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, String> {
        let blocks = self.0.borrow();
        blocks.get(cid).cloned().ok_or_else(|| cid.to_string())
    }
}

/// A store whose directory begins with another block than it should.
struct Forged<'a> {
    root: Cid,
    block: &'a [u8],
    patched: Store,
}

impl Blocks for Forged<'_> {
    type Error = String;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, String> {
        if let Ok(block) = self.patched.get(cid) {
            return Ok(block);
        }
        match *cid == self.root {
            true => Ok(self.block.to_vec()),
            false => SHARDS.1.get(cid).cloned().ok_or_else(|| cid.to_string()),
        }
    }
}

proptest! {
    #[test]
    fn narinfos(bytes in prop_oneof![3 => inputs(&NARINFOS), 1 => words("URL: nar/\nSize.Compression%2FgzipStorePath")]) {
        if let Ok(narinfo) = Narinfo::parse(&bytes) {
            prop_assert_eq!(narinfo.bytes(), &bytes);
            prop_assert!((1..=16).contains(&narinfo.variants.len()));
            for path in narinfo.variants.iter().filter_map(|variant| variant.path().ok()) {
                let spelt = path.components().join("/");
                prop_assert_eq!(NarPath::parse(&spelt.replace('?', "%3F").replace('#', "%23")).ok(), Some(path));
            }
            if KEYS.check(&narinfo).is_ok() {
                let signed = narinfo.signed().unwrap_or_default();
                prop_assert!(SIGNED.iter().any(|real| real == signed));
            }
            let signed = narinfo.signed().map(<[u8]>::to_vec);
            let wanted = [Compression::Zstd];
            let kept = narinfo.clone().preferring(&wanted);
            prop_assert_eq!(kept.signed().map(<[u8]>::to_vec), signed);
            let is_wanted = kept.variants.iter().all(|variant| wanted.contains(&variant.compression));
            prop_assert!(is_wanted || kept == narinfo);
        }
    }

    #[test]
    fn s_expressions(bytes in prop_oneof![3 => inputs(&SEXPS), 1 => words("() \n#\"0aFq:signature")]) {
        if let Ok(all) = Sexp::parse_file(&bytes) {
            prop_assert!(all.iter().map(size).sum::<usize>() <= bytes.len());
        }
        let value = format!("1;host;{}", base64::prelude::BASE64_STANDARD.encode(&bytes));
        if let Ok(signature) = Signature::parse(&value) {
            let key = signature.key.to_string();
            let hex: String = bytes.iter().map(|byte| char::from(byte.to_ascii_uppercase())).collect();
            prop_assert!(hex.split_whitespace().collect::<String>().contains(&key), "{key}");
        }
        if let Ok(file) = KeyFile::parse(&bytes) {
            prop_assert!((1..=bytes.len() / 64).contains(&file.keys.keys().len()));
        }
    }

    #[test]
    fn base_32(bytes in prop_oneof![words("0123456789abcdfghijklmnpqrsvwxyz"), vec(any::<u8>(), 0..60)], cut: Index) {
        let text = String::from_utf8_lossy(&bytes);
        let lengths = [base32::encoded_len(20), base32::encoded_len(32), cut.index(121)];
        for length in lengths {
            let text: String = text.chars().take(length).collect();
            if let Ok(hash) = base32::decode::<20>(&text) {
                prop_assert_eq!(base32::encode(&hash), text.clone());
            }
            if let Ok(hash) = base32::decode::<32>(&text) {
                prop_assert_eq!(base32::encode(&hash), text.clone());
            }
            if let Ok(path) = StorePath::from_basename(&text) {
                prop_assert_eq!(path.basename(), text);
            }
        }
    }

    #[test]
    fn lists_of_builds(bytes in prop_oneof![3 => inputs(&BUILDS), 1 => words("[{}],:\"0null1.5e\\u buildstatus")]) {
        let all = parse_latest_builds(&bytes, usize::MAX).map(|all| all.builds);
        let first = parse_latest_builds(&bytes, 1).unwrap_or_default().builds;
        prop_assert!(first.len() <= 1 && all.as_ref().is_ok_and(|all| all.starts_with(&first)) || first.is_empty());
        if let Ok(builds) = all {
            let outputs = builds.iter().flat_map(|build| &build.outputs);
            let listed: usize = outputs.map(|path| path.basename().len()).sum();
            prop_assert!(listed <= bytes.len() && builds.len() <= bytes.len());
        }
    }

    #[test]
    fn dag_pb_nodes(bytes in inputs(&BLOCKS)) {
        if let Ok(node) = PbNode::decode(&bytes) {
            prop_assert!(node.links.len() <= bytes.len());
            let block = node.encode();
            prop_assert_eq!(PbNode::decode(&block).ok(), Some(node.clone()));
            node.cumulative_size(block.len());
        }
    }

    #[test]
    fn unixfs_messages(bytes in prop_oneof![inputs(&MESSAGES), inputs(&BLOCKS)]) {
        if let Ok(message) = UnixFs::decode(&bytes) {
            prop_assert!(message.blocksizes.len() <= bytes.len());
            prop_assert_eq!(UnixFs::decode(&message.encode()).ok(), Some(message));
        }
    }

    #[test]
    fn sharded_directories(bytes in inputs(&BLOCKS), number in 0u32..3000) {
        let root = cid_of(CidVersion::V0, DAG_PB, &bytes);
        if let Ok(top) = DirectoryNode::decode(&root, &bytes) {
            let again = match &top {
                DirectoryNode::Plain(plain) => plain.encode(CidVersion::V0),
                DirectoryNode::Sharded(shard) => shard.encode(CidVersion::V0),
            };
            prop_assert_eq!(DirectoryNode::decode(&again.1.cid, &again.0).ok(), Some(top));
            let forged = Forged { root, block: &bytes, patched: Store::default() };
            let name = format!("{number:0160}");
            let _ = lookup(&forged, &root, &name);
            let mut left = 50;
            let _ = for_each(&forged, &root, &mut |_, _| {
                left -= 1;
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            let entry = Entry { cid: root, size: u64::MAX };
            let changes = Changes::from([(name.clone(), Some(entry))]);
            let mut put = |cid, block| {
                forged.patched.0.borrow_mut().insert(cid, block);
                Ok(())
            };
            if let Ok(patched) = patch(&forged, Some(&root), changes, CidVersion::V0, &mut put) {
                let found = lookup(&forged, &patched.cid, &name);
                prop_assert_eq!(found.ok().flatten(), Some(entry));
            }
        }
    }

    #[test]
    fn addresses(bytes in prop_oneof![inputs(&ADDRESSES), words("/ip46dnstcphttps:@.[]:0123456789%")]) {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(address) = text.parse::<Address>() {
            let again = address.url.parse::<Address>();
            prop_assert_eq!(again.map(|again| again.url), Ok(address.url));
        }
    }
}

/// Bytes and lists in an expression.
fn size(sexp: &Sexp) -> usize {
    match sexp {
        Sexp::Atom(bytes) => bytes.len(),
        Sexp::List(list) => 1 + list.iter().map(size).sum::<usize>(),
    }
}
