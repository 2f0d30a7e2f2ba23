//! (b): the first sync of many small items, beside `ipfs add -r` of the same
//! files on disk and beside a ready CAR of the same blocks.

use crate::answer::{Answer, Target};
use crate::bars::Bars;
use crate::export::export;
use crate::measure::{self, median, time};
use crate::support::{Files, Item, Mirror, TestNode, Upstream, item, tree_of, write_tree};
use crate::table::{Table, mebibytes, ratio, seconds};

const NAR_BYTES: usize = 2000;
const RUNS: usize = 3;

fn on(
    items: &[Item],
    tree: &Files,
    name: &str,
    start: fn() -> Option<TestNode>,
    answer: &mut Answer,
    bars: &mut Bars,
) {
    let upstream = Upstream::empty();
    upstream.add_items(items);
    let mut peak = 0;
    let mut car = None;
    let synced: Vec<f64> = (0..RUNS)
        .filter_map(|_| {
            let node = start()?;
            let mirror = Mirror::new(&node, &upstream);
            let list = mirror.home().join("list");
            let hashes: Vec<&str> = items.iter().map(|item| item.hash.as_str()).collect();
            std::fs::write(&list, hashes.join("\n")).unwrap();
            mirror.run("init").exits(0);
            let cost =
                measure::run(&mut mirror.command(&format!("sync --from {}", list.display())));
            peak = cost.peak.max(peak);
            car = Some(export(&node, &mirror.root()));
            Some(cost.seconds)
        })
        .collect();
    let Some(car) = car else { return };
    let floor: Vec<f64> = (0..RUNS)
        .filter_map(|_| {
            let node = start()?;
            Some(car.import(&node))
        })
        .collect();
    let added: Vec<f64> = (0..RUNS)
        .filter_map(|_| {
            let node = start().filter(TestNode::is_kubo)?;
            let folder = tempfile::tempdir().unwrap();
            write_tree(tree, folder.path());
            Some(time(|| {
                node.ipfs("add -r -Q", &[folder.path().to_str().unwrap()]);
            }))
        })
        .collect();
    let (sync, floor) = (median(synced), median(floor));
    let add = (!added.is_empty()).then(|| median(added));
    bars.own(format!("sync, {name}"), sync);
    bars.other(format!("ipfs add -r, {name}"), add);
    bars.other(format!("dag/import, {name}"), Some(floor));
    if let Some(add) = add {
        let figure = "(b) first sync / ipfs add -r";
        answer
            .targets
            .push(Target::at_most(figure, sync / add, 0.6, ""));
    }
    answer.tables[0].row(&[
        name.to_owned(),
        seconds(sync),
        add.map_or("–".to_owned(), seconds),
        add.map_or("–".to_owned(), |add| ratio(sync, add)),
        seconds(floor),
        ratio(sync, floor),
        mebibytes(peak),
    ]);
}

pub fn run(count: u64) -> Answer {
    let title = format!("First sync of {count} items of 2 KB");
    let mut bars = Bars::new(&title);
    let mut table = Table::new(
        &title,
        &[
            "node",
            "sync",
            "`ipfs add -r`",
            "sync / add",
            "`dag/import`",
            "sync / import",
            "peak memory",
        ],
    );
    let items: Vec<Item> = (0..count)
        .map(|number| item(number, "small", NAR_BYTES))
        .collect();
    let tree = tree_of(&items);
    table.notes.push(
        "Median of 3, each on a fresh node. `ipfs add -r` reads the files from disk; `dag/import` \
         takes one ready CAR of the same blocks; sync fetches every file over HTTP and checks it."
            .to_owned(),
    );
    let mut answer = Answer {
        name: "first-sync",
        tables: vec![table],
        plot: String::new(),
        targets: Vec::new(),
    };
    for (name, start) in crate::beside::NODES {
        on(&items, &tree, name, start, &mut answer, &mut bars);
    }
    answer.plot = bars.svg();
    answer
}
