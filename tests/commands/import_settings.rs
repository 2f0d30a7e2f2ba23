//! Whatever a Kubo makes of its own files by its settings, the roots published
//! through it are the documented ones.

use crate::support::{Mirror, Setup, TestNode, Upstream, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::CidVersion;
use serde_json::{Value, json};

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn profiles_change_no_root() {
    let node = TestNode::kubo();
    let known = match node.is_old_kubo() {
        true => [
            "randomports",
            "test",
            "test,legacy-cid-v0",
            "test,test-cid-v1",
        ],
        false => [
            "autoconf-off",
            "test",
            "test,unixfs-v0-2015",
            "test,unixfs-v1-2025",
        ],
    };
    for profiles in known {
        let setup = Setup {
            profiles,
            ..Setup::default()
        };
        the_documented_roots(&TestNode::kubo_with(setup), profiles);
    }
}

#[test]
#[ignore = "needs a real Kubo: scripts/test"]
fn settings_unlike_all_profiles_change_no_root() {
    let configure = |config: &mut Value| {
        config["Import"] = json!({
            "CidVersion": 1,
            "UnixFSRawLeaves": true,
            "UnixFSChunker": "size-65536",
            "HashFunction": "sha2-512",
            "UnixFSFileMaxLinks": 2,
            "UnixFSDirectoryMaxLinks": 4,
            "UnixFSHAMTDirectoryMaxFanout": 16,
            "UnixFSHAMTDirectorySizeThreshold": "1KiB",
            "UnixFSHAMTDirectorySizeEstimation": "block",
            "UnixFSDAGLayout": "trickle",
            "FastProvideRoot": true,
            "FastProvideDAG": true,
            "FastProvideWait": true,
        });
    };
    let setup = Setup {
        configure: &configure,
        ..Setup::default()
    };
    the_documented_roots(&TestNode::kubo_with(setup), "unlike all profiles");
}

/// Mirrors a file of four chunks and some of one, by each engine.
fn the_documented_roots(node: &TestNode, settings: &str) {
    let upstream = Upstream::empty();
    let sizes = [900_000, 10, 0];
    let items: Vec<_> = (0..)
        .zip(sizes)
        .map(|(n, size)| item(n, "it", size))
        .collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    for (number, version) in [(0, CidVersion::V0), (1, CidVersion::V1)] {
        let documented = root_of(&tree_of(&items), version);
        for graft in ["add-link", "car"] {
            let key = format!("--key {graft}-{number}");
            mirror
                .run(&format!("init {key} --cid-version {number}"))
                .silently();
            let hashes: Vec<_> = items.iter().map(|item| item.hash.as_str()).collect();
            let hashes = hashes.join(" ");
            mirror
                .run(&format!("add {hashes} {key} --graft {graft}"))
                .silently();
            let root = mirror.run(&format!("resolve {key}")).exits(0).out;
            assert_eq!(
                root.trim(),
                format!("/ipfs/{documented}"),
                "{settings} {key}"
            );
        }
    }
}
