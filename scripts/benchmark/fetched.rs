//! The bytes that move between two Kubos when a user fetches what changed.

use crate::beside::kubo;
use crate::blocks;
use crate::delta::{ENCODINGS, sync};
use crate::farm::Farm;
use crate::support::{Mirror, Network, TestNode};
use crate::year::{Cause, Item, Year};
use std::collections::{HashMap, HashSet};

/// Packages that are rebuilt.
const REBUILT: usize = 20;

/// A step of the user, in both encodings.
pub struct Step {
    pub name: &'static str,
    /// Bytes that bitswap received, narinfos and directories among them.
    pub moved: [u64; 2],
    /// Bytes of the blocks of nars that the user had not.
    pub computed: [u64; 2],
}

pub struct Fetched {
    pub steps: Vec<Step>,
    /// The packages.
    pub names: String,
}

/// `None` without a Kubo.
pub fn run(year: &Year, farm: &Farm) -> Option<Fetched> {
    kubo()?;
    let rebuilds = largest(chains(year, Cause::Rebuild), REBUILT);
    let updates = chains(year, Cause::Update);
    let olds = rebuilds.iter().chain(&updates).map(|pair| pair.0);
    let steps: [(&'static str, Vec<&Item>); 3] = [
        ("first fetch", olds.collect()),
        ("rebuilds", rebuilds.iter().map(|pair| pair.1).collect()),
        ("updates", updates.iter().map(|pair| pair.1).collect()),
    ];
    let of = |pairs: &[(&Item, &Item)]| {
        let names = pairs.iter().map(|(_, new)| new.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let mut names = format!("rebuilt are {}", of(&rebuilds));
    if !updates.is_empty() {
        names += &format!("; in another version {}", of(&updates));
    }
    let [upstream, delta] = ENCODINGS.map(|encoding| walk(farm, &steps, encoding));
    let both = steps.iter().zip(upstream.into_iter().zip(delta));
    Some(Fetched {
        steps: both
            .filter(|((_, items), _)| !items.is_empty())
            .map(|((name, _), (upstream, delta))| Step {
                name,
                moved: [upstream.0, delta.0],
                computed: [upstream.1, delta.1],
            })
            .collect(),
        names,
    })
}

/// The items that came for a cause, each after the one that it replaces; a package once.
fn chains(year: &Year, cause: Cause) -> Vec<(&Item, &Item)> {
    let mut pairs = Vec::new();
    let packages = year.generations[0].len();
    for package in 0..packages {
        let line = year.generations.iter().map(|it| &year.items[it[package]]);
        let line: Vec<&Item> = line.collect();
        let pair = line.windows(2).find(|pair| {
            let is_new = pair[0].hash != pair[1].hash;
            is_new && pair[1].cause == cause && pair[0].read() != pair[1].read()
        });
        pairs.extend(pair.map(|pair| (pair[0], pair[1])));
    }
    pairs
}

fn largest<'i>(mut pairs: Vec<(&'i Item, &'i Item)>, count: usize) -> Vec<(&'i Item, &'i Item)> {
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.1.bytes));
    pairs.truncate(count);
    pairs
}

/// The bytes of each step: those that moved, and those of blocks that are new.
fn walk(farm: &Farm, steps: &[(&str, Vec<&Item>)], encoding: &str) -> Vec<(u64, u64)> {
    let network = Network::start(2);
    let (publisher, user) = (&network[0], &network[1]);
    let mirror = Mirror::new(publisher, &farm.upstream).online();
    let mut held = HashSet::new();
    let bytes = steps.iter().map(|(_, items)| {
        sync(&mirror, items.iter().copied(), encoding);
        let root = mirror.root();
        let nars: HashMap<_, _> = blocks::of_nars(publisher, &root);
        let mut new = 0;
        for (name, size) in items.iter().flat_map(|item| &nars[&item.hash]) {
            if held.insert(name.clone()) {
                new += size;
            }
        }
        let before = received(user);
        items.iter().for_each(|item| fetch(user, &root, item));
        (received(user) - before, new)
    });
    bytes.collect()
}

/// An item as a client takes it from its own gateway.
fn fetch(user: &TestNode, root: &str, item: &Item) {
    let narinfo = user.get(&format!("/ipfs/{root}/{}.narinfo", item.hash));
    let narinfo = narinfo.text();
    let url = narinfo.lines().find_map(|line| line.strip_prefix("URL: "));
    let nar = user.get(&format!("/ipfs/{root}/{}", url.unwrap()));
    let nar = zstd::stream::decode_all(&nar.body[..]).unwrap();
    assert!(nar == item.read(), "{}", item.name);
}

fn received(node: &TestNode) -> u64 {
    node.json("bitswap/stat")["DataReceived"].as_u64().unwrap()
}
