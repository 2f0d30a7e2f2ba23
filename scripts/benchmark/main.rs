//! The benchmark of `scripts/bench`. Every figure is a median of runs in one process,
//! and stands beside the one it is compared with: the machine is noisy, ratios are
//! less so.

#[allow(dead_code, unused_macros, unused_imports)]
#[path = "../../tests/commands/support/mod.rs"]
mod support;

mod beside;
mod distant;
mod everything;
mod export;
mod first_sync;
mod large_nar;
mod measure;
mod mirror_of;
mod plot;
mod table;

use std::path::Path;
use table::Table;

/// The parts that can be run alone, by name; only a whole run is kept.
const PARTS: [&str; 5] = ["beside", "first-sync", "large-nar", "distant", "everything"];

fn main() {
    let largest = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000_000);
    let parts: Vec<String> = std::env::args()
        .skip(1)
        .filter(|part| PARTS.contains(&&**part))
        .collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let mut tables = Vec::new();
    let mut picture = None;
    if wanted("beside") {
        let (beside, plot) = beside::run(largest);
        tables.extend(beside);
        picture = Some(plot);
    }
    if wanted("first-sync") {
        tables.push(first_sync::run((largest / 10).clamp(100, 10_000)));
    }
    if wanted("large-nar") {
        let bytes = if largest < 100_000 { 64 << 20 } else { 1 << 30 };
        tables.push(large_nar::run(bytes));
    }
    if wanted("distant") {
        tables.push(distant::run());
    }
    if wanted("everything") {
        tables.push(everything::run(largest));
    }
    let head = format!(
        "{} cores; {}; every figure is a median, see scripts/benchmark/.\n\n",
        std::thread::available_parallelism().map_or(0, usize::from),
        beside::kubo().map_or("not found".to_owned(), |node| {
            node.node().description().agent.clone()
        }),
    );
    let text = head + &tables.iter().map(Table::markdown).collect::<String>();
    println!("{text}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bench-results");
    std::fs::create_dir_all(&folder).unwrap();
    if let (Some(plot), true) = (picture, parts.is_empty()) {
        std::fs::write(folder.join("bench.md"), text).unwrap();
        std::fs::write(folder.join("bench.svg"), plot).unwrap();
    }
}
