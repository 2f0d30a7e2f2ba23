//! (c): one large nar, beside `ipfs add` of it and beside a ready CAR.

use crate::answer::{Answer, Target};
use crate::bars::Bars;
use crate::beside::NODES;
use crate::export::export;
use crate::measure::{self, median, time};
use crate::support::{Mirror, TestNode, Upstream};
use crate::table::{Table, mebibytes, ratio, seconds};
use guix_ipfs::guix::base32;
use sha2::{Digest, Sha256};

const RUNS: usize = 3;
const HASH: &str = "0000000000000000000000000000000c";

pub fn run(bytes: usize) -> Answer {
    let title = format!("One nar of {} MiB", bytes >> 20);
    let mut bars = Bars::new(&title);
    let table = Table::new(
        &title,
        &[
            "node",
            "add",
            "`ipfs add`",
            "add / ipfs add",
            "`dag/import`",
            "add / import",
            "peak memory",
        ],
    );
    // Chunks that repeat would be stored once.
    let nar: Vec<u8> = (0u64..(bytes as u64) / 8)
        .flat_map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .collect();
    let narinfo = format!(
        "StorePath: /gnu/store/{HASH}-large\nURL: nar/{HASH}-large\nCompression: none\n\
         FileSize: {bytes}\nNarHash: sha256:{}\nNarSize: {bytes}\nReferences: \n",
        base32::encode(&Sha256::digest(&nar)),
    );
    let upstream = Upstream::empty();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nar");
    std::fs::write(&file, &nar).unwrap();
    upstream.set(&format!("nar/{HASH}-large"), nar);
    upstream.set(&format!("{HASH}.narinfo"), narinfo);
    let mut answer = Answer {
        name: "large-nar",
        tables: vec![table],
        plot: String::new(),
        targets: Vec::new(),
    };
    for (name, start) in NODES {
        let file = file.to_str().unwrap();
        on(name, start, &upstream, file, &mut answer, &mut bars);
    }
    answer.plot = bars.svg();
    answer
}

fn on(
    name: &str,
    start: fn() -> Option<TestNode>,
    upstream: &Upstream,
    file: &str,
    answer: &mut Answer,
    bars: &mut Bars,
) {
    let mut peak = 0;
    let mut exported = None;
    let (mut ours, mut added, mut floor) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let Some(node) = start() else { return };
        let mirror = Mirror::new(&node, upstream);
        mirror.run("init").exits(0);
        let cost = measure::run(&mut mirror.command(&format!("add {HASH} --graft car")));
        peak = cost.peak.max(peak);
        ours.push(cost.seconds);
        let car = exported.get_or_insert_with(|| export(&node, &mirror.root()));
        drop((mirror, node));
        let Some(node) = start() else { return };
        floor.push(car.import(&node));
        drop(node);
        if let Some(node) = start().filter(TestNode::is_kubo) {
            added.push(time(|| {
                node.ipfs("add -Q", &[file]);
            }));
        }
    }
    let (ours, floor) = (median(ours), median(floor));
    let added = (!added.is_empty()).then(|| median(added));
    bars.own(format!("add, {name}"), ours);
    bars.other(format!("ipfs add, {name}"), added);
    bars.other(format!("dag/import, {name}"), Some(floor));
    if added.is_some() {
        let figure = "(c) one nar / dag/import of a ready CAR";
        answer
            .targets
            .push(Target::at_most(figure, ours / floor, 1.15, ""));
    }
    answer.tables[0].row(&[
        name.to_owned(),
        seconds(ours),
        added.map_or("–".to_owned(), seconds),
        added.map_or("–".to_owned(), |added| ratio(ours, added)),
        seconds(floor),
        ratio(ours, floor),
        mebibytes(peak),
    ]);
}
