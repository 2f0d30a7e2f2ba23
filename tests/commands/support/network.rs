//! A network of its own: online Kubos on loopback that know each other and
//! nobody else.

use super::kubo::{Kubo, Setup};
use super::{Answer, TestNode};
use serde_json::Value;
use std::ops::Index;
use std::time::{Duration, Instant};

/// The longest time in which the nodes find each other.
const MEET: Duration = Duration::from_secs(60);

/// Some nodes, each connected to all others.
pub struct Network {
    nodes: Vec<TestNode>,
}

impl Network {
    /// A network of so many nodes.
    pub fn start(size: usize) -> Self {
        let kubos: Vec<Kubo> = (0..size).map(|_| Kubo::spawn(online())).collect();
        kubos.iter().for_each(Kubo::wait);
        let network = Self {
            nodes: kubos.into_iter().map(TestNode::of_kubo).collect(),
        };
        network.connect();
        network
    }

    /// Ends a node as a crash would, and starts it anew over what it has.
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].daemon_mut().restart();
        self.connect();
    }

    /// Ends a node for good.
    pub fn stop(&mut self, node: usize) {
        self.nodes[node].daemon_mut().kill();
    }

    /// Puts a new node in the place of one whose repository is lost: it has
    /// nothing but the key in this file of `ipfs key export`, so that its
    /// sequence numbers start at 0. It is not connected yet.
    pub fn rebuild(&mut self, node: usize, name: &str, key: &[u8]) {
        let new = Kubo::start(online());
        self.nodes[node] = TestNode::of_kubo(new);
        self.nodes[node].import_key(name, key);
    }

    /// Connects each node with all others and waits until they route for each
    /// other.
    pub fn connect(&self) {
        for (node, other) in self.pairs() {
            node.ipfs("swarm connect", &[&other.address()]);
        }
        let start = Instant::now();
        for (node, other) in self.pairs() {
            let id = other.peer_id();
            while !node.ipfs("stats dht lan", &[]).contains(&id) {
                assert!(start.elapsed() < MEET, "the nodes do not find each other");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (&TestNode, &TestNode)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.flat_map(|(at, node)| {
            let others = self.nodes.iter().enumerate();
            others
                .filter(move |(other, _)| *other != at)
                .map(move |(_, other)| (node, other))
        })
    }
}

impl Index<usize> for Network {
    type Output = TestNode;

    fn index(&self, node: usize) -> &TestNode {
        &self.nodes[node]
    }
}

fn online() -> Setup<'static> {
    Setup {
        online: true,
        ..Setup::default()
    }
}

impl TestNode {
    /// The address at which it listens for other nodes.
    fn swarm(&self) -> String {
        let addresses = self.json("config?arg=Addresses.Swarm");
        addresses["Value"][0].as_str().unwrap().to_owned()
    }

    /// The same with its peer ID, as others connect to it.
    pub fn address(&self) -> String {
        format!("{}/p2p/{}", self.swarm(), self.peer_id())
    }

    /// Its peer ID.
    pub fn peer_id(&self) -> String {
        self.json("id")["ID"].as_str().unwrap().to_owned()
    }

    /// The file of a key, as `ipfs key export` writes it.
    pub fn export_key(&self, name: &str) -> Vec<u8> {
        let file = self.daemon().repo().join("exported");
        self.ipfs("key export -o", &[file.to_str().unwrap(), name]);
        std::fs::read(file).unwrap()
    }

    /// Takes over a key.
    pub fn import_key(&self, name: &str, key: &[u8]) {
        let answer = self.upload(&format!("key/import?arg={name}"), key);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Asks the network what a name points to.
    pub fn resolves(&self, name: &str) -> Answer {
        self.rpc(&format!(
            "name/resolve?arg=/ipns/{name}&nocache=true&dht-timeout=20s"
        ))
    }

    /// The number of the record that it finds for a name.
    pub fn record_number(&self, name: &str) -> u64 {
        let record = self.rpc(&format!("name/get?arg=/ipns/{name}"));
        let inspected = self.upload("name/inspect", &record.body);
        let inspected: Value = serde_json::from_slice(&inspected.body).unwrap();
        inspected["Entry"]["Sequence"].as_u64().unwrap()
    }
}
