//! (f): what looks at everything, in a mirror with a narinfo of its own for each of a
//! million items.

use crate::answer::{Answer, Target};
use crate::bars::Bars;
use crate::beside::{NODES, grouped};
use crate::measure::{self, time};
use crate::mirror_of::{self, Narinfos, hash};
use crate::support::{Mirror, Proxy, TestNode, Upstream};
use crate::table::{Table, mebibytes, ratio, seconds};
use std::fmt::Write;

/// MiB that a command may take.
const MOST_MEMORY: f64 = 256.0;
/// Calls of a run with nothing new.
const MOST_CALLS: f64 = 11.0;
/// Items that are removed at once.
const REMOVED: u64 = 1000;

/// In mirrors of so many items.
pub fn run(size: u64) -> Answer {
    let title = format!("Commands beside {} items", grouped(size));
    let mut bars = Bars::new(&title);
    let mut table = Table::new(
        &title,
        &[
            "node",
            "command",
            "time",
            "/ refs -r",
            "peak memory",
            "RPC calls",
        ],
    );
    table.notes.push(
        "Once each. The narinfos are as many files as items; the nars are links to one file, \
         which `verify` reads for each. `--from` names three tenths of the items. `ipfs refs -r` \
         of the root reads each block once, in one call: the narinfos and the shards of both \
         directories."
            .to_owned(),
    );
    let mut answer = Answer {
        name: "everything",
        tables: vec![table],
        plot: String::new(),
        targets: Vec::new(),
    };
    for (name, start) in NODES {
        if let Some(node) = start() {
            on(&node, name, size, &mut answer, &mut bars);
        }
    }
    answer.plot = bars.svg();
    answer
}

/// The commands, each with the most seconds that it should take beside a million items.
fn commands(mirror: &Mirror, size: u64) -> Vec<(&'static str, String, Option<f64>)> {
    let list = mirror.home().join("list");
    let mut hashes = String::new();
    for number in 0..size * 3 / 10 {
        let _ = writeln!(hashes, "{}", hash(number));
    }
    std::fs::write(&list, hashes).unwrap();
    let removed: Vec<String> = (10..10 + REMOVED).map(hash).collect();
    let from = format!("sync --from {}", list.display());
    vec![
        ("`sync` with nothing new", "sync".to_owned(), None),
        ("`add` of what is there", format!("add {}", hash(5)), None),
        ("`resolve --long`", "resolve --long".to_owned(), None),
        (
            "`resolve --list`",
            "resolve --list".to_owned(),
            Some(98.0 / 6.0),
        ),
        ("`sync --from`", from, Some(65.0 / 6.0)),
        ("`verify`", "verify".to_owned(), Some(380.0 / 6.0)),
        (
            "`remove` of one item",
            format!("remove {}", hash(7)),
            Some(12.0),
        ),
        (
            "`remove` of 1,000 items",
            format!("remove {}", removed.join(" ")),
            Some(103.0 / 6.0),
        ),
        (
            "`prune` of half of them",
            format!("prune --max-size {}", tree_bytes(mirror) / 2),
            None,
        ),
    ]
}

/// The cumulative size of a mirror's root.
fn tree_bytes(mirror: &Mirror) -> u64 {
    let shown = mirror.run("resolve --long --json").exits(0).out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    shown["bytes"].as_u64().unwrap()
}

fn on(node: &TestNode, name: &str, size: u64, answer: &mut Answer, bars: &mut Bars) {
    let upstream = Upstream::of_fixtures();
    let mirror = mirror_of::publish(node, &upstream, size, Narinfos::OfTheirOwn);
    mirror.run("sync").exits(0);
    let refs = node.is_kubo().then(|| {
        let call = format!("refs?arg={}&recursive=true&unique=true", mirror.root());
        let seconds = time(|| assert_eq!(node.rpc(&call).status, 200));
        bars.other("ipfs refs -r, Kubo", Some(seconds));
        seconds
    });
    let proxy = node.is_kubo().then(|| Proxy::new(&node.api));
    for (shown, arguments, limit) in commands(&mirror, size) {
        let mut command = mirror.command(&arguments);
        if let Some(proxy) = &proxy {
            proxy.calls();
            command.env("GUIX_IPFS_API", &proxy.url);
        }
        let cost = measure::run(&mut command);
        let calls = proxy.as_ref().map(|proxy| proxy.calls().len());
        if node.is_kubo() {
            let figure = |part: &str| format!("(f) {shown} beside {}{part}", grouped(size));
            let targets = &mut answer.targets;
            if let Some(limit) = limit {
                targets.push(Target::at_most(figure(""), cost.seconds, limit, " s"));
                let memory = cost.peak as f64 / 1024.0;
                let target = Target::at_most(figure(", memory"), memory, MOST_MEMORY, " MiB");
                targets.push(target);
            }
            if let ("sync", Some(calls)) = (arguments.as_str(), calls) {
                let target = Target::at_most(figure(""), calls as f64, MOST_CALLS, " calls");
                targets.push(target);
            }
        }
        bars.own(format!("{}, {name}", shown.replace('`', "")), cost.seconds);
        answer.tables[0].row(&[
            name.to_owned(),
            shown.to_owned(),
            seconds(cost.seconds),
            refs.map_or("–".to_owned(), |refs| ratio(cost.seconds, refs)),
            mebibytes(cost.peak),
            calls.map_or("–".to_owned(), |calls| calls.to_string()),
        ]);
    }
    if let Some(refs) = refs {
        let mut row = vec![name.to_owned(), "`ipfs refs -r`".to_owned(), seconds(refs)];
        row.extend(["1.00".to_owned(), "–".to_owned(), "1".to_owned()]);
        answer.tables[0].row(&row);
    }
}
