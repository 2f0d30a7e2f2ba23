//! Repairs of items that the farm has signed or packed anew since, so that what is
//! damaged here does not come back as it was.

use crate::support::{Item, Mirror, TestNode, Upstream, item, root_of, tree_of};
use flate2::Compression;
use flate2::write::GzEncoder;
use guix_ipfs::ipfs::cid::CidVersion::V0;
use std::io::{Read, Write};

on_both_nodes!(
    what_the_farm_has_replaced_takes_the_place_of_what_is_lost,
    what_the_farm_has_replaced_takes_the_place_of_what_is_damaged,
    an_item_that_cannot_be_had_holds_back_no_other,
);

/// The item as the farm has it after a while.
fn signed_anew(item: &Item) -> Item {
    let mut item = Item {
        hash: item.hash.clone(),
        files: item.files.clone(),
    };
    item.edit_narinfo("References: \n", "References: \nSystem: x86_64-linux\n");
    item
}

fn packed_anew(item: &Item) -> Item {
    let mut packed = signed_anew(item);
    let nar = item.nar();
    let old = &item.files[&nar];
    let mut content = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&old[..]);
    reader.read_to_end(&mut content).unwrap();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(&content).unwrap();
    let new = gzip.finish().unwrap();
    assert_ne!(&new, old);
    let size = |nar: &[u8]| format!("FileSize: {}\n", nar.len());
    packed.edit_narinfo(&size(old), &size(&new));
    packed.files.insert(nar, new);
    packed
}

/// One of a block, and one of several.
const SIZES: [usize; 2] = [2000, 600_000];

type Spoil = fn(&TestNode, &guix_ipfs::ipfs::cid::Cid);

fn what_the_farm_has_replaced_takes_the_place_of_what_is_lost(node: &TestNode) {
    replaced(node, TestNode::lose);
}

fn what_the_farm_has_replaced_takes_the_place_of_what_is_damaged(node: &TestNode) {
    replaced(node, TestNode::damage);
}

fn replaced(node: &TestNode, spoil: Spoil) {
    if !node.can_lose_blocks() {
        return;
    }
    for (number, size) in SIZES.into_iter().enumerate() {
        for (what, anew) in [
            ("narinfo", signed_anew as fn(&Item) -> Item),
            ("narinfo", packed_anew),
            ("nar", packed_anew),
        ] {
            let upstream = Upstream::empty();
            // Of its own content each time, so that nothing is whole by another's blocks.
            let seed = 10 * number as u64;
            let (other, lost) = (item(seed, "other", 500), item(seed + 1, "lost", size));
            upstream.add_items([&other, &lost]);
            let mirror = Mirror::new(node, &upstream);
            let add = format!("add {} {}", other.hash, lost.hash);
            mirror.run(&add).silently();
            let root = mirror.root();
            let narinfo = format!("{}.narinfo", lost.hash);
            let path = if what == "nar" { lost.nar() } else { narinfo };
            spoil(node, &node.cid_at(&root, &path));
            let anew = anew(&lost);
            upstream.add_items([&anew]);
            mirror.run("verify --deep").exits(3).says(&lost.hash);
            mirror.run("verify --deep --repair").silently();
            let whole = root_of(&tree_of([&other, &anew]), V0);
            assert_eq!(mirror.root(), whole, "{what}, {size}");
            node.published(&whole).judge();
            // One journal, and nothing else, holds it.
            assert_eq!(node.pins().len(), 1, "{:?}", node.pins());
            node.collect_garbage();
            node.published(&whole).judge();
            node.unpin_named("");
            node.rename_key("guix-ipfs", &format!("done-{number}-{what}-{whole}"));
            node.collect_garbage();
        }
    }
}

/// Neither where its nar nor where its narinfo is lost.
fn an_item_that_cannot_be_had_holds_back_no_other(node: &TestNode) {
    if !node.can_lose_blocks() {
        return;
    }
    for spoilt in ["nar", "narinfo"] {
        let upstream = Upstream::empty();
        let items: Vec<Item> = (0..3).map(|number| item(number, "item", 2000)).collect();
        let [gone, lost, whole] = &items[..] else {
            unreachable!()
        };
        upstream.add_items(&items);
        let mirror = Mirror::new(node, &upstream);
        let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
        mirror.run(&format!("add {}", hashes.join(" "))).silently();
        let root = mirror.root();
        for item in [gone, lost] {
            let path = match spoilt {
                "nar" => item.nar(),
                _ => format!("{}.narinfo", item.hash),
            };
            node.lose(&node.cid_at(&root, &path));
        }
        upstream.remove_item(gone);
        let anew = packed_anew(lost);
        upstream.add_items([&anew]);
        let run = mirror.run("verify --repair").exits(3);
        run.says(&format!("{}.narinfo: not repaired: no upstream", gone.hash));
        let root = mirror.root();
        for (path, content) in anew.files.iter().chain(&whole.files) {
            assert_eq!(node.get(&format!("/ipfs/{root}/{path}")).body, *content);
        }
        mirror.run("verify").exits(3).says(&gone.hash);
        // What cannot be had can be let go of, and all is well.
        mirror.run(&format!("remove {}", gone.hash)).silently();
        mirror.run("verify --deep").silently();
        let root = mirror.root();
        assert_eq!(root, root_of(&tree_of([&anew, whole]), V0));
        node.published(&root).judge();
        node.collect_garbage();
        node.published(&root).judge();
        node.unpin_named("");
        node.rename_key("guix-ipfs", &format!("done-{spoilt}"));
        node.collect_garbage();
    }
}
