//! The one rule by which files enter the published tree: for `sync`, `add` and
//! `verify --repair` alike, with either engine.

use crate::support::{
    Item, Mirror, Proxy, Spoil, TestNode, Upstream, fixture, item, root_of, tree_of,
};
use guix_ipfs::ipfs::cid::CidVersion::V0;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

on_both_nodes!(
    a_nar_under_another_items_name_is_refused_before_it_is_fetched,
    a_repair_replaces_no_nar_of_another_item,
    a_repair_turns_no_directory_into_a_file,
    a_nar_in_the_place_of_a_directory_is_refused_on_an_empty_mirror,
    a_nar_that_a_remaining_narinfo_lists_outlives_the_other,
    of_two_names_with_one_hash_the_second_is_refused_and_others_are_published,
    content_that_two_items_share_under_a_neutral_name_is_admitted,
);

on_kubo_alone!(
    a_node_that_names_another_cid_is_not_believed,
    a_node_that_fails_ends_the_run_and_no_download_is_repeated,
);

/// Two items, the second of which lists `url` in place of its nar; the upstream has
/// its nar there.
fn two_items(url: &str) -> (Upstream, Item, Item) {
    let upstream = Upstream::empty();
    let (victim, thief) = (item(1, "victim", 2000), item(2, "thief", 2000));
    upstream.add_items([&victim, &thief]);
    let url = url.replace("VICTIM", &victim.hash);
    let own = format!("nar/gzip/{}-thief", thief.hash);
    let nar = upstream.get(&own);
    upstream.edit_text(&thief.hash, &own, &url);
    upstream.set(&url, nar);
    (upstream, victim, thief)
}

fn a_nar_under_another_items_name_is_refused_before_it_is_fetched(node: &TestNode) {
    for (number, url) in [
        "nar/gzip/VICTIM-victim",
        "nar/gzip/VICTIM-something-else",
        "nar/VICTIM-victim",
    ]
    .into_iter()
    .enumerate()
    {
        for graft in ["add-link", "car"] {
            let (upstream, victim, thief) = two_items(url);
            let mirror = Mirror::new(node, &upstream);
            let key = format!("--key {graft}-{number}");
            // Whichever of the two comes first: the place is the victim's.
            let run = mirror.run(&format!("add {} {key} --graft {graft}", thief.hash));
            run.exits(3)
                .says(&thief.hash)
                .says("the nar of another item");
            let nars = upstream.asked();
            assert!(
                !nars.iter().any(|path| path.starts_with("nar/")),
                "{nars:?}"
            );
            let own = victim.files.keys().find(|path| path.starts_with("nar/"));
            let own = own.unwrap();
            upstream.set(own, victim.files[own].clone());
            mirror
                .run(&format!("add {} {key} --graft {graft}", victim.hash))
                .silently();
            let root = mirror.run(&format!("resolve {key}")).exits(0).out;
            assert_eq!(
                root,
                format!("/ipfs/{}\n", root_of(&tree_of([&victim]), V0))
            );
        }
    }
}

/// Publishes two items, of which the second has lost its nar.
fn published_without_a_nar(node: &TestNode, items: [&Item; 2]) -> String {
    let mut tree = tree_of(items);
    tree.remove(&format!("nar/gzip/{}-thief", items[1].hash));
    let root = node.store_tree(&tree, V0);
    node.publish("guix-ipfs", &root);
    root
}

fn a_repair_replaces_no_nar_of_another_item(node: &TestNode) {
    let (victim, whole) = (item(1, "victim", 2000), item(2, "thief", 2000));
    let root = published_without_a_nar(node, [&victim, &whole]);
    for url in [
        "nar/gzip/VICTIM-victim",
        "nar/gzip/VICTIM-victim.nar.gz",
        "nar/VICTIM-victim",
    ] {
        let (upstream, ..) = two_items(url);
        let mirror = Mirror::new(node, &upstream);
        let run = mirror.run("verify --repair").exits(3);
        run.says(&whole.hash).says("the nar of another item");
        assert_eq!(mirror.root(), root, "{url}");
    }
}

fn a_repair_turns_no_directory_into_a_file(node: &TestNode) {
    let (victim, thief) = (item(1, "victim", 2000), item(2, "thief", 2000));
    let root = published_without_a_nar(node, [&victim, &thief]);
    for url in ["nar/gzip", "nar/zstd", "nar/gzip/below/x", "nar/other/x"] {
        let (upstream, ..) = two_items(url);
        let mirror = Mirror::new(node, &upstream);
        let run = mirror.run("verify --repair").exits(3);
        run.says(&thief.hash).says("cannot be mirrored");
        assert_eq!(mirror.root(), root, "{url}");
    }
}

fn a_nar_in_the_place_of_a_directory_is_refused_on_an_empty_mirror(node: &TestNode) {
    for (number, url) in ["nar/gzip", "nar/zstd", "nar/lzip", "nar"]
        .into_iter()
        .enumerate()
    {
        let (upstream, victim, thief) = two_items(url);
        let mirror = Mirror::new(node, &upstream);
        let key = format!("--key {number}");
        let run = mirror.run(&format!("add {} {key}", thief.hash));
        run.exits(3).says(&thief.hash).says("cannot be mirrored");
        // Nothing stands in the way of the next run.
        mirror.run(&format!("add {} {key}", victim.hash)).silently();
        let root = mirror.run(&format!("resolve {key}")).exits(0).out;
        assert_eq!(
            root,
            format!("/ipfs/{}\n", root_of(&tree_of([&victim]), V0))
        );
    }
}

fn a_nar_that_a_remaining_narinfo_lists_outlives_the_other(node: &TestNode) {
    let (upstream, victim, thief) = two_items("nar/gzip/VICTIM-victim");
    // As an earlier program may have left it: the second lists the first one's nar.
    let mut tree = tree_of([&victim]);
    let name = format!("{}.narinfo", thief.hash);
    tree.insert(name.clone(), upstream.get(&name));
    let root = node.store_tree(&tree, V0);
    node.publish("guix-ipfs", &root);
    let mirror = Mirror::new(node, &upstream);
    mirror.run(&format!("remove {}", thief.hash)).silently();
    assert_eq!(mirror.root(), root_of(&tree_of([&victim]), V0));
    mirror.run(&format!("remove {}", victim.hash)).silently();
    assert_eq!(mirror.root(), root_of(&tree_of([]), V0));
}

fn of_two_names_with_one_hash_the_second_is_refused_and_others_are_published(node: &TestNode) {
    let names = std::fs::read_to_string(fixture("same-murmur3-names.txt")).unwrap();
    let names: Vec<&str> = names.lines().collect();
    let upstream = Upstream::empty();
    let items: Vec<Item> = (0..3).map(|number| item(number, "item", 2000)).collect();
    upstream.add_items(&items);
    for (item, name) in items.iter().zip(&names) {
        let own = format!("nar/gzip/{}-item", item.hash);
        let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
        upstream.edit_text(&item.hash, &own, &format!("nar/gzip/{encoded}"));
        upstream.set(&format!("nar/gzip/{name}"), item.files[&own].clone());
    }
    let [first, second, third] = [&items[0].hash, &items[1].hash, &items[2].hash];
    let mirror = Mirror::new(node, &upstream);
    for (number, adds) in [
        // In one batch, in two runs, and in the other order.
        vec![format!("{first} {second} {third}")],
        vec![format!("{first} {third}"), second.clone()],
        vec![second.clone(), format!("{third} {first}")],
    ]
    .iter()
    .enumerate()
    {
        for graft in ["add-link", "car"] {
            let key = format!("--key {number}-{graft}");
            let mut refused = 0;
            for hashes in adds {
                let run = mirror.run(&format!("add {hashes} {key} --graft {graft}"));
                refused += usize::from(run.code == Some(3));
                if run.code == Some(3) {
                    run.says("have the same hash");
                }
            }
            assert_eq!(refused, 1, "{adds:?} {graft}");
            let listed = mirror.run(&format!("resolve --list {key}")).exits(0).out;
            assert_eq!(listed.lines().count(), 2, "{listed}");
            assert!(listed.contains(third.as_str()), "{listed}");
        }
    }
}

fn content_that_two_items_share_under_a_neutral_name_is_admitted(node: &TestNode) {
    let upstream = Upstream::empty();
    let first = item(1, "item", 2000);
    let second = item(2, "item", 2000);
    let text = String::from_utf8(first.files[&format!("{}.narinfo", first.hash)].clone()).unwrap();
    let own = format!("nar/gzip/{}-item", first.hash);
    let text = text.replace(&own, "nar/gzip/shared.nar.gz");
    upstream.set("nar/gzip/shared.nar.gz", first.files[&own].clone());
    let store_path = |hash: &str| format!("StorePath: /gnu/store/{hash}");
    let other = text.replace(&store_path(&first.hash), &store_path(&second.hash));
    upstream.set(&format!("{}.narinfo", first.hash), text);
    upstream.set(&format!("{}.narinfo", second.hash), other);
    let mirror = Mirror::new(node, &upstream);
    mirror
        .run(&format!("add {} {}", first.hash, second.hash))
        .silently();
    node.published(&mirror.root()).judge();
    mirror.run(&format!("remove {}", first.hash)).silently();
    node.published(&mirror.root()).judge();
    assert_eq!(mirror.list().len(), 1);
}

fn a_node_that_names_another_cid_is_not_believed(node: &TestNode) {
    let upstream = Upstream::empty();
    let item = item(1, "item", 2000);
    upstream.add_items([&item]);
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror.run("init").silently();
    let before = mirror.root();
    let another = node.add(b"another file");
    let line = format!(r#"{{"Name":"x","Hash":"{another}","Size":"20"}}"#);
    proxy.spoil(
        "add",
        0,
        Spoil::Answer(200, Box::leak(line.into_boxed_str())),
    );
    let run = mirror.run(&format!("add {} --graft add-link", item.hash));
    run.exits(1)
        .says(&format!("it added {another}, but the file is"));
    assert_eq!(mirror.root(), before);
}

/// The node's failure is not taken for that of a download.
fn a_node_that_fails_ends_the_run_and_no_download_is_repeated(node: &TestNode) {
    let upstream = Upstream::empty();
    // Random bytes: each nar is a segment of its own.
    let items: Vec<Item> = (0..12).map(|number| item(number, "x", 5 << 20)).collect();
    upstream.add_items(&items);
    let proxy = Proxy::new(&node.api);
    let mirror = Mirror::at(&proxy.url, &upstream);
    mirror.run("init").silently();
    let before = mirror.root();
    let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
    upstream.asked();
    proxy.spoil("dag/import", 0, Spoil::Before);
    let run = mirror.run(&format!("add {} --graft car --jobs 1", hashes.join(" ")));
    run.exits(1).says("store ").says("cut short");
    let asked = upstream.asked();
    let mut nars: Vec<_> = asked
        .iter()
        .filter(|path| path.starts_with("nar/"))
        .collect();
    let fetched = nars.len();
    assert!(
        fetched < items.len(),
        "{fetched} nars were fetched all the same"
    );
    nars.dedup();
    assert_eq!(nars.len(), fetched, "a nar was fetched again: {asked:?}");
    assert_eq!(mirror.root(), before);
}
