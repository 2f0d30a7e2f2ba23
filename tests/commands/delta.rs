//! A mirror that encodes nars anew, as zstd frames that items share.

use crate::killed::kill_at_call;
use crate::support::{
    Fault, Files, Item, Mirror, Proxy, TestNode, Upstream, fixture, item, item_with_nar, root_of,
    run, write_tree,
};
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::dag_pb::PbNode;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::process::Stdio;

on_both_nodes!(
    a_rebuilt_item_shares_the_blocks_of_the_build_before,
    any_number_of_jobs_and_either_cid_version_give_the_same_nars,
    what_cannot_be_encoded_stays_as_the_upstream_has_it,
    a_mirror_keeps_the_encoding_with_which_it_began,
    a_mirror_without_items_may_begin_anew,
    a_ledger_that_is_lost_takes_no_encoding_along,
    a_root_that_is_brought_back_brings_its_encoding,
    two_that_begin_a_mirror_at_once_leave_it_one_encoding,
    the_smallest_variant_that_comes_is_encoded,
    another_upstream_is_asked_for_what_the_first_spoils,
    a_nar_that_is_not_as_promised_is_refused,
    a_damaged_frame_is_found_and_mended,
    items_are_taken_out_and_what_others_share_stays,
    a_mirror_moves_with_its_encoding,
    a_page_and_an_encoding_stand_side_by_side,
    both_ends_of_a_delta_nar_are_checked,
    a_dry_run_and_a_limit_count_what_is_fetched,
    a_delta_mirror_is_an_upstream_as_well,
    a_file_of_two_levels_is_counted_by_its_leaves,
);

on_kubo_alone!(
    killed_at_any_call_it_continues,
    a_run_with_nothing_new_makes_as_few_calls,
    a_delta_mirror_is_followed,
);

/// A nar with the look of programs: most of its bytes depend on `number`, some on the
/// store path of what it was built with.
fn program(number: u64, build: u64, bytes: usize) -> Vec<u8> {
    let digit = |byte: u8| b"abcdefghijklmnop"[usize::from(byte % 16)];
    let part = |at: u64| {
        let block = [number.to_be_bytes(), at.to_be_bytes()].concat();
        Sha256::digest(&block).map(digit)
    };
    let mut nar = Vec::with_capacity(bytes);
    for at in 0.. {
        if nar.len() >= bytes {
            break;
        }
        nar.extend_from_slice(&part(at));
        if at % 9000 == 4500 {
            let path = Sha256::digest(build.to_be_bytes()).map(digit);
            nar.extend_from_slice(&path);
        }
    }
    nar.truncate(bytes);
    nar
}

/// An item of a program; `id` is its own, `number` that of the program.
fn build(id: u64, number: u64, build: u64) -> Item {
    item_with_nar(id, "prog-1.0", &program(number, build, 900_000))
}

const DELTA: &str = "nar/delta1/";

/// The one item of the fixtures that is large.
const BIG: &str = "xgnd1mpzzjwy9jcm4lgr00liwmnfzn94";

fn json(run: crate::support::Run) -> Value {
    serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

fn long(mirror: &Mirror, options: &str) -> Value {
    json(
        mirror
            .run(&format!("resolve --long --json {options}"))
            .exits(0),
    )
}

fn add(items: &[Item]) -> String {
    let hashes: Vec<&str> = items.iter().map(|item| &*item.hash).collect();
    format!("add {}", hashes.join(" "))
}

/// The published tree, which must be sound and that of its files made at once.
#[track_caller]
fn judged(node: &TestNode, root: &str, version: CidVersion) -> Files {
    let published = node.published(root);
    published.judge();
    assert_eq!(root, root_of(&published.files, version));
    published.files
}

/// The root under another key.
fn root_under(mirror: &Mirror, key: &str) -> String {
    let resolved = mirror.run(&format!("resolve --key {key}")).exits(0).out;
    resolved.trim().replace("/ipfs/", "")
}

/// The leaves of a published file.
fn leaves(node: &TestNode, root: &str, path: &str) -> Vec<Cid> {
    let mut open = vec![node.cid_at(root, path)];
    let mut leaves = Vec::new();
    while let Some(cid) = open.pop() {
        let block = node.raw_block(&cid.to_string()).unwrap();
        match PbNode::decode(&block) {
            Ok(node) if !node.links.is_empty() => {
                open.extend(node.links.iter().rev().map(|link| link.cid));
            }
            _ => leaves.push(cid),
        }
    }
    leaves
}

fn delta_nar(item: &Item) -> String {
    let nar = item.nar();
    format!("{DELTA}{}", nar.rsplit('/').next().unwrap())
}

fn a_rebuilt_item_shares_the_blocks_of_the_build_before(node: &TestNode) {
    let upstream = Upstream::empty();
    let builds = [build(1, 7, 1), build(2, 7, 2)];
    let small = item(3, "small", 5000);
    upstream.add_items(builds.iter().chain([&small]));
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("{} --encoding delta", add(&builds[..1])))
        .silently();
    // Without the option from now on.
    mirror
        .run(&format!("{} {}", add(&builds[1..]), small.hash))
        .silently();
    let root = mirror.root();
    let files = judged(node, &root, CidVersion::V0);
    let nars: BTreeSet<&String> = files.keys().filter(|it| it.starts_with("nar/")).collect();
    let [one, two] = [delta_nar(&builds[0]), delta_nar(&builds[1])];
    assert_eq!(nars, BTreeSet::from([&one, &two, &small.nar()]));
    for (item, nar) in builds.iter().zip([&one, &two]) {
        let narinfo = &files[&format!("{}.narinfo", item.hash)];
        let narinfo = String::from_utf8(narinfo.clone()).unwrap();
        let size = files[nar].len();
        let listing = format!("URL: {nar}\nCompression: zstd\nFileSize: {size}\n");
        assert!(narinfo.contains(&listing), "{narinfo}");
        assert!(!narinfo.contains("gzip"), "{narinfo}");
    }
    let [one, two] = [&one, &two].map(|nar| leaves(node, &root, nar));
    let shared = two.iter().filter(|leaf| one.contains(leaf)).count();
    assert!(one.len() > 8, "{}", one.len());
    assert!(shared * 2 > two.len(), "{shared} of {}", two.len());

    let all = long(&mirror, "");
    assert_eq!(all["encoding"], "delta1");
    assert_eq!(all["nars"]["delta1"]["count"], 2);
    let delta = &all["delta"];
    assert_eq!((&delta["nars"], &delta["exact"]), (&2.into(), &true.into()));
    let size = |leaf: &Cid| node.raw_block(&leaf.to_string()).unwrap().len() as u64;
    let listed: u64 = one.iter().chain(&two).map(size).sum();
    let stored: BTreeSet<&Cid> = one.iter().chain(&two).collect();
    let stored: u64 = stored.into_iter().map(size).sum();
    assert_eq!(delta["listed_bytes"], listed);
    assert_eq!(delta["stored_bytes"], stored);
    let shown = mirror.run("resolve --long").exits(0).out;
    assert!(shown.contains("delta     2 nars list"), "{shown}");
    assert!(shown.contains("encoding  delta1"), "{shown}");
    // Nothing of what is there comes again.
    upstream.asked();
    mirror
        .run(&format!("{} --encoding delta", add(&builds)))
        .silently();
    assert!(!upstream.asked().iter().any(|path| path.contains("nar/")));
    assert_eq!(mirror.root(), root);
    mirror.run("verify --deep").exits(0);
}

fn any_number_of_jobs_and_either_cid_version_give_the_same_nars(node: &TestNode) {
    let upstream = Upstream::empty();
    let items: Vec<Item> = (0..4).map(|number| build(number, number, 1)).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    for version in [CidVersion::V0, CidVersion::V1] {
        let number = u8::from(version == CidVersion::V1);
        let mut roots = BTreeSet::new();
        for jobs in [1, 4] {
            let key = format!("jobs-{jobs}-{number}");
            let init = format!("init --encoding delta --cid-version {number} --key {key}");
            let begun = json(mirror.run(&format!("{init} --json")).exits(0));
            assert_eq!(begun["encoding"], "delta1");
            let adding = add(&items);
            mirror
                .run(&format!("{adding} --jobs {jobs} --key {key}"))
                .silently();
            roots.insert(root_under(&mirror, &key));
        }
        assert_eq!(roots.len(), 1);
        let root = roots.pop_first().unwrap();
        let mut files = judged(node, &root, version);
        let delta = files.keys().filter(|path| path.starts_with(DELTA));
        assert_eq!(delta.count(), 4);
        if node.is_kubo() {
            // All but delta nars is what Kubo makes of the same files.
            files.retain(|path, _| !path.starts_with("nar/"));
            let folder = tempfile::tempdir().unwrap();
            write_tree(&files, folder.path());
            let mut tree = node.published(&root).files;
            tree.retain(|path, _| !path.starts_with("nar/"));
            assert_eq!(files, tree);
            let path = folder.path().to_str().unwrap();
            let option = format!("--cid-version={number}");
            let added = node.ipfs("add", &["-r", "-Q", "--pin=false", &option, path]);
            assert_eq!(added.trim(), root_of(&files, version));
        }
    }
}

fn what_cannot_be_encoded_stays_as_the_upstream_has_it(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let [mut signed, good, mut xz] = [1, 2, 3].map(|number| build(number, number, 1));
    // The lines about nars before the signature, as of 2018.
    let signature = format!("References: \nSignature: 1;example;{}\n", "A".repeat(64));
    signed.edit_narinfo("References: \n", &signature);
    // A variant that nobody here can read, beside one that can be read.
    let other = format!("URL: {}.xz\nCompression: xz\nFileSize: 5\nURL: ", xz.nar());
    xz.edit_narinfo("URL: ", &other);
    let large = [good, xz, signed];
    upstream.add_items(&large);
    let mirror = Mirror::new(node, &upstream);
    let own = format!("--trusted-keys {}", fixture("signing-key.pub").display());
    mirror
        .run(&format!("sync --encoding delta {own}"))
        .silently();
    let small = judged(node, &mirror.root(), CidVersion::V0);
    for (path, content) in &small {
        if path == "nix-cache-info" || path.starts_with(DELTA) {
            continue;
        }
        let served = upstream.get(path);
        match path.starts_with(BIG) {
            false => assert_eq!(served, *content, "{path}"),
            true => {
                // All that is signed, and the signature.
                let end = served.windows(5).position(|it| it == b"\nURL:").unwrap();
                assert_eq!(served[..end], content[..end]);
                assert_eq!(
                    end,
                    content.windows(5).position(|it| it == b"\nURL:").unwrap()
                );
            }
        }
    }
    let delta = small.keys().filter(|path| path.starts_with(DELTA));
    assert_eq!(
        delta.collect::<Vec<_>>(),
        [&format!("{DELTA}{BIG}-rig-big-0.0.1")]
    );
    // Whatever the program says of that signature.
    mirror.run(&add(&large)).exits(0);
    let files = judged(node, &mirror.root(), CidVersion::V0);
    let new: BTreeSet<&String> = files
        .keys()
        .filter(|path| !small.contains_key(*path))
        .collect();
    let [good, xz, signed] = &large;
    let narinfos = large.iter().map(|item| format!("{}.narinfo", item.hash));
    let nars = [delta_nar(good), delta_nar(xz), signed.nar()];
    let expected: BTreeSet<String> = narinfos.chain(nars).collect();
    assert_eq!(new, expected.iter().collect());
    let narinfo = format!("{}.narinfo", signed.hash);
    assert_eq!(files[&narinfo], upstream.get(&narinfo));
}

fn a_mirror_keeps_the_encoding_with_which_it_began(node: &TestNode) {
    let upstream = Upstream::empty();
    let items: Vec<Item> = (0..3).map(|number| build(number, number, 1)).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let with = |arguments: &str, encoding: &str| {
        run(mirror
            .command(arguments)
            .env("GUIX_IPFS_ENCODING", encoding))
    };
    let adding = |number: usize| add(&items[number..=number]);
    // Nothing is made for what cannot be.
    let refused = mirror.run(&format!("{} --encoding delta --graft add-link", adding(0)));
    refused.exits(2).says("only be grafted with CAR");
    assert_eq!(node.key_id("guix-ipfs"), None);

    with(&adding(0), "delta").silently();
    let root = mirror.root();
    for (command, says) in [
        (
            format!("{} --encoding upstream", adding(1)),
            "was created with the encoding",
        ),
        (
            format!("{} --encoding upstream -n", adding(1)),
            "use --encoding delta",
        ),
        (format!("{} --graft add-link", adding(1)), "--graft car"),
        (format!("{} --graft add-link -n", adding(1)), "--graft car"),
    ] {
        mirror.run(&command).exits(2).says(says);
        assert_eq!(mirror.root(), root);
    }
    let dry = json(mirror.run(&format!("{} -n --json", adding(1))).exits(0));
    assert_eq!(dry["encoding"], "delta1");
    with(&adding(1), "").silently();
    let summed = json(mirror.run(&format!("{} --json", adding(2))).exits(0));
    assert_eq!(summed["encoding"], "delta1");
    let files = judged(node, &mirror.root(), CidVersion::V0);
    let delta = files.keys().filter(|path| path.starts_with(DELTA));
    assert_eq!(delta.count(), 3);

    // One that began with the upstream's nars.
    let key = "--key upstream";
    mirror.run(&format!("{} {key}", adding(0))).silently();
    let root = root_under(&mirror, "upstream");
    let refused = mirror.run(&format!("{} {key} --encoding delta", adding(1)));
    refused.exits(2).says("init --anew --encoding delta");
    assert_eq!(root_under(&mirror, "upstream"), root);
    mirror
        .run(&format!("{} {key} --encoding upstream", adding(1)))
        .silently();
    let files = judged(node, &root_under(&mirror, "upstream"), CidVersion::V0);
    assert!(!files.keys().any(|path| path.starts_with(DELTA)));
    assert_eq!(long(&mirror, key)["encoding"], "upstream");
    assert_eq!(long(&mirror, key)["delta"], Value::Null);
    mirror
        .run(&format!("init --anew --encoding delta {key}"))
        .exits(0);
    mirror.run(&format!("{} {key}", adding(1))).silently();
    let files = judged(node, &root_under(&mirror, "upstream"), CidVersion::V0);
    assert!(files.contains_key(&delta_nar(&items[1])));
}

fn a_mirror_without_items_may_begin_anew(node: &TestNode) {
    let upstream = Upstream::empty();
    let item = build(1, 1, 1);
    upstream.add_items([&item]);
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init").silently();
    let missing = "add 00000000000000000000000000000000";
    // What was not found was wanted of a delta mirror.
    mirror.run(&format!("{missing} --encoding delta")).exits(3);
    mirror.run(&add(std::slice::from_ref(&item))).silently();
    let files = judged(node, &mirror.root(), CidVersion::V0);
    assert!(files.contains_key(&delta_nar(&item)));

    let key = "--key other";
    mirror
        .run(&format!("init --encoding delta {key}"))
        .silently();
    let adding = add(std::slice::from_ref(&item));
    mirror
        .run(&format!("{adding} --encoding upstream {key}"))
        .silently();
    let files = judged(node, &root_under(&mirror, "other"), CidVersion::V0);
    assert!(files.contains_key(&item.nar()));
    mirror.run(&format!("{missing} {key}")).exits(3);
    assert_eq!(long(&mirror, key)["encoding"], "upstream");
}

/// The journal of the mirror.
fn journal(node: &TestNode) -> String {
    let name = format!("guix-ipfs/{}", node.key_id("guix-ipfs").unwrap());
    let journals = node.pins_named(&name);
    assert_eq!(journals.len(), 1);
    journals[0].clone()
}

fn a_ledger_that_is_lost_takes_no_encoding_along(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let upstream = Upstream::empty();
    let items: Vec<Item> = (0..5).map(|number| build(number, number, 1)).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let adding = |number: usize| add(&items[number..=number]);
    mirror
        .run(&format!("{} --encoding delta", adding(0)))
        .silently();
    // The file alone: nobody waits for a repair.
    node.lose(&node.cid_at(&journal(node), "ledger/encoding"));
    mirror.run("verify").exits(3).says("the ledger's encoding");
    mirror.run(&adding(1)).silently();
    mirror.run("verify").exits(0);
    for (number, part) in [(2, "ledger/encoding"), (3, "ledger")] {
        node.lose(&node.cid_at(&journal(node), part));
        mirror.run("verify --repair").exits(0);
        mirror.run("verify").exits(0);
        mirror.run(&adding(number)).silently();
    }
    // The journal as a whole, and a removal before the next item.
    node.unpin_named("guix-ipfs/");
    mirror.run(&format!("remove {}", items[0].hash)).silently();
    mirror
        .run(&format!("{} --encoding upstream", adding(4)))
        .exits(2);
    mirror.run(&adding(4)).silently();
    let files = judged(node, &mirror.root(), CidVersion::V0);
    for item in &items[1..] {
        assert!(files.contains_key(&delta_nar(item)));
    }
    assert_eq!(long(&mirror, "")["encoding"], "delta1");
}

/// After a mistaken `init --anew`, with and without something mirrored since then.
fn a_root_that_is_brought_back_brings_its_encoding(node: &TestNode) {
    let upstream = Upstream::empty();
    let items: Vec<Item> = (0..4).map(|number| build(number, number, 1)).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    let adding = |number: usize| add(&items[number..=number]);
    for (number, since, option) in [
        (0, "", ""),
        (1, &*adding(2), ""),
        (2, &adding(2), "--encoding delta"),
    ] {
        let key = format!("--key key-{number}");
        let begun = mirror.run(&format!("{} --encoding delta {key}", adding(0)));
        begun.silently();
        let lost = root_under(&mirror, &key[6..]);
        mirror.run(&format!("init --anew {key}")).exits(0);
        if !since.is_empty() {
            mirror.run(&format!("{since} {key}")).silently();
        }
        let other = root_under(&mirror, &key[6..]);
        mirror
            .run(&format!("{} {key} --base {other}", adding(2)))
            .silently();
        assert_eq!(long(&mirror, &key)["encoding"], "upstream");
        let back = format!("{} {key} --base {lost} {option}", adding(3));
        let dry = json(mirror.run(&format!("{back} -n --json")).exits(0));
        assert_eq!(dry["encoding"], "delta1");
        mirror.run(&back).silently();
        assert_eq!(long(&mirror, &key)["encoding"], "delta1");
        mirror.run(&format!("{} {key}", adding(1))).silently();
        let files = judged(node, &root_under(&mirror, &key[6..]), CidVersion::V0);
        for item in [&items[0], &items[1], &items[3]] {
            assert!(files.contains_key(&delta_nar(item)));
        }
    }
}

fn two_that_begin_a_mirror_at_once_leave_it_one_encoding(node: &TestNode) {
    let upstream = Upstream::empty();
    let items: Vec<Item> = (0..3).map(|number| build(number, number, 1)).collect();
    upstream.add_items(&items);
    // Each has a lock folder of its own.
    let mirrors = [(); 2].map(|()| Mirror::new(node, &upstream));
    mirrors[0].run("init").silently();
    std::thread::scope(|scope| {
        for ((mirror, item), encoding) in mirrors.iter().zip(&items).zip(["delta", "upstream"]) {
            let adding = format!("add {} --encoding {encoding}", item.hash);
            scope.spawn(move || mirror.run(&adding));
        }
    });
    // One that came too late to begin the mirror is refused, and both are asked again.
    mirrors[0].run(&add(&items)).silently();
    let files = judged(node, &mirrors[0].root(), CidVersion::V0);
    let is_delta = long(&mirrors[0], "")["encoding"] == "delta1";
    assert_eq!(files.contains_key(&delta_nar(&items[2])), is_delta);
    let known = if is_delta { "delta" } else { "upstream" };
    mirrors[1]
        .run(&format!("{} --encoding {known}", add(&items)))
        .silently();
}

/// An item with a second variant, of an uncompressed nar.
fn with_plain_variant(item: &mut Item, nar: &[u8]) -> String {
    let path = item.nar().replace("gzip/", "");
    let gzip = "Compression: gzip\n";
    let plain = format!(
        "{gzip}URL: {path}\nCompression: none\nFileSize: {}\n",
        nar.len()
    );
    // The FileSize of the first one stays below its own lines.
    let narinfo = item.files[&format!("{}.narinfo", item.hash)].clone();
    let narinfo = String::from_utf8(narinfo).unwrap();
    let size = narinfo
        .lines()
        .find(|line| line.starts_with("FileSize: "))
        .unwrap()
        .to_owned();
    item.edit_narinfo(&format!("{size}\n"), "");
    item.edit_narinfo(gzip, &plain.replace(gzip, &format!("{gzip}{size}\n")));
    item.files.insert(path.clone(), nar.to_vec());
    path
}

fn the_smallest_variant_that_comes_is_encoded(node: &TestNode) {
    let upstream = Upstream::empty();
    let nar = program(1, 1, 900_000);
    let mut item = item_with_nar(1, "prog", &nar);
    let gzip = item.nar();
    let plain = with_plain_variant(&mut item, &nar);
    upstream.add_items([&item]);
    let mirror = Mirror::new(node, &upstream);
    let adding = format!("{} --encoding delta", add(std::slice::from_ref(&item)));
    let mut roots = BTreeSet::new();
    for (number, (spoiled, options, asked)) in [
        (None, "", (true, false)),
        (None, "--compression none", (false, true)),
        (Some(Fault::Status(404)), "", (true, true)),
    ]
    .into_iter()
    .enumerate()
    {
        upstream.asked();
        if let Some(fault) = spoiled {
            upstream.spoil(&gzip, &[fault; 3]);
        }
        mirror
            .run(&format!("{adding} {options} --key smallest-{number}"))
            .silently();
        let paths = upstream.asked();
        assert_eq!(
            (paths.contains(&gzip), paths.contains(&plain)),
            asked,
            "{paths:?}"
        );
        let root = root_under(&mirror, &format!("smallest-{number}"));
        let files = judged(node, &root, CidVersion::V0);
        assert_eq!(files.len(), 3);
        roots.insert(root);
    }
    assert_eq!(roots.len(), 1);
    // A connection that breaks is gone on with.
    upstream.spoil(&gzip, &[Fault::Cut, Fault::Cut]);
    mirror.run(&format!("{adding} --key cut")).silently();
    assert!(roots.contains(&root_under(&mirror, "cut")));
}

fn another_upstream_is_asked_for_what_the_first_spoils(node: &TestNode) {
    let [first, second] = [Upstream::empty(), Upstream::empty()];
    let item = build(1, 1, 1);
    first.add_items([&item]);
    second.add_items([&item]);
    first.edit(&item.nar(), |nar| nar[..nar.len() / 2].to_vec());
    let mirror = Mirror::new(node, &first);
    let adding = add(std::slice::from_ref(&item));
    let both = format!("--upstream {} --upstream {}", first.url(), second.url());
    mirror
        .run(&format!("{adding} --encoding delta {both}"))
        .exits(0);
    let files = judged(node, &mirror.root(), CidVersion::V0);
    assert!(files.contains_key(&delta_nar(&item)));
}

fn a_nar_that_is_not_as_promised_is_refused(node: &TestNode) {
    let upstream = Upstream::empty();
    let items: Vec<Item> = (0..4).map(|number| build(number, number, 1)).collect();
    upstream.add_items(&items);
    let mirror = Mirror::new(node, &upstream);
    upstream.edit_text(&items[0].hash, "NarSize: 900000", "NarSize: 900001");
    upstream.edit_text(&items[1].hash, "FileSize: ", "FileSize: 1");
    upstream.edit(&items[2].nar(), |_| items[3].files[&items[3].nar()].clone());
    upstream.edit_text(&items[2].hash, "FileSize: ", "Colour: ");
    mirror
        .run(&format!("{} --encoding delta", add(&items)))
        .exits(3);
    let files = judged(node, &mirror.root(), CidVersion::V0);
    let expected = [
        "nix-cache-info",
        &format!("{}.narinfo", items[3].hash),
        &delta_nar(&items[3]),
    ];
    let expected: BTreeSet<String> = expected.into_iter().map(str::to_owned).collect();
    assert_eq!(files.into_keys().collect::<BTreeSet<_>>(), expected);
}

fn a_damaged_frame_is_found_and_mended(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    let upstream = Upstream::empty();
    let builds = [build(1, 7, 1), build(2, 7, 2)];
    upstream.add_items(&builds);
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("{} --encoding delta", add(&builds)))
        .silently();
    let root = mirror.root();
    mirror.run("verify --deep").exits(0);
    let of_one = leaves(node, &root, &delta_nar(&builds[0]));
    let of_two = leaves(node, &root, &delta_nar(&builds[1]));
    let shared = of_one.iter().find(|leaf| of_two.contains(leaf)).unwrap();
    node.lose(shared);
    let found = mirror.run("verify --deep").exits(3);
    for item in &builds {
        assert!(found.err.contains(&item.hash), "{found:?}");
    }
    mirror.run("verify --deep --repair").exits(0);
    assert_eq!(mirror.root(), root);
    judged(node, &root, CidVersion::V0);
    mirror.run("verify --deep").exits(0);

    // Frames that are cut, swapped or stand twice, in a tree that somebody made.
    let files = node.published(&root).files;
    let path = delta_nar(&builds[0]);
    let nar = &files[&path];
    let length = zstd::zstd_safe::find_frame_compressed_size(nar).unwrap();
    let (first, rest) = nar.split_at(length);
    let second = zstd::zstd_safe::find_frame_compressed_size(rest).unwrap();
    let (second, rest) = rest.split_at(second);
    for wrong in [
        [first, rest].concat(),
        [second, first, rest].concat(),
        [first, first, second, rest].concat(),
    ] {
        let mut tree = files.clone();
        let size = |nar: &[u8]| format!("FileSize: {}\n", nar.len());
        let narinfo = tree
            .get_mut(&format!("{}.narinfo", builds[0].hash))
            .unwrap();
        let text = String::from_utf8(narinfo.clone()).unwrap();
        *narinfo = text.replace(&size(nar), &size(&wrong)).into_bytes();
        tree.insert(path.clone(), wrong);
        let spoiled = node.store_tree(&tree, CidVersion::V0);
        mirror
            .run(&format!("{} --base {spoiled}", add(&builds)))
            .exits(0);
        mirror.run("verify --deep").exits(3).says(&builds[0].hash);
        mirror.run("verify --deep --repair").exits(0);
        assert_eq!(mirror.root(), root);
    }
}

fn items_are_taken_out_and_what_others_share_stays(node: &TestNode) {
    let upstream = Upstream::empty();
    let builds: Vec<Item> = (1..=3).map(|number| build(number, 7, number)).collect();
    upstream.add_items(&builds);
    let mirror = Mirror::new(node, &upstream);
    let list = mirror.home().join("list");
    let wanted = |items: &[Item]| {
        let hashes: Vec<&str> = items.iter().map(|item| &*item.hash).collect();
        std::fs::write(&list, hashes.join("\n")).unwrap();
    };
    wanted(&builds);
    mirror
        .run(&format!("sync --encoding delta --from {}", list.display()))
        .silently();
    mirror
        .run(&format!("remove {} --gc", builds[0].hash))
        .exits(0);
    let files = judged(node, &mirror.root(), CidVersion::V0);
    assert_eq!(files.len(), 5);
    mirror.run("verify --deep").exits(0);
    let size = long(&mirror, "")["bytes"].as_u64().unwrap();
    mirror
        .run(&format!("prune --max-size {} --gc", size - 1000))
        .exits(0);
    let files = judged(node, &mirror.root(), CidVersion::V0);
    assert_eq!(files.len(), 3);
    mirror.run("verify --deep").exits(0);
    assert_eq!(long(&mirror, "")["encoding"], "delta1");
    assert_eq!(long(&mirror, "")["delta"]["nars"], 1);
}

fn a_mirror_moves_with_its_encoding(node: &TestNode) {
    let (origin, upstream) = (TestNode::local(), Upstream::empty());
    let builds = [build(1, 7, 1), build(2, 7, 2)];
    upstream.add_items(&builds);
    let mirror = Mirror::new(&origin, &upstream);
    mirror
        .run(&format!("{} --encoding delta", add(&builds[..1])))
        .silently();
    let root = mirror.root();
    mirror.run(&format!("move --to {}", node.api)).exits(0);
    let mirror = mirror.with_api(&node.api);
    assert_eq!(mirror.root(), root);
    mirror.run(&add(&builds[1..])).silently();
    let files = judged(node, &mirror.root(), CidVersion::V0);
    assert!(
        builds
            .iter()
            .all(|item| files.contains_key(&delta_nar(item)))
    );
}

fn a_page_and_an_encoding_stand_side_by_side(node: &TestNode) {
    let upstream = Upstream::empty();
    let builds = [build(1, 7, 1), build(2, 7, 2)];
    upstream.add_items(&builds);
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init --page --encoding delta").silently();
    for item in builds.chunks(1) {
        mirror.run(&add(item)).silently();
        let mut files = node.published(&mirror.root()).files;
        assert_eq!(mirror.root(), root_of(&files, CidVersion::V0));
        let page = String::from_utf8(files.remove("index.html").unwrap()).unwrap();
        assert!(page.contains(&item[0].hash));
        assert!(files.contains_key(&delta_nar(&item[0])));
    }
}

/// A nar that begins and ends with frames of a few bytes.
fn both_ends_of_a_delta_nar_are_checked(node: &TestNode) {
    let upstream = Upstream::empty();
    let mut nar = vec![0; 1 << 20];
    nar.extend(program(1, 1, 400_000));
    nar.resize(nar.len() + (1 << 20), 0);
    let item = item_with_nar(1, "zeros", &nar);
    upstream.add_items([&item]);
    let mirror = Mirror::new(node, &upstream);
    let adding = add(std::slice::from_ref(&item));
    mirror.run(&format!("{adding} --encoding delta")).silently();
    judged(node, &mirror.root(), CidVersion::V0);
    let found = mirror
        .run(&format!("check --sample 9 --gateway {}", node.gateway))
        .exits(0);
    let begins = format!("{}: begins", delta_nar(&item));
    assert!(found.out.contains(&begins), "{found:?}");
    mirror.run("verify --deep").exits(0);
}

fn a_dry_run_and_a_limit_count_what_is_fetched(node: &TestNode) {
    let upstream = Upstream::empty();
    let mut items = Vec::new();
    for number in 0..3 {
        let nar = program(number, 1, 900_000);
        let mut item = item_with_nar(number, "prog", &nar);
        with_plain_variant(&mut item, &nar);
        upstream.add_items([&item]);
        items.push(item);
    }
    let mirror = Mirror::new(node, &upstream);
    let adding = format!("{} --encoding delta --jobs 1", add(&items));
    let dry = json(mirror.run(&format!("{adding} -n --json")).exits(0));
    assert_eq!(dry["files"], 6);
    assert_eq!(node.key_id("guix-ipfs"), None);
    // A gzip has half of this, and both variants have more.
    let limited = json(
        mirror
            .run(&format!("{adding} --max-bytes 900000 --json"))
            .exits(0),
    );
    assert_eq!(limited["added"].as_array().unwrap().len(), 2);
    mirror.run(&adding).silently();
    judged(node, &mirror.root(), CidVersion::V0);
    let huge = mirror.run(&format!("{adding} --max-nar-size 1K --key limited"));
    huge.exits(3);
    assert_eq!(
        node.published(&root_under(&mirror, "limited")).files.len(),
        1
    );
}

/// Another mirror takes its nars as they are, or encodes them again to the same.
fn a_delta_mirror_is_an_upstream_as_well(node: &TestNode) {
    let upstream = Upstream::empty();
    let item = build(1, 1, 1);
    upstream.add_items([&item]);
    let mirror = Mirror::new(node, &upstream);
    let adding = add(std::slice::from_ref(&item));
    mirror.run(&format!("{adding} --encoding delta")).silently();
    let root = mirror.root();
    let served = Upstream::empty();
    for (path, content) in node.published(&root).files {
        served.set(&path, content);
    }
    let other = Mirror::new(node, &served);
    other
        .run(&format!("{adding} --encoding delta --key again"))
        .silently();
    assert_eq!(root_under(&other, "again"), root);
    // The file is then one as any other.
    for _ in 0..2 {
        other
            .run(&format!("{adding} --encoding upstream --key copy"))
            .silently();
    }
    let copy = node.published(&root_under(&other, "copy"));
    copy.judge();
    assert_eq!(copy.files, node.published(&root).files);
    assert_eq!(long(&other, "--key copy")["encoding"], "upstream");
}

fn a_file_of_two_levels_is_counted_by_its_leaves(node: &TestNode) {
    let upstream = Upstream::empty();
    // More than 174 frames, most of them of a few bytes.
    let mut nar = Vec::new();
    for part in 0..200u64 {
        nar.extend(std::iter::repeat_n(part as u8, 100_000));
        nar.extend_from_slice(&part.to_be_bytes());
    }
    let item = item_with_nar(1, "long", &nar);
    upstream.add_items([&item]);
    let mirror = Mirror::new(node, &upstream);
    let adding = add(std::slice::from_ref(&item));
    for version in [0, 1] {
        let key = format!("--key levels-{version}");
        mirror
            .run(&format!(
                "init --encoding delta --cid-version {version} {key}"
            ))
            .silently();
        mirror.run(&format!("{adding} {key}")).silently();
        let root = root_under(&mirror, &format!("levels-{version}"));
        let leaves = leaves(node, &root, &delta_nar(&item));
        assert!(leaves.len() > 174, "{}", leaves.len());
        let size = |leaf: &Cid| node.raw_block(&leaf.to_string()).unwrap().len() as u64;
        let listed: u64 = leaves.iter().map(size).sum();
        let stored: BTreeSet<&Cid> = leaves.iter().collect();
        let stored: u64 = stored.into_iter().map(size).sum();
        let delta = &long(&mirror, &key)["delta"];
        assert_eq!(delta["listed_bytes"], listed);
        assert_eq!(delta["stored_bytes"], stored);
    }
}

fn killed_at_any_call_it_continues(node: &TestNode) {
    let upstream = Upstream::empty();
    let items = [1, 2].map(|build| item_with_nar(build, "prog", &program(7, build, 300_000)));
    upstream.add_items(&items);
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    let adding = format!("{} --encoding delta --checkpoint 1", add(&items));
    mirror.run(&format!("{adding} --key whole")).silently();
    let whole = root_under(&mirror, "whole");
    let calls = proxy.calls().len();
    for n in 1..=calls {
        let key = format!("killed-{n}");
        let mut command = mirror.command(&format!("{adding} --key {key}"));
        let adding_run = command.stderr(Stdio::null()).spawn().unwrap();
        kill_at_call(adding_run, &proxy, n);
        mirror.run(&format!("{adding} --key {key}")).silently();
        assert_eq!(root_under(&mirror, &key), whole);
        proxy.calls();
    }
    judged(node, &whole, CidVersion::V0);
}

fn a_run_with_nothing_new_makes_as_few_calls(node: &TestNode) {
    let upstream = Upstream::of_fixtures();
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    let item = build(1, 1, 1);
    upstream.add_items([&item]);
    mirror.run("sync --encoding delta").silently();
    mirror.run(&add(&[item])).silently();
    mirror.run("sync").silently();
    proxy.calls();
    for again in ["sync --encoding delta", "sync"] {
        mirror.run(again).silently();
        let calls = proxy.calls();
        assert!(calls.len() < 12, "{calls:?}");
    }
}

fn a_delta_mirror_is_followed(node: &TestNode) {
    let upstream = Upstream::empty();
    let builds = [build(1, 7, 1), build(2, 7, 2)];
    upstream.add_items(&builds);
    let mirror = Mirror::new(node, &upstream);
    mirror.run("init --encoding delta --key theirs").silently();
    let name = node.key_id("theirs").unwrap();
    for item in builds.chunks(1) {
        mirror
            .run(&format!("{} --key theirs", add(item)))
            .silently();
        mirror.run(&format!("follow {name} --unsigned")).silently();
        let root = root_under(&mirror, "theirs");
        let listed = mirror.run("follow --list").exits(0).out;
        assert!(listed.contains(&root), "{listed}");
    }
    // What is followed is held without the publisher.
    let root = root_under(&mirror, "theirs");
    node.unpin_named(&format!("guix-ipfs/{name}"));
    node.collect_garbage();
    judged(node, &root, CidVersion::V0);
}
