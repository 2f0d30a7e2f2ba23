//! A move that is killed in the middle, and gone on with.

use crate::killed::kill_at_call;
use crate::support::{Item, Mirror, Proxy, TestNode, Upstream, item, root_of, tree_of};
use guix_ipfs::ipfs::cid::CidVersion;
use guix_ipfs::node::Node;
use guix_ipfs::node::local::LocalNode;
use std::process::{Child, Stdio};
use std::time::Instant;

on_both_nodes!(killed_at_any_moment_a_move_is_continued);

on_kubo_alone!(
    killed_at_any_call_to_the_new_node_a_move_is_continued,
    killed_at_any_call_to_the_old_node_a_move_is_continued,
);

/// A mirror that is to be moved from one node to another.
struct Setting<'t> {
    origin: &'t TestNode,
    target: &'t TestNode,
    mirror: Mirror,
    items: Vec<Item>,
    upstream: Upstream,
}

impl<'t> Setting<'t> {
    fn new(origin: &'t TestNode, target: &'t TestNode) -> Self {
        let upstream = Upstream::empty();
        let size = |number| if number == 3 { 600_000 } else { 300 };
        let items: Vec<_> = (0..4).map(|it| item(it, "item", size(it))).collect();
        upstream.add_items(&items);
        Self {
            origin,
            target,
            mirror: Mirror::new(origin, &upstream),
            items,
            upstream,
        }
    }

    /// Publishes a mirror under a key that the test has in a file.
    fn publish(&self, key: &str) {
        let elsewhere = tempfile::tempdir().unwrap();
        let elsewhere = LocalNode::open(elsewhere.path()).unwrap();
        let made = elsewhere.create_key(key).unwrap();
        let private = elsewhere.export_key(&made).unwrap().unwrap();
        self.origin.node().import_key(key, &private).unwrap();
        std::fs::write(self.mirror.home().join(key), private.to_protobuf()).unwrap();
        self.mirror.run(&format!("init --key {key}")).silently();
        let hashes: Vec<&str> = self.items.iter().map(|item| &*item.hash).collect();
        let add = format!("add --key {key} {}", hashes.join(" "));
        self.mirror.run(&add).silently();
    }

    /// The arguments of the move, from and to these addresses.
    fn arguments(&self, from: &str, to: &str, key: &str) -> String {
        let file = self.mirror.home().join(key);
        let file = file.display();
        format!("--api {from} move --to {to} --key {key} --key-file {file}")
    }

    fn start(&self, arguments: &str) -> Child {
        let mut command = self.mirror.command(arguments);
        command.stderr(Stdio::null()).spawn().unwrap()
    }

    /// Judges what a kill left, goes on, and judges again.
    fn continues(&self, key: &str) {
        let whole = root_of(&tree_of(&self.items), CidVersion::V0);
        let (origin, target) = (self.origin, self.target);
        let (here, there) = (&origin.api, &target.api);
        target.collect_garbage();
        origin.collect_garbage();
        let id = origin.key_id(key).unwrap();
        assert_eq!(
            origin.node().resolve(&id).unwrap(),
            Some(format!("/ipfs/{whole}"))
        );
        let preview = format!(
            "--api {here} add --dry-run --key {key} {}",
            self.items[0].hash
        );
        let preview = self.mirror.run(&preview);
        let has_left = preview.code == Some(1) && preview.err.contains("moved to");
        assert!(has_left || preview.code == Some(0), "{preview:?}");
        if target.key_id(key).is_some() {
            assert!(has_left, "both nodes may publish");
            if let Some(path) = target.node().resolve(&id).unwrap() {
                target.published(&path["/ipfs/".len()..]).judge();
            }
        }
        let again = self.arguments(here, there, key);
        self.mirror.run(&again).exits(0);
        let resolved = self
            .mirror
            .run(&format!("--api {there} resolve --key {key}"));
        assert_eq!(resolved.exits(0).out.trim(), format!("/ipfs/{whole}"));
        target.collect_garbage();
        target.published(&whole).judge();
        origin.published(&whole).judge();
        let journal = format!("guix-ipfs/{id}");
        for node in [origin, target] {
            let mut pins: Vec<String> = node.pins().into_values().collect();
            pins.retain(|name| name.is_empty() || name.contains(&id));
            assert_eq!(pins, [&*journal]);
        }
        let again = self.mirror.run(&format!("{again} -v")).exits(0);
        again.says("nothing to do");
        let add = format!("--api {here} add --key {key} {}", self.items[0].hash);
        self.mirror.run(&add).exits(1).says("was moved to");
        self.mirror.run(&add.replace(here, there)).exits(0);
        // The next one finds nothing there.
        target.unpin_named("");
        target.collect_garbage();
        self.upstream.asked();
    }
}

fn killed_at_any_moment_a_move_is_continued(node: &TestNode) {
    let origin = TestNode::local();
    let setting = Setting::new(&origin, node);
    setting.publish("whole");
    let begun = Instant::now();
    let mut moving = setting.start(&setting.arguments(&origin.api, &node.api, "whole"));
    moving.wait().unwrap();
    let time = begun.elapsed();
    setting.continues("whole");
    for kill in 1..=12 {
        let key = format!("killed-{kill}");
        setting.publish(&key);
        let mut moving = setting.start(&setting.arguments(&origin.api, &node.api, &key));
        std::thread::sleep(time * kill / 13);
        moving.kill().unwrap();
        moving.wait().unwrap();
        setting.continues(&key);
    }
}

fn killed_at_any_call_to_the_new_node_a_move_is_continued(node: &TestNode) {
    let origin = TestNode::local();
    let setting = Setting::new(&origin, node);
    let proxy = Proxy::new(&node.api);
    killed_at_any_call(&setting, &proxy, &origin.api, &proxy.url);
}

fn killed_at_any_call_to_the_old_node_a_move_is_continued(node: &TestNode) {
    let target = TestNode::local();
    let setting = Setting::new(node, &target);
    let proxy = Proxy::new(&node.api);
    killed_at_any_call(&setting, &proxy, &proxy.url, &target.api);
}

/// Kills a move when the node behind the proxy has seen its n-th call, for every n, each
/// of a mirror of its own.
fn killed_at_any_call(setting: &Setting, proxy: &Proxy, from: &str, to: &str) {
    setting.publish("whole");
    let mut moving = setting.start(&setting.arguments(from, to, "whole"));
    assert!(moving.wait().unwrap().success());
    let calls = proxy.calls().len();
    setting.continues("whole");
    assert!(calls > 10, "only {calls} calls");
    for n in 1..=calls {
        let key = format!("killed-{n}");
        setting.publish(&key);
        proxy.calls();
        let moving = setting.start(&setting.arguments(from, to, &key));
        kill_at_call(moving, proxy, n);
        setting.continues(&key);
    }
}
