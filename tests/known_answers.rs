//! CIDs that a real Kubo gave, for files and directories of every kind of size.

use guix_ipfs::guix::{base32, delta};
use guix_ipfs::ipfs::blocks::{Blocks, Discard};
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::directory::{Changes, Entry, for_each, lookup, patch};
use guix_ipfs::ipfs::file::{Added, add_file, add_leaves};
use proptest::prelude::*;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Read;
use std::ops::ControlFlow;

const PROFILES: [(CidVersion, &str); 2] = [(CidVersion::V0, "cidv0"), (CidVersion::V1, "cidv1")];

fn known_answers() -> Value {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/known-answers/unixfs.json"
    );
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn add(version: CidVersion, reader: &mut impl Read) -> Added {
    add_file(version, reader, &mut Discard).unwrap()
}

/// The bytes that `how.file_content` describes.
fn file_content(seed: &str, size: usize) -> Vec<u8> {
    (0u64..)
        .flat_map(|i| Sha256::digest([seed.as_bytes(), &i.to_be_bytes()].concat()))
        .take(size)
        .collect()
}

/// The entry that `how.directory_entries` describes.
fn directory_entry(version: CidVersion, seed: &str, i: u64) -> (String, Entry) {
    let digest = Sha256::digest(format!("{seed}-{i}"));
    let name = format!("{}.narinfo", base32::encode(&digest[..20]));
    let added = add(version, &mut format!("{seed} {i}\n").as_bytes());
    (name, added.into())
}

#[test]
fn files_of_every_size_get_the_cid_that_kubo_gives() {
    for file in known_answers()["files"].as_array().unwrap() {
        let size = file["size"].as_u64().unwrap();
        let content = file_content(file["seed"].as_str().unwrap(), size as usize);
        for (version, profile) in PROFILES {
            let added = add(version, &mut content.as_slice());
            assert_eq!(added.cid.to_string(), file[profile].as_str().unwrap());
            assert_eq!(added.size, size);
            let cumulative = &file[format!("{profile}_cumulative_size")];
            assert_eq!(added.cumulative, cumulative.as_u64().unwrap());
        }
    }
}

/// The nar that `how` in the fixture describes.
fn delta_nar(kind: &str, seed: &str, size: usize) -> Vec<u8> {
    let random = file_content(seed, size);
    match kind {
        "random" => random,
        "letters" => random.iter().map(|byte| b'a' + byte % 8).collect(),
        "constant" => vec![7; size],
        "repeated" => random[..100_000]
            .iter()
            .copied()
            .cycle()
            .take(size)
            .collect(),
        other => panic!("the kind {other:?}"),
    }
}

/// A difference here is another encoding, which needs a version of its own: mirrors that
/// run the program as it is now and as it was must give the same blocks.
#[test]
fn delta_nars_have_the_cids_on_record() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/known-answers/delta1.json"
    );
    let known: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut nars = known["nars"].clone();
    for nar in nars.as_array_mut().unwrap() {
        let size = nar["size"].as_u64().unwrap() as usize;
        let [kind, seed] = ["kind", "seed"].map(|field| nar[field].as_str().unwrap());
        let content = delta_nar(kind, seed, size);
        let frames: Vec<_> = delta::Frames::new(&content[..])
            .map(Result::unwrap)
            .collect();
        nar["frames"] = frames.len().into();
        for (version, profile) in PROFILES {
            let leaves = frames.iter().map(|frame| Ok(frame.clone()));
            let added = add_leaves(version, leaves, &mut Discard).unwrap();
            nar["file_size"] = added.size.into();
            nar[profile] = added.cid.to_string().into();
        }
    }
    assert!(nars == known["nars"], "{nars}");
}

/// A pile of blocks.
#[derive(Default)]
struct Pile(RefCell<HashMap<Cid, Vec<u8>>>);

impl Blocks for Pile {
    type Error = String;

    fn get(&self, cid: &Cid) -> Result<Vec<u8>, String> {
        let block = self.0.borrow().get(cid).cloned();
        block.ok_or_else(|| format!("no block {cid}"))
    }
}

impl Pile {
    fn patch(&self, directory: Option<Cid>, changes: Changes, version: CidVersion) -> Entry {
        patch(
            self,
            directory.as_ref(),
            changes,
            version,
            &mut |cid, block| {
                self.0.borrow_mut().insert(cid, block);
                Ok(())
            },
        )
        .unwrap()
    }
}

#[test]
fn directories_around_the_sharding_limit_get_the_cid_that_kubo_gives() {
    for known in known_answers()["directories"].as_array().unwrap() {
        let count = known["entries"].as_u64().unwrap();
        let seed = known["seed"].as_str().unwrap();
        for (version, profile) in PROFILES {
            let entries = entries(version, seed, count);
            let pile = Pile::default();
            let root = pile.patch(None, entries, version);
            assert_eq!(root.cid.to_string(), known[profile].as_str().unwrap());
            let expected = |what: &str| known[format!("{profile}_{what}")].as_u64().unwrap();
            assert_eq!(root.size, expected("cumulative_size"));
            let block = pile.get(&root.cid).unwrap();
            assert_eq!(block.len() as u64, expected("root_block_bytes"));
        }
    }
}

fn entries(version: CidVersion, seed: &str, count: u64) -> Changes {
    (0..count)
        .map(|i| directory_entry(version, seed, i))
        .map(|(name, entry)| (name, Some(entry)))
        .collect()
}

/// The root that Kubo gives for so many entries.
fn known_root(count: u64, profile: &str) -> String {
    let known = known_answers();
    let directories = known["directories"].as_array().unwrap();
    let found = directories.iter().find(|known| known["entries"] == count);
    found.unwrap()[profile].as_str().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Built in random batches in random order to `high` entries, then taken
    /// apart in random batches to `low`: the roots are Kubo's.
    #[test]
    fn order_and_grouping_of_changes_do_not_matter(
        seed in any::<u64>(),
        batch in 1usize..1500,
        (low, high) in prop::sample::select(vec![(3542, 3543), (3400, 3600), (0, 3545), (100, 4000), (3000, 5000), (3500, 3550)]),
        (version, profile) in prop::sample::select(PROFILES.to_vec()),
    ) {
        let mut shuffled: Vec<_> = entries(version, "narinfo", high).into_iter().collect();
        let mut random = seed;
        shuffled.sort_by_cached_key(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            random >> 20
        });
        let pile = Pile::default();
        let mut root = None;
        for group in shuffled.chunks(batch) {
            root = Some(pile.patch(root, group.iter().cloned().collect(), version).cid);
        }
        prop_assert_eq!(root.unwrap().to_string(), known_root(high, profile));

        let kept = entries(version, "narinfo", low);
        shuffled.retain(|(name, _)| !kept.contains_key(name));
        for group in shuffled.chunks(batch) {
            let removals = group.iter().map(|(name, _)| (name.clone(), None)).collect();
            root = Some(pile.patch(root, removals, version).cid);
        }
        prop_assert_eq!(root.unwrap().to_string(), known_root(low, profile));
    }
}

#[test]
fn every_entry_of_a_sharded_directory_is_found_and_nothing_else() {
    let pile = Pile::default();
    let all = entries(CidVersion::V0, "narinfo", 20_000);
    let root = pile.patch(None, all.clone(), CidVersion::V0).cid;
    for (name, entry) in &all {
        assert_eq!(lookup(&pile, &root, name).unwrap(), *entry);
    }
    assert_eq!(lookup(&pile, &root, "absent.narinfo").unwrap(), None);
    let mut listed = Changes::new();
    let walked = for_each(&pile, &root, &mut |name, entry| {
        listed.insert(name.to_owned(), Some(*entry));
        ControlFlow::<()>::Continue(())
    });
    assert!(walked.unwrap().is_continue());
    assert_eq!(listed, all);
}
