//! Files, and links in directories.

use crate::support::{Nothing, TestNode};
use crate::{add, directory, is_refused, missing, raw};
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::directory::{Changes, Entry, PlainDirectory, empty, patch};
use guix_ipfs::ipfs::file::{AddError, add_file};
use guix_ipfs::node::Refusal;
use std::io::{self, Read};
use std::time::{Duration, Instant};

on_both_nodes!(
    a_file_gets_the_cid_that_is_computed_here_and_comes_back,
    content_that_breaks_off_never_becomes_a_file,
    a_link_is_added_to_a_plain_directory_of_either_version,
    a_link_is_added_to_nothing_else,
);

/// A sharded directory whose entries are all one file, stored with it.
fn sharded(node: &TestNode, entries: u32) -> Cid {
    let entry = Entry {
        cid: node.add(b"a file"),
        size: 14,
    };
    let changes: Changes = (0..entries)
        .map(|number| (format!("{number:060}"), Some(entry)))
        .collect();
    let mut blocks = Vec::new();
    let mut sink = |cid, block: Vec<u8>| {
        blocks.push((cid, block));
        Ok(())
    };
    let root = patch(&Nothing, None, changes, CidVersion::V0, &mut sink).unwrap();
    node.store(blocks);
    root.cid
}

fn a_file_gets_the_cid_that_is_computed_here_and_comes_back(at: &TestNode) {
    for size in [0, 1, 262_144, 262_145, 175 * 262_144 + 1] {
        let content: Vec<u8> = (0..size).map(|at: u32| (at / 7) as u8).collect();
        for version in [CidVersion::V0, CidVersion::V1] {
            let added = at.node().add_file(version, &mut &content[..]).unwrap();
            let mut nowhere = |_, _| Ok::<_, String>(());
            let ours = add_file(version, &mut &content[..], &mut nowhere).unwrap();
            assert_eq!(added, ours, "{size}");
            let mut back = Vec::new();
            let mut reader = at.node().read_file(&added.cid).unwrap();
            reader.read_to_end(&mut back).unwrap();
            assert!(back == content, "{size}");
        }
    }
}

/// Content that fails after some bytes.
struct Broken(usize);

impl Read for Broken {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.0.min(buffer.len());
        self.0 -= length;
        match length {
            0 => Err(io::Error::other("the content breaks off")),
            length => {
                buffer[..length].fill(7);
                Ok(length)
            }
        }
    }
}

/// The time in which a node is done with an upload that broke off, on a quiet machine.
const SETTLED: Duration = Duration::from_secs(1);

fn content_that_breaks_off_never_becomes_a_file(at: &TestNode) {
    for before in [0, 1000, 600_000] {
        let error = at.node().add_file(CidVersion::V0, &mut Broken(before));
        let AddError::Content(error) = error.unwrap_err() else {
            panic!("{before}: the node is blamed");
        };
        assert_eq!(error.to_string(), "the content breaks off");
        // Kubo takes the end of a broken upload for the end of the file, so there the
        // blocks of a shorter one may be garbage.
        let part = vec![7; before];
        let mut nowhere = |_, _| Ok::<_, String>(());
        let file = add_file(CidVersion::V0, &mut &part[..], &mut nowhere).unwrap();
        assert!(at.is_kubo() || !at.has_block(&file.cid), "{before}");
    }
    assert_eq!(at.pins().len(), 0);
    // Kubo goes on with a broken upload for a moment after its client is gone.
    let start = Instant::now();
    while at.collect_garbage() > 0 || start.elapsed() < SETTLED {
        assert!(
            start.elapsed() < 20 * SETTLED,
            "something is stored without end"
        );
    }
    assert_eq!(at.pins().len(), 0);
}

fn a_link_is_added_to_a_plain_directory_of_either_version(at: &TestNode) {
    let node = at.node();
    for version in [CidVersion::V0, CidVersion::V1] {
        let file = node.add_file(version, &mut &b"Hello, world!"[..]).unwrap();
        let (block, base) = empty(version);
        node.put_block(&base.cid, &block).unwrap();
        let mut expected = PlainDirectory::default();
        let mut root = base.cid;
        for name in ["b", "a+b?", "c d", "ü"] {
            root = node.add_link(&root, name, &file.cid).unwrap();
            expected.entries.insert(name.to_owned(), file.into());
            assert_eq!(root, expected.encode(version).1.cid, "{name}");
        }
        // The same link again changes nothing; another target replaces it.
        assert_eq!(node.add_link(&root, "b", &file.cid).unwrap(), root);
        let other = node.add_file(version, &mut &b"other"[..]).unwrap();
        let replaced = node.add_link(&root, "b", &other.cid).unwrap();
        let block = node.block(&replaced).unwrap();
        let entries = PlainDirectory::decode(&block).unwrap().entries;
        assert_eq!((entries.len(), entries["b"].cid), (4, other.cid));
    }
}

fn a_link_is_added_to_nothing_else(at: &TestNode) {
    let node = at.node();
    let file = add(node, b"Hello, world!");
    let shards = sharded(at, 4000);
    // An old Kubo corrupts it silently, so the caller looks first.
    if !at.is_old_kubo() {
        is_refused(node.add_link(&shards, "x", &file), Refusal::NotPlain);
        is_refused(node.add_link(&file, "x", &file), Refusal::NotPlain);
    }
    node.put_block(&raw(b"leaf"), b"leaf").unwrap();
    is_refused(node.add_link(&raw(b"leaf"), "x", &file), Refusal::NotPlain);
    is_refused(node.add_link(&missing(), "x", &file), Refusal::Missing);
    let base = directory(node, CidVersion::V0, &[]);
    assert!(node.add_link(&base, "", &file).is_err());
    is_refused(node.add_link(&base, "x", &missing()), Refusal::Missing);
}
