//! (e): small items from a substitute server that takes 100 ms for each answer, beside
//! curl with as many connections, and the prototype's way.

use crate::answer::{Answer, Target};
use crate::bars::Bars;
use crate::beside::NODES;
use crate::measure::{self, median, time};
use crate::support::{Fault, Item, Mirror, TestNode, Upstream, item};
use crate::table::{Table, mebibytes, ratio, seconds};
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const ANSWER: Duration = Duration::from_millis(100);
const NAR_BYTES: usize = 2000;
const RUNS: u64 = 3;
/// The requests for one file, more than all runs make.
const REQUESTS: usize = 40;

pub fn run() -> Answer {
    let title = "Small items from a server that takes 100 ms for each answer";
    let mut bars = Bars::new(title);
    let mut table = Table::new(
        title,
        &[
            "node",
            "items",
            "sync",
            "curl, 16 at once",
            "sync / curl",
            "wget, add, publish",
            "wget / sync",
            "peak memory",
        ],
    );
    table.notes.push(format!(
        "Median of {RUNS}. A quarter of the items comes by references, up to five deep. curl fetches \
         the URLs that sync asked for, and drops them. The prototype's way is `wget -i`, `ipfs \
         add -r` and `ipfs name publish`, once."
    ));
    let mut answer = Answer {
        name: "distant",
        tables: vec![table],
        plot: String::new(),
        targets: Vec::new(),
    };
    for count in [30, 1000] {
        for (name, start) in NODES {
            if let Some(node) = start() {
                on(&node, name, count, &mut answer, &mut bars);
            }
        }
    }
    answer.plot = bars.svg();
    answer
}

fn on(node: &TestNode, name: &str, count: u64, answer: &mut Answer, bars: &mut Bars) {
    let upstream = Upstream::empty();
    let items = with_references(count);
    upstream.add_items(&items);
    for path in items.iter().flat_map(|item| item.files.keys()) {
        upstream.spoil(path, &[Fault::Late(ANSWER); REQUESTS]);
    }
    let mirror = Mirror::new(node, &upstream);
    let list = mirror.home().join("list");
    let named = &items[items.len() / 4..];
    let hashes: Vec<&str> = named.iter().map(|item| item.hash.as_str()).collect();
    std::fs::write(&list, hashes.join("\n")).unwrap();
    let mut peak = 0;
    let synced = (0..RUNS).map(|number| {
        let key = format!("--key distant-{count}-{number}");
        mirror.run(&format!("init {key}")).exits(0);
        upstream.asked();
        let sync = format!("sync {key} --from {}", list.display());
        let cost = measure::run(&mut mirror.command(&sync));
        peak = cost.peak.max(peak);
        cost.seconds
    });
    let sync = median(synced.collect());
    let asked = upstream.asked();
    let urls: Vec<String> = asked
        .iter()
        .map(|path| format!("{}/{}", upstream.url(), path.replace('+', "%2B")))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let curl: Option<Vec<f64>> = (0..RUNS).map(|_| curl(&urls, folder.path())).collect();
    let curl = curl.map(median);
    let wget = node.is_kubo().then(|| wget(node, &urls, folder.path()));
    let show = |time: Option<f64>| time.map_or("–".to_owned(), seconds);
    let wget = wget.flatten();
    bars.own(format!("sync of {count}, {name}"), sync);
    bars.other(format!("curl of the same, {name}"), curl);
    bars.other(format!("wget, add, publish of {count}, {name}"), wget);
    if let (1000, true, Some(curl)) = (count, node.is_kubo(), curl) {
        let figure = "(e) 1,000 items / curl, 16 at once";
        answer
            .targets
            .push(Target::at_most(figure, sync / curl, 1.5, ""));
    }
    answer.tables[0].row(&[
        name.to_owned(),
        count.to_string(),
        seconds(sync),
        show(curl),
        curl.map_or("–".to_owned(), |curl| ratio(sync, curl)),
        show(wget),
        wget.map_or("–".to_owned(), |wget| ratio(wget, sync)),
        mebibytes(peak),
    ]);
}

/// Items of which each refers to the one at a quarter of its number.
fn with_references(count: u64) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for number in 0..count {
        let new = item((1 << 42) + number, "x", NAR_BYTES);
        let below = items.get(number as usize / 4);
        let new = match below {
            Some(below) => new.referring_to([below]),
            None => new,
        };
        items.push(new);
    }
    items
}

/// Seconds that curl takes for these URLs, where it is installed.
fn curl(urls: &[String], folder: &Path) -> Option<f64> {
    let mut config = String::new();
    for url in urls {
        let _ = writeln!(config, "url = \"{url}\"\noutput = \"/dev/null\"");
    }
    let file = folder.join("curl");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new("curl");
    command.args(["--parallel", "--parallel-max", "16", "--fail"]);
    command.args(["--no-progress-meter", "--config"]).arg(file);
    timed(&mut command)
}

/// Seconds of the prototype's way, where wget is installed.
fn wget(node: &TestNode, urls: &[String], folder: &Path) -> Option<f64> {
    let list = folder.join("list");
    std::fs::write(&list, urls.join("\n")).unwrap();
    let tree = folder.join("tree");
    let mut command = Command::new("wget");
    command.args(["--quiet", "--force-directories", "--no-host-directories"]);
    command.arg("--directory-prefix").arg(&tree);
    command.arg("--input-file").arg(list);
    let fetched = timed(&mut command)?;
    let published = time(|| {
        let root = node.ipfs("add -r -Q", &[tree.to_str().unwrap()]);
        let path = format!("/ipfs/{}", root.trim());
        node.ipfs("name publish --allow-offline --resolve=false", &[&path]);
    });
    Some(fetched + published)
}

fn timed(command: &mut Command) -> Option<f64> {
    let mut ended = None;
    let seconds = time(|| ended = command.stdout(Stdio::null()).status().ok());
    assert!(ended?.success(), "{command:?}");
    Some(seconds)
}
