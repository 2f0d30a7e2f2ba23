//! (h): a year of a small Guix in several encodings: the bytes that are stored and
//! fetched, and the time that it takes.

use crate::answer::{Answer, Target};
use crate::bars::Bars;
use crate::beside::kubo;
use crate::blocks;
use crate::encoding::{Bytes, Encoding};
use crate::farm::Farm;
use crate::fetched::{self, Fetched};
use crate::measure;
use crate::peers;
use crate::support::{Mirror, TestNode};
use crate::table::{Table, mebibytes, ratio};
use crate::year::{Cause, Item, MONTHS, Year};
use std::collections::HashMap;
use std::process::Command;

/// The encodings of a mirror.
pub const ENCODINGS: [&str; 2] = ["upstream", "delta"];
/// Of plain nars, as `ipfs add` cuts them.
const CHUNKERS: [&str; 3] = ["size-262144", "buzhash", "rabin"];

/// A year of so many packages, of which `updates` become another version, and large
/// folders of less than `limit` bytes.
pub fn run(packages: usize, updates: usize, limit: usize) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let year = Year::in_folder(folder.path(), packages, updates);
    let farm = Farm::of(&year);
    let mut speeds = Table::new(
        "What a mirror of this year costs",
        &[
            "encoding",
            "processor",
            "nar a second and core",
            "peak memory",
        ],
    );
    let mut encodings: Vec<Encoding> = Vec::new();
    for name in ENCODINGS {
        let (encoding, peak) = mirrored(&year, &farm, name);
        speeds.row(&[
            name.to_owned(),
            format!("{:.1} s", encoding.seconds.unwrap_or_default()),
            format!("{:.1} MB", rate(&year, &encoding)),
            mebibytes(peak),
        ]);
        encodings.push(encoding);
    }
    speeds.notes.push(format!(
        "On the local store, all months together. The farm's own work, `zstd -19` of each \
         whole nar, is {:.0} s of one processor more.",
        farm.seconds
    ));
    encodings.extend(
        CHUNKERS
            .iter()
            .filter_map(|chunker| chunked(&year, chunker)),
    );
    encodings.push(cut(
        "chunks by buzhash, zstd (as casync)",
        &year,
        peers::casync,
    ));
    encodings.push(cut(
        "encrypted blocks of 32 KiB (as ERIS)",
        &year,
        peers::eris,
    ));
    let mut answer = Answer {
        name: "delta",
        tables: vec![bytes_table(&year, &encodings), speeds],
        plot: plot(&year, &encodings),
        targets: Vec::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let large = Year::of_large(folder.path(), limit);
    let large_farm = Farm::of(&large);
    let fetched = [
        ("packages", fetched::run(&year, &farm)),
        ("large folders", fetched::run(&large, &large_farm)),
    ];
    for (of, fetched) in fetched {
        let Some(fetched) = fetched else { continue };
        answer.targets.extend(targets(of, &fetched));
        answer.tables.push(network_table(of, &fetched));
    }
    answer
}

/// A mirror of the year, month by month, and the most memory that a month took.
fn mirrored(year: &Year, farm: &Farm, name: &str) -> (Encoding, u64) {
    let node = TestNode::local();
    let mirror = Mirror::new(&node, &farm.upstream);
    let (mut seconds, mut peak) = (0.0, 0);
    let mut around = HashMap::new();
    for month in 0..=MONTHS {
        let items = year.items.iter().filter(|item| item.month == month);
        let cost = sync(&mirror, items, name);
        seconds += cost.processor;
        peak = cost.peak.max(peak);
        around.extend(blocks::around_nars(&node, &mirror.root()));
    }
    let encoding = Encoding {
        name: name.to_owned(),
        blocks: blocks::of_nars(&node, &mirror.root()),
        seconds: Some(seconds),
        around: Some(around.values().sum()),
    };
    (encoding, peak)
}

/// Takes items into a mirror.
pub fn sync<'i>(
    mirror: &Mirror,
    items: impl Iterator<Item = &'i Item>,
    encoding: &str,
) -> measure::Cost {
    let list = mirror.home().join("list");
    let hashes: Vec<&str> = items.map(|item| item.hash.as_str()).collect();
    std::fs::write(&list, hashes.join("\n")).unwrap();
    let sync = format!("sync --from {} --encoding {encoding}", list.display());
    measure::run(&mut mirror.command(&sync))
}

/// The plain nars in a Kubo.
fn chunked(year: &Year, chunker: &str) -> Option<Encoding> {
    let mut node = kubo()?;
    node.daemon_mut().kill();
    let folder = year.items[0].nar.parent().unwrap();
    let added = tempfile::NamedTempFile::new().unwrap();
    let mut add = Command::new(std::env::var_os("GUIX_IPFS_TEST_KUBO")?);
    add.env("IPFS_PATH", node.daemon().repo());
    add.args([
        "add",
        "-r",
        "--pin=false",
        "--progress=false",
        "--chunker",
        chunker,
    ]);
    let cost = measure::run_into(add.arg(folder), added.reopen().unwrap().into());
    node.daemon_mut().restart();
    let added = std::fs::read_to_string(added.path()).unwrap();
    let mut blocks = HashMap::new();
    for line in added.lines() {
        let mut words = line.split_whitespace().skip(1);
        let (Some(cid), Some(path)) = (words.next(), words.next()) else {
            continue;
        };
        if let Some((_, hash)) = path.rsplit_once('/') {
            blocks.insert(hash.to_owned(), blocks::below(&node, &cid.parse().unwrap()));
        }
    }
    Some(Encoding {
        name: format!("plain, `{chunker}`"),
        blocks,
        seconds: Some(cost.processor),
        around: None,
    })
}

/// The plain nars as a function cuts them.
fn cut(name: &str, year: &Year, cut: fn(&[u8]) -> Vec<crate::encoding::Block>) -> Encoding {
    let blocks = year.items.iter();
    let blocks = blocks.map(|item| (item.hash.clone(), cut(&item.read())));
    Encoding {
        name: name.to_owned(),
        blocks: blocks.collect(),
        seconds: None,
        around: None,
    }
}

/// Megabytes of nar that a mirror takes in for each second of a processor.
fn rate(year: &Year, encoding: &Encoding) -> f64 {
    let bytes: usize = year.items.iter().map(|item| item.bytes).sum();
    bytes as f64 / 1e6 / encoding.seconds.unwrap_or(f64::INFINITY)
}

fn bytes_table(year: &Year, encodings: &[Encoding]) -> Table {
    let packages = year.count(Cause::First);
    let mut table = Table::new(
        &format!("A year of {packages} packages"),
        &[
            "encoding",
            "first month",
            "stored after the year",
            "fetched by a user: rebuilds",
            "of upstream",
            "updates",
            "of upstream",
            "by a host with `follow`",
            "processor / GB of nar",
        ],
    );
    let sums: Vec<Bytes> = encodings.iter().map(|it| it.bytes(year)).collect();
    // What stands around the nars is the same for all, but for the narinfos' own bytes.
    let around = encodings[0].around.unwrap_or_default();
    for (encoding, bytes) in encodings.iter().zip(&sums) {
        let changes = bytes.stored - bytes.first + encoding.around.unwrap_or(around);
        let percent = |bytes: u64, of: u64| format!("{:.0} %", bytes as f64 * 100.0 / of as f64);
        table.row(&[
            encoding.name.clone(),
            megabytes(bytes.first),
            megabytes(bytes.stored),
            megabytes(bytes.rebuilds),
            percent(bytes.rebuilds, sums[0].rebuilds),
            megabytes(bytes.updates),
            percent(bytes.updates, sums[0].updates),
            megabytes(changes),
            encoding.seconds.map_or("–".to_owned(), |_| {
                format!("{:.0} s", 1000.0 / rate(year, encoding))
            }),
        ]);
    }
    let [first, rebuilds, updates] = [Cause::First, Cause::Rebuild, Cause::Update];
    table.notes.push(format!(
        "{packages} folders and programs of this machine, {:.0} MB as nars; in {MONTHS} months {} rebuilds \
         of one of them ({:.0} MB: four store paths in each program, one in each script) and {} \
         in another version ({:.0} MB). The upstream has `zstd -19`; `delta` is what \
         the program mirrors of it. The user has all packages and keeps one generation; these \
         bytes, and all but those of the two mirrors, are computed from the sets of distinct \
         blocks. The host keeps all and takes narinfos and directories too. Kubo's seconds are \
         those of `ipfs add` of the plain nars.",
        year.bytes(first) as f64 / 1e6,
        year.count(rebuilds),
        year.bytes(rebuilds) as f64 / 1e6,
        year.count(updates),
        year.bytes(updates) as f64 / 1e6,
    ));
    table
}

fn plot(year: &Year, encodings: &[Encoding]) -> String {
    let title = "A year of packages: stored, and fetched by a user for rebuilds and updates";
    let mut bars = Bars::showing(title, |megabytes| format!("{megabytes:.1} MB"));
    for (what, bytes) in [
        ("stored", (|bytes| bytes.stored) as fn(&Bytes) -> u64),
        ("rebuilds", |bytes| bytes.rebuilds),
        ("updates", |bytes| bytes.updates),
    ] {
        for encoding in encodings {
            let label = format!("{what}: {}", encoding.name.replace('`', ""));
            let megabytes = bytes(&encoding.bytes(year)) as f64 / 1e6;
            match encoding.name == "delta" {
                true => bars.own(label, megabytes),
                false => bars.other(label, Some(megabytes)),
            }
        }
    }
    bars.svg()
}

fn network_table(of: &str, fetched: &Fetched) -> Table {
    let mut table = Table::new(
        &format!("Bytes between two Kubos, {of}"),
        &[
            "what a user fetches",
            "upstream",
            "delta",
            "delta / upstream",
            "computed",
        ],
    );
    for step in &fetched.steps {
        let [upstream, delta] = step.moved.map(|bytes| bytes as f64);
        let [of, computed] = step.computed.map(|bytes| bytes as f64);
        table.row(&[
            step.name.to_owned(),
            megabytes(step.moved[0]),
            megabytes(step.moved[1]),
            ratio(delta, upstream),
            ratio(computed, of),
        ]);
    }
    table.notes.push(format!(
        "`bitswap stat` of a Kubo that fetches narinfos and nars through its own gateway from \
         the publisher's, and keeps what it had: {}. Computed is the same of the nars' \
         distinct blocks.",
        fetched.names
    ));
    table
}

/// A rebuild is small beside a large package, and no fetch much more than the upstream's.
fn targets(of: &str, fetched: &Fetched) -> Vec<Target> {
    let steps = fetched.steps.iter();
    let targets = steps.map(|step| {
        let limit = match (of, step.name) {
            ("large folders", "rebuilds") => 0.1,
            _ => 1.5,
        };
        let [upstream, delta] = step.moved.map(|bytes| bytes as f64);
        let figure = format!("(h) delta / upstream, {} of {of}", step.name);
        Target::at_most(figure, delta / upstream, limit, "")
    });
    targets.collect()
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
