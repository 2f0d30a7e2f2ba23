//! Somebody else's mirror is kept on a node: what is taken, and what is not.

use crate::killed::kill_at_call;
use crate::support::{
    Files, Item, Mirror, Proxy, Run, Spoil, TestNode, Upstream, fixture, item, root_of, run,
    tree_of, tree_of_fixtures,
};
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::ipfs::directory::{Entry, PlainDirectory};
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;

const HELLO: &str = "21q7lx382p28sibkw2l721ybjxymkh1a";

on_kubo_alone!(
    a_new_root_is_held_in_the_place_of_the_old_one,
    a_run_with_nothing_new_takes_few_calls,
    a_root_that_nobody_should_host_is_not_held,
    narinfos_must_be_signed_by_a_key_that_is_believed,
    a_nar_that_lies_about_its_size_is_not_held,
    a_root_that_lost_many_items_needs_a_persons_word,
    a_root_that_is_too_large_is_not_held,
    a_sharded_mirror_is_followed_by_what_differs,
    names_share_no_pins,
    what_cannot_be_had_now_is_tried_again_later,
    killed_at_any_call_it_continues,
    a_second_run_for_one_name_ends_silently,
    names_are_listed_and_no_longer_followed,
    a_name_that_is_followed_is_told_by_resolve,
    of_several_names_each_has_its_result,
    what_a_lost_pin_held_is_held_again,
);

/// Somebody's mirror on a node, and another who follows it there.
struct Setting<'t> {
    node: &'t TestNode,
    follower: Mirror,
    name: String,
}

impl<'t> Setting<'t> {
    fn new(node: &'t TestNode) -> Self {
        let follower = Mirror::new(node, &Upstream::empty());
        let name = node.create_key("theirs");
        Self {
            node,
            follower,
            name,
        }
    }

    /// Publishes a tree under the name, and returns its root.
    fn publish(&self, tree: &Files) -> String {
        let root = self.node.store_tree(tree, CidVersion::V0);
        self.node.publish("theirs", &root);
        root
    }

    fn follow(&self, options: &str) -> Run {
        self.follower
            .run(&format!("follow {} {options}", self.name))
    }

    /// The root that is held, by the blocks that are left when all other pins are gone.
    fn held(&self) -> String {
        let listed = self.follower.run("follow --list").exits(0).out;
        let line = listed.lines().find(|line| line.starts_with(&self.name));
        let (_, root) = line.unwrap().split_once(" /ipfs/").unwrap();
        root.to_owned()
    }

    fn pins(&self) -> Vec<String> {
        self.node
            .pins_named(&format!("guix-ipfs/follow/{}", self.name))
    }
}

fn items(numbers: std::ops::Range<u64>) -> Vec<Item> {
    numbers.map(|number| item(number, "x", 600)).collect()
}

/// The root, and nothing else, is whole on the node once all other pins are gone.
fn is_held_alone(setting: &Setting, root: &str) {
    assert_eq!(setting.held(), root);
    assert_eq!(setting.pins().len(), 1);
    setting.node.unpin_nameless();
    setting.node.collect_garbage();
    setting.node.published(root).judge();
}

impl TestNode {
    /// Removes all pins without a name, such as those of `ipfs add -r`.
    fn unpin_nameless(&self) {
        for (root, _) in self.pins().into_iter().filter(|(_, name)| name.is_empty()) {
            self.node().unpin(&root.parse().unwrap()).unwrap();
        }
    }
}

fn a_new_root_is_held_in_the_place_of_the_old_one(node: &TestNode) {
    let setting = Setting::new(node);
    let all = items(0..6);
    let old = setting.publish(&tree_of(&all[..4]));
    setting.follow("--unsigned").silently();
    is_held_alone(&setting, &old);
    setting.follow("--unsigned").silently();
    is_held_alone(&setting, &old);
    // One gone, and two new ones.
    let new = setting.publish(&tree_of(&all[1..]));
    let run = setting.follow("--unsigned --json").exits(0);
    let summary: Value = serde_json::from_str(&run.out).unwrap();
    let of_name = &summary["names"][0];
    assert_eq!(of_name["previous"], old);
    assert_eq!(of_name["root"], new);
    let counts = ["items", "new", "gone", "changed"].map(|it| of_name[it].as_u64().unwrap());
    assert_eq!(counts, [5, 2, 1, 0]);
    is_held_alone(&setting, &new);
    assert!(node.raw_block(&old).is_none());
    // No name is all that are followed.
    let newest = setting.publish(&tree_of(&all));
    setting.follower.run("follow --unsigned").silently();
    is_held_alone(&setting, &newest);
}

fn a_run_with_nothing_new_takes_few_calls(node: &TestNode) {
    let proxy = Proxy::new(&node.api);
    let mut setting = Setting::new(node);
    setting.follower = setting.follower.with_api(&proxy.url);
    setting.publish(&tree_of(&items(0..3)));
    setting.follow("--unsigned").silently();
    proxy.calls();
    setting.follow("--unsigned").silently();
    let calls = proxy.calls();
    assert!(calls.len() <= 7, "{calls:?}");
    assert!(
        !calls.iter().any(|call| call.contains("pin/add")),
        "{calls:?}"
    );
}

/// Changes a tree, and tells a part of the reason why it is not held.
type Forgery = (&'static str, fn(&mut Files, &[Item]), &'static str);

fn a_root_that_nobody_should_host_is_not_held(node: &TestNode) {
    let setting = Setting::new(node);
    let all = items(0..8);
    let good = setting.publish(&tree_of(&all[..6]));
    setting.follow("--unsigned").silently();
    let forgeries: [Forgery; 14] = [
        (
            "a website",
            |tree, _| {
                tree.clear();
                tree.insert("index.html".to_owned(), b"<html>".to_vec());
                tree.insert("img/cat.jpg".to_owned(), vec![7; 9000]);
            },
            "it is not a mirror",
        ),
        (
            "another store",
            |tree, _| {
                tree.insert(
                    "nix-cache-info".to_owned(),
                    b"StoreDir: /nix/store\n".to_vec(),
                );
            },
            "nix-cache-info: ",
        ),
        (
            "a large file beside the narinfos",
            |tree, _| {
                tree.insert("film.mkv".to_owned(), vec![1; 17 << 20]);
            },
            "such as film.mkv",
        ),
        (
            "large files in a folder",
            |tree, _| {
                for part in 0..9 {
                    tree.insert(format!("films/{part}.mkv"), vec![part; 2 << 20]);
                }
            },
            "such as films",
        ),
        (
            "nars that no narinfo lists",
            |tree, _| {
                for part in 0..9 {
                    tree.insert(format!("nar/gzip/part-{part}"), vec![part; 2 << 20]);
                }
            },
            "such as nar/gzip/part-",
        ),
        (
            "nars of items that list others",
            |tree, items| {
                for (part, item) in items[..6].iter().enumerate() {
                    let path = format!("nar/lzip/{}-x", item.hash);
                    tree.insert(path, vec![part as u8; 3 << 20]);
                }
            },
            "such as nar/lzip/",
        ),
        (
            "a nar that is missing",
            |tree, items| {
                tree.extend(items[6].files.clone());
                tree.remove(&items[6].nar());
            },
            "which is not there",
        ),
        (
            "a nar of an old item that is gone",
            |tree, items| {
                tree.remove(&items[2].nar());
            },
            "which is gone",
        ),
        (
            "a narinfo of another item",
            |tree, items| {
                let narinfo = items[6].files[&format!("{}.narinfo", items[6].hash)].clone();
                tree.insert(format!("{}.narinfo", items[7].hash), narinfo);
            },
            "it describes /gnu/store/",
        ),
        (
            "a narinfo that is none",
            |tree, items| {
                tree.insert(format!("{}.narinfo", items[7].hash), b"<html>".to_vec());
            },
            ".narinfo: ",
        ),
        (
            "a narinfo without a hash in its name",
            |tree, items| {
                let narinfo = items[6].files[&format!("{}.narinfo", items[6].hash)].clone();
                tree.insert("hello.narinfo".to_owned(), narinfo);
            },
            "hello.narinfo: ",
        ),
        (
            "a nar that is much larger than its item",
            |tree, items| {
                tree.extend(items[6].files.clone());
                tree.insert(items[6].nar(), vec![3; 1 << 20]);
            },
            "but its NarSize is 600",
        ),
        (
            "a film in the place of an old nar",
            |tree, items| {
                tree.insert(items[1].nar(), vec![3; 1 << 20]);
            },
            "but its NarSize is 600",
        ),
        (
            "a folder in the place of a nar",
            |tree, items| {
                tree.extend(items[6].files.clone());
                tree.remove(&items[6].nar());
                tree.insert(format!("{}/cat.jpg", items[6].nar()), vec![4; 90]);
            },
            "it is not a file",
        ),
    ];
    for (forgery, change, reason) in forgeries {
        let mut tree = tree_of(&all[..6]);
        change(&mut tree, &all);
        let root = setting.publish(&tree);
        let run = setting.follow("--unsigned");
        assert_eq!(run.code, Some(1), "{forgery}: {run:?}");
        let says = format!("/ipfs/{root} of /ipns/{} is rejected: ", setting.name);
        assert!(run.err.contains(&says), "{forgery}: {run:?}");
        assert!(run.err.contains(reason), "{forgery}: {run:?}");
        assert!(
            run.err.contains(&format!("; /ipfs/{good} is kept")),
            "{run:?}"
        );
        assert_eq!(setting.held(), good, "{forgery}");
        assert_eq!(setting.pins().len(), 1, "{forgery}");
    }
    // Nothing of that is in the way of a good one.
    let newest = setting.publish(&tree_of(&all));
    setting.follow("--unsigned").silently();
    is_held_alone(&setting, &newest);
}

fn narinfos_must_be_signed_by_a_key_that_is_believed(node: &TestNode) {
    let setting = Setting::new(node);
    let key = fixture("signing-key.pub");
    let believing = format!("--trusted-keys {}", key.display());
    let signed = setting.publish(&tree_of_fixtures(&[HELLO]));
    let run = setting.follow("").exits(1);
    run.says("is signed by the key #")
        .says("--trusted-keys FILE");
    assert_eq!(setting.pins(), [""; 0]);
    setting.follow(&believing).silently();
    is_held_alone(&setting, &signed);
    // Believed or not, one new item without a signature is one too many.
    let mut tree = tree_of_fixtures(&[HELLO]);
    tree.extend(item(1, "x", 100).files);
    let unsigned = setting.publish(&tree);
    for options in ["", &believing] {
        setting
            .follow(options)
            .exits(1)
            .says("its narinfo is not signed")
            .says("--unsigned");
        assert_eq!(setting.held(), signed);
    }
    setting.follow("--unsigned").silently();
    assert_eq!(setting.held(), unsigned);
    // A signature of another narinfo.
    let mut tree = tree_of_fixtures(&[HELLO]);
    let narinfo = tree.get_mut(&format!("{HELLO}.narinfo")).unwrap();
    let text = String::from_utf8(narinfo.clone()).unwrap();
    *narinfo = text.replacen("NarSize: ", "NarSize: 1", 1).into_bytes();
    setting.publish(&tree);
    let run = setting.follow(&believing).exits(1);
    run.says("was changed after the key");
}

fn a_nar_that_lies_about_its_size_is_not_held(node: &TestNode) {
    let setting = Setting::new(node);
    let large = item(1, "x", 1 << 20);
    let directory = |entries: &[(&str, Entry)]| {
        let entries = entries
            .iter()
            .map(|(name, entry)| ((*name).to_owned(), *entry));
        let entries = entries.collect();
        let (block, entry) = PlainDirectory { entries }.encode(CidVersion::V0);
        node.node().put_block(&entry.cid, &block).unwrap();
        entry
    };
    let narinfo = format!("{}.narinfo", large.hash);
    let nar = large.nar();
    let name = nar.rsplit('/').next().unwrap();
    for (liar, reason) in [
        (name, "that its directory lists"),
        (&*narinfo, "but its directory lists 9"),
    ] {
        let file = |path: &str, content: &[u8]| Entry {
            cid: node.add(content),
            size: match path.ends_with(liar) {
                true => 9,
                false => content.len() as u64 + 500,
            },
        };
        let gzip = directory(&[(name, file(&nar, &large.files[&nar]))]);
        let nar = directory(&[("gzip", gzip)]);
        let root = directory(&[
            (&narinfo, file(&narinfo, &large.files[&narinfo])),
            ("nar", nar),
        ]);
        node.publish("theirs", &root.cid.to_string());
        // All of it would be within the limit, if it were true.
        let most = if liar == name { "10K" } else { "2M" };
        let run = setting.follow(&format!("--unsigned --max-size {most}"));
        run.exits(1).says(reason);
        assert_eq!(setting.pins(), [""; 0]);
    }
}

fn a_root_that_lost_many_items_needs_a_persons_word(node: &TestNode) {
    let setting = Setting::new(node);
    let all = items(0..9);
    let whole = setting.publish(&tree_of(&all));
    setting.follow("--unsigned").silently();
    let half = setting.publish(&tree_of(&all[5..]));
    let run = setting.follow("--unsigned").exits(1);
    run.says("5 of 9 items are gone").says("--accept-loss");
    is_held_alone(&setting, &whole);
    // As many new ones do not make up for it.
    let others = items(20..30);
    setting.publish(&tree_of(&others));
    setting
        .follow("--unsigned")
        .exits(1)
        .says("9 of 9 items are gone");
    node.publish("theirs", &half);
    node.store_tree(&tree_of(&all[5..]), CidVersion::V0);
    setting.follow("--unsigned --accept-loss").silently();
    is_held_alone(&setting, &half);
    // A few at a time need nobody.
    let fewer = setting.publish(&tree_of(&all[7..]));
    setting.follow("--unsigned").silently();
    is_held_alone(&setting, &fewer);
}

fn a_root_that_is_too_large_is_not_held(node: &TestNode) {
    let setting = Setting::new(node);
    let small = items(0..3);
    let first = setting.publish(&tree_of(&small));
    let refused = setting.follow("--unsigned --max-size 2K").exits(1);
    refused.says("more than --max-size allows (2048)");
    setting.follow("--unsigned --max-size 1M").silently();
    let mut larger = tree_of(&small);
    larger.extend(item(4, "x", 2 << 20).files);
    let second = setting.publish(&larger);
    let follow = |limit: &str| {
        let mut command = setting.follower.command("follow --unsigned");
        run(command.env("GUIX_IPFS_FOLLOW_MAX_SIZE", limit))
    };
    follow("1M").exits(1).says("--max-size");
    is_held_alone(&setting, &first);
    node.store_tree(&larger, CidVersion::V0);
    follow("3M").silently();
    is_held_alone(&setting, &second);
}

fn a_sharded_mirror_is_followed_by_what_differs(node: &TestNode) {
    let proxy = Proxy::new(&node.api);
    let mut setting = Setting::new(node);
    setting.follower = setting.follower.with_api(&proxy.url);
    let all: Vec<Item> = (0..4000).map(|number| item(number, "x", 100)).collect();
    // Plain, then sharded, and back.
    for (count, plain) in [(3000, true), (3998, false), (4000, false), (3001, true)] {
        let root = setting.publish(&tree_of(&all[..count]));
        proxy.calls();
        setting.follow("--unsigned").silently();
        let calls = proxy.calls().len();
        if count == 4000 {
            assert!(calls < 60, "two more items took {calls} calls");
        }
        assert_eq!(setting.held(), root, "{count} {plain}");
    }
    let run = setting.follow("--unsigned --json").exits(0);
    let summary: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(summary["names"][0]["items"], 3001);
}

fn names_share_no_pins(node: &TestNode) {
    let setting = Setting::new(node);
    let all = items(0..4);
    let root = setting.publish(&tree_of(&all[..2]));
    // A person has pinned the same root under a name of theirs.
    node.unpin_nameless();
    node.ipfs("pin add --name=mine", &[&format!("/ipfs/{root}")]);
    let other = node.create_key("others");
    node.publish("others", &root);
    let both = format!("follow --unsigned {} /ipns/{other}", setting.name);
    setting.follower.run(&both).silently();
    let pins = node.pins();
    assert_eq!(pins[&root], "mine");
    for name in [&setting.name, &other] {
        assert_eq!(
            node.pins_named(&format!("guix-ipfs/follow/{name}")).len(),
            1
        );
    }
    // One goes on, and the other stays where it was.
    let new = setting.publish(&tree_of(&all));
    node.unpin_nameless();
    setting.follower.run("follow --unsigned").silently();
    assert_eq!(setting.held(), new);
    setting
        .follower
        .run(&format!("follow --stop {}", setting.name))
        .silently();
    node.ipfs("pin rm", &[&format!("/ipfs/{root}")]);
    node.collect_garbage();
    node.published(&root).judge();
    assert!(node.raw_block(&new).is_none());
    assert_eq!(setting.pins(), [""; 0]);
}

fn what_cannot_be_had_now_is_tried_again_later(node: &TestNode) {
    let setting = Setting::new(node);
    let all = items(0..6);
    // A name that nobody has published.
    let unknown = node.create_key("unknown");
    let run = setting
        .follower
        .run(&format!("follow --unsigned {unknown}"));
    run.exits(75).says("does not resolve now");
    let run = setting
        .follower
        .run(&format!("follow --unsigned {unknown}"));
    assert_eq!(run.exits(75).err, "");
    let old = setting.publish(&tree_of(&all[..4]));
    setting.follow("--unsigned").silently();
    // Blocks of each kind: a directory, a narinfo, a nar.
    let new = setting.publish(&tree_of(&all));
    node.unpin_nameless();
    let narinfo = format!("{}.narinfo", all[5].hash);
    for path in ["nar/gzip", narinfo.as_str(), all[5].nar().as_str()] {
        let block = node.cid_at(&new, path);
        let content = node.raw_block(&block.to_string()).unwrap();
        node.lose(&block);
        let run = setting.follow("--unsigned -v").exits(75);
        run.says("cannot be fetched completely now")
            .says(&format!("; /ipfs/{old} is kept"));
        // A job says it once a day.
        let told = setting.follow("--unsigned").exits(75).err;
        assert_eq!(told.is_empty(), path != "nar/gzip", "{told}");
        assert_eq!(setting.held(), old, "{path}");
        assert_eq!(setting.pins().len(), 1, "{path}");
        node.node().put_block(&block, &content).unwrap();
    }
    setting.follow("--unsigned").silently();
    is_held_alone(&setting, &new);
}

fn killed_at_any_call_it_continues(node: &TestNode) {
    let proxy = Proxy::new(&node.api);
    let mut setting = Setting::new(node);
    setting.follower = setting.follower.with_api(&proxy.url);
    let all = items(0..5);
    let old = root_of(&tree_of(&all[..3]), CidVersion::V0);
    let new = root_of(&tree_of(&all), CidVersion::V0);
    let mut calls = [0, 0];
    let begin = |is_first: bool| {
        if setting.pins() != [""; 0] {
            setting
                .follower
                .run(&format!("follow --stop {}", setting.name))
                .silently();
        }
        if !is_first {
            setting.publish(&tree_of(&all[..3]));
            setting.follow("--unsigned").silently();
        }
        setting.publish(&tree_of(&all));
        proxy.calls();
    };
    for (at, is_first) in [true, false].into_iter().enumerate() {
        begin(is_first);
        setting.follow("--unsigned").silently();
        calls[at] = proxy.calls().len();
        for n in 1..=calls[at] {
            begin(is_first);
            let follow = format!("follow {} --unsigned", setting.name);
            let mut command = setting.follower.command(&follow);
            let follow = command.stderr(Stdio::null()).spawn().unwrap();
            kill_at_call(follow, &proxy, n);
            // The old one or the new one is held, whole.
            let held: Vec<String> = setting.pins();
            assert!(is_first || !held.is_empty(), "nothing is held, call {n}");
            if !held.is_empty() {
                let root = setting.held();
                assert!(root == new || !is_first && root == old, "{root}, call {n}");
                node.published(&root).judge();
            }
            setting.follow("--unsigned").silently();
            assert_eq!(setting.held(), new);
            assert_eq!(setting.pins().len(), 1, "call {n}");
        }
    }
    is_held_alone(&setting, &new);
}

fn a_second_run_for_one_name_ends_silently(node: &TestNode) {
    let proxy = Proxy::new(&node.api);
    let mut setting = Setting::new(node);
    setting.publish(&tree_of(&items(0..3)));
    let other = node.create_key("others");
    let root = node.store_tree(&tree_of(&items(3..5)), CidVersion::V0);
    node.publish("others", &root);
    let late = Duration::from_millis(1500);
    proxy.spoil("pin/add", 0, Spoil::Late(late));
    let command = format!("--api {} follow --unsigned {}", proxy.url, setting.name);
    let mut slow = setting.follower.command(&command).spawn().unwrap();
    while !proxy.calls().contains(&"pin/add".to_owned()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let run = setting.follow("--unsigned").exits(75);
    assert_eq!((run.out.as_str(), run.err.as_str()), ("", ""));
    // Another name is another matter.
    setting
        .follower
        .run(&format!("follow --unsigned {other}"))
        .silently();
    assert!(slow.wait().unwrap().success());
    setting.follow("--unsigned").silently();
    setting.name = other;
    assert_eq!(setting.held(), root);
}

fn names_are_listed_and_no_longer_followed(node: &TestNode) {
    let setting = Setting::new(node);
    let run = setting.follower.run("follow --list").exits(0);
    assert_eq!(run.out, "");
    setting.follower.run("follow").silently();
    let stop = format!("follow --stop {}", setting.name);
    let run = setting.follower.run(&stop).exits(1);
    run.says("is not followed on this node");
    let root = setting.publish(&tree_of(&items(0..3)));
    setting.follow("--unsigned").silently();
    let run = setting.follower.run("follow --list").exits(0);
    assert_eq!(run.out, format!("{} /ipfs/{root}\n", setting.name));
    let run = setting.follower.run("follow --list --json").exits(0);
    let listed: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(listed["names"][0]["name"], setting.name);
    assert_eq!(listed["names"][0]["root"], root);
    assert_eq!(listed["names"][0]["items"], 3);
    // The name need not resolve any more.
    node.unpin_nameless();
    node.ipfs("key rm", &["theirs"]);
    setting.follower.run(&format!("{stop} --gc")).silently();
    assert_eq!(setting.pins(), [""; 0]);
    assert!(node.raw_block(&root).is_none());
    setting.follower.run("follow --stop").exits(2);
    let run = setting
        .follower
        .run(&format!("follow /ipfs/{root}"))
        .exits(2);
    run.says("only a name can be followed");
}

fn a_name_that_is_followed_is_told_by_resolve(node: &TestNode) {
    let setting = Setting::new(node);
    let all = items(0..4);
    setting.publish(&tree_of(&all[..3]));
    let long = format!("resolve --long {}", setting.name);
    let run = setting.follower.run(&long).exits(0);
    assert!(!run.out.contains("followed"), "{run:?}");
    setting.follow("--unsigned").silently();
    let line = |run: &Run| {
        let mut lines = run.out.lines();
        let line = lines.find(|line| line.starts_with("followed"));
        line.unwrap_or_default().to_owned()
    };
    let followed = line(&setting.follower.run(&long).exits(0));
    assert!(
        followed.contains("this root is held, since 20"),
        "{followed}"
    );
    assert!(followed.contains("3 items"), "{followed}");
    setting.publish(&tree_of(&all));
    let followed = line(&setting.follower.run(&long).exits(0));
    assert!(followed.contains("is held, not this root"), "{followed}");
    let run = setting.follower.run(&format!("{long} --json")).exits(0);
    let summary: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(summary["followed"]["items"], 3);
}

fn of_several_names_each_has_its_result(node: &TestNode) {
    let setting = Setting::new(node);
    let good = setting.publish(&tree_of(&items(0..3)));
    let bad = node.create_key("bad");
    let mut website = Files::new();
    website.insert("index.html".to_owned(), b"<html>".to_vec());
    let root = node.store_tree(&website, CidVersion::V0);
    node.publish("bad", &root);
    let absent = node.create_key("absent");
    let follow = |names: &[&str]| {
        let command = format!("follow --unsigned --json {}", names.join(" "));
        setting.follower.run(&command)
    };
    let run = follow(&[&bad, &absent, &setting.name]).exits(3);
    let summary: Value = serde_json::from_str(&run.out).unwrap();
    let names = &summary["names"];
    assert_eq!(names[0]["exit"], 1);
    assert!(names[0]["error"].as_str().unwrap().contains("not a mirror"));
    assert_eq!(names[1]["exit"], 75);
    assert_eq!(names[2]["root"], good);
    assert_eq!(names[2].get("error"), None);
    follow(&[&absent, &setting.name]).exits(75);
    follow(&[&bad]).exits(1);
    follow(&[&setting.name]).exits(0);
}

fn what_a_lost_pin_held_is_held_again(node: &TestNode) {
    let setting = Setting::new(node);
    let all = items(0..5);
    setting.publish(&tree_of(&all[..3]));
    setting.follow("--unsigned").silently();
    // The directory that is pinned, or a block below the root that it holds.
    for at in [3, 4] {
        let pin = setting.pins()[0].clone();
        let root = setting.held();
        let new = setting.publish(&tree_of(&all[..at + 1]));
        let lost: Cid = match at {
            3 => pin.parse().unwrap(),
            _ => node.cid_at(&root, "nar/gzip"),
        };
        node.lose(&lost);
        setting.follow("--unsigned").silently();
        assert_eq!(setting.held(), new);
        assert_eq!(setting.pins().len(), 1);
        node.published(&new).judge();
    }
}

#[test]
fn a_store_without_a_network_follows_nobody() {
    let node = TestNode::local();
    let mirror = Mirror::new(&node, &Upstream::empty());
    let name = node.create_key("theirs");
    let run = mirror.run(&format!("follow {name}")).exits(1);
    run.says("this node has no network");
    let run = mirror.run("follow nonsense").exits(2);
    run.says("is neither an IPNS name nor a key");
}
