//! (a) and (d): 30 new items, two files each, beside mirrors of every size.

use crate::answer::{Answer, Target};
use crate::floor::Floor;
use crate::measure::{self, Cost, median, time};
use crate::mirror_of::{self, Narinfos};
use crate::plot::{Plot, Series};
use crate::support::{Item, Mirror, Proxy, TestNode, Upstream, item, tree_of, write_tree};
use crate::table::{Table, mebibytes, ratio, seconds};
use std::cell::Cell;

const SIZES: [u64; 5] = [1000, 10_000, 50_000, 100_000, 1_000_000];
const NEW_ITEMS: u64 = 30;
const RUNS: u64 = 5;
/// Bytes of a new nar, where nothing else is said.
const NAR_BYTES: usize = 2000;
/// The largest mirror that the prototype's recipe is tried on: it takes minutes.
const MOST_FOR_RECIPE: u64 = 50_000;
/// The largest whose directories are plain, as the shell loop needs.
const MOST_FOR_LINKS: u64 = 1000;

/// A kind of node and the way to start one; none where there is no Kubo.
pub type Start = (&'static str, fn() -> Option<TestNode>);

pub const NODES: [Start; 2] = [
    ("the local store", || Some(TestNode::local())),
    ("Kubo", kubo),
];

/// A Kubo, where `scripts/bench` has one.
pub fn kubo() -> Option<TestNode> {
    std::env::var_os("GUIX_IPFS_TEST_KUBO").map(|_| TestNode::kubo())
}

/// Beside mirrors of up to `largest` items.
pub fn run(largest: u64) -> Answer {
    let mut plot = Plot::new("30 new items beside M others", "M, items", "seconds");
    let mut tables = Vec::new();
    let mut targets = Vec::new();
    for (name, start) in NODES {
        if start().is_some() {
            tables.extend(on(name, start, largest, &mut plot, &mut targets));
        }
    }
    Answer {
        name: "beside",
        tables,
        plot: plot.svg(),
        targets,
    }
}

fn on(
    name: &str,
    start: fn() -> Option<TestNode>,
    largest: u64,
    plot: &mut Plot,
    targets: &mut Vec<Target>,
) -> [Table; 2] {
    let mut times = Table::new(
        &format!("30 new items beside M others, on {name}"),
        &[
            "M",
            "car",
            "× M = 1,000",
            "floor",
            "car / floor",
            "add-link",
            "`ipfs add -r`",
            "× car",
            "shell loop",
            "× car",
        ],
    );
    let mut costs = Table::new(
        &format!("What 30 new items cost, on {name}"),
        &[
            "M",
            "stored / new, 2 KB nars",
            "200 KB nars",
            "peak memory",
            "RPC calls",
            "with nothing new",
            "of these lookups",
        ],
    );
    let mut lines = ["car", "floor", "add-link", "ipfs add -r", "shell loop"]
        .map(|way| Series::new(&format!("{way}, {name}")));
    let mut first = None;
    for size in SIZES {
        if size > largest {
            break;
        }
        let Some(node) = start() else { break };
        let bench = Bench::new(&node, size);
        let car = bench.median("car");
        let link = (size <= MOST_FOR_LINKS).then(|| bench.median("add-link"));
        let floor = node.is_kubo().then(|| bench.floor());
        let recipe = (node.is_kubo() && size <= MOST_FOR_RECIPE).then(|| recipe(&node, size));
        let looped = (node.is_kubo() && size <= MOST_FOR_LINKS).then(|| bench.shell_loop());
        let base = *first.get_or_insert(car);
        let show = |time: Option<f64>| time.map_or("–".to_owned(), seconds);
        let times_car = |time: Option<f64>| time.map_or("–".to_owned(), |time| ratio(time, car));
        if let Some(floor) = floor {
            let figure = format!("(a) 30 items beside {}", grouped(size));
            let mut target = |against: &str, measured, limit| {
                let figure = format!("{figure} / {against}");
                targets.push(Target::at_most(figure, measured, limit, ""));
            };
            if size == SIZES[4] {
                target("beside 1,000", car / base, 1.8);
                target("its floor", car / floor, 1.5);
            }
            if let (MOST_FOR_RECIPE, Some(recipe)) = (size, recipe) {
                let size = grouped(size);
                let figure = format!("(a) the prototype's recipe / 30 items, beside {size}");
                targets.push(Target::at_least(figure, recipe / car, 300.0, " ×"));
            }
        }
        times.row(&[
            grouped(size),
            seconds(car),
            ratio(car, base),
            show(floor),
            floor.map_or("–".to_owned(), |floor| ratio(car, floor)),
            show(link),
            show(recipe),
            times_car(recipe),
            show(looped),
            times_car(looped),
        ]);
        for (line, time) in lines
            .iter_mut()
            .zip([Some(car), floor, link, recipe, looped])
        {
            line.push(size, time);
        }
        costs.row(&bench.costs());
    }
    plot.lines.extend(lines);
    times.notes.push(format!(
        "Median of {RUNS} whole commands. The floor is one dag/import of the blocks that are \
         new, one pin/update and one name/publish. The prototype's recipe (`ipfs add -r` of all files and \
         `name publish`, median of 3) and the shell loop of its README (`ipfs add` and \
         `ipfs object patch add-link` for each file, once) are tried as far as they go: the loop \
         ends where directories are sharded."
    ));
    [times, costs]
}

/// A node with a mirror of so many items.
struct Bench<'n> {
    node: &'n TestNode,
    size: u64,
    upstream: Upstream,
    mirror: Mirror,
    next: Cell<u64>,
}

impl<'n> Bench<'n> {
    fn new(node: &'n TestNode, size: u64) -> Self {
        let upstream = Upstream::empty();
        let mirror = mirror_of::publish(node, &upstream, size, Narinfos::Shared);
        Self {
            node,
            size,
            upstream,
            mirror,
            next: Cell::new(1 << 40),
        }
    }

    /// 30 items that nobody has seen.
    fn items(&self, nar_bytes: usize) -> Vec<Item> {
        let first = self.next.replace(self.next.get() + NEW_ITEMS);
        let items = (first..first + NEW_ITEMS).map(|number| item(number, "new", nar_bytes));
        let items: Vec<Item> = items.collect();
        self.upstream.add_items(&items);
        items
    }

    fn add(&self, items: &[Item], options: &str) -> Cost {
        let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
        measure::run(
            &mut self
                .mirror
                .command(&format!("add {} {options}", hashes.join(" "))),
        )
    }

    fn median(&self, graft: &str) -> f64 {
        let options = format!("--graft {graft}");
        let times = (0..RUNS).map(|_| self.add(&self.items(NAR_BYTES), &options).seconds);
        median(times.collect())
    }

    /// The time that a Kubo takes for such blocks alone.
    fn floor(&self) -> f64 {
        let floor = Floor::new(self.node, &self.mirror);
        let times = (0..RUNS).map(|_| floor.seconds(&self.items(NAR_BYTES)));
        median(times.collect())
    }

    /// The loop of the prototype's README, without publishing.
    fn shell_loop(&self) -> f64 {
        let folder = tempfile::tempdir().unwrap();
        let items = self.items(NAR_BYTES);
        time(|| {
            let mut root = self.mirror.root();
            for (path, content) in items.iter().flat_map(|item| &item.files) {
                let file = folder.path().join("file");
                std::fs::write(&file, content).unwrap();
                let cid = self.node.ipfs("add -Q", &[file.to_str().unwrap()]);
                let link = "object patch add-link --allow-big-block";
                root = self
                    .node
                    .ipfs(link, &[&root, path, cid.trim()])
                    .trim()
                    .to_owned();
            }
        })
    }

    fn costs(&self) -> Vec<String> {
        let [small, large] = [NAR_BYTES, 100 * NAR_BYTES].map(|bytes| {
            let items = self.items(bytes);
            let files = items.iter().flat_map(|item| item.files.values());
            let new: usize = files.map(Vec::len).sum();
            let before = self.stored();
            self.add(&items, "--graft car");
            (self.stored() - before) / new as f64
        });
        let items = self.items(NAR_BYTES);
        let peak = self.add(&items, "--graft car").peak;
        let mut costs = vec![
            grouped(self.size),
            format!("{small:.2}"),
            format!("{large:.2}"),
            mebibytes(peak),
        ];
        if !self.node.is_kubo() {
            costs.extend(["–"; 3].map(str::to_owned));
            return costs;
        }
        let proxy = Proxy::new(&self.node.api);
        let counted = |items: &[Item]| {
            let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
            let mut command = self
                .mirror
                .command(&format!("add {} --graft car", hashes.join(" ")));
            measure::run(command.env("GUIX_IPFS_API", &proxy.url));
            proxy.calls()
        };
        let with_new = counted(&self.items(NAR_BYTES));
        let with_nothing = counted(&items);
        let lookups = with_nothing
            .iter()
            .filter(|call| ["block/get", "cat"].contains(&call.as_str()))
            .count();
        costs.push(with_new.len().to_string());
        costs.push(with_nothing.len().to_string());
        costs.push(lookups.to_string());
        costs
    }

    /// The size of the node's repository, in bytes.
    fn stored(&self) -> f64 {
        self.node.node().usage().unwrap().bytes as f64
    }
}

/// Files on disk, all of them added again, and the root published.
fn recipe(node: &TestNode, size: u64) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let mut written = 0;
    let mut write = |count: u64| {
        let items: Vec<Item> = (written..written + count)
            .map(|number| item((1 << 41) + number, "package", NAR_BYTES))
            .collect();
        write_tree(&tree_of(&items), folder.path());
        written += count;
    };
    let publish = || {
        let root = node.ipfs("add -r -Q", &[folder.path().to_str().unwrap()]);
        let path = format!("/ipfs/{}", root.trim());
        node.ipfs("name publish --allow-offline --resolve=false", &[&path]);
    };
    write(size);
    publish();
    let times = (0..3).map(|_| {
        write(NEW_ITEMS);
        time(publish)
    });
    median(times.collect())
}

/// A number with its thousands set apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
