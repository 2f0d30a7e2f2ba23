//! What `scripts/bench` runs. Every figure is a median of runs in one process,
//! and stands beside what it is compared with: the machine is noisy, ratios are
//! less so.

#[allow(dead_code, unused_macros, unused_imports)]
#[path = "../../tests/commands/support/mod.rs"]
mod support;

mod beside;
mod export;
mod first_sync;
mod large_nar;
mod measure;
mod mirror_of;
mod plot;
mod table;

use std::path::Path;
use table::Table;

fn main() {
    let largest = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000_000);
    let mut tables = Vec::new();
    let (beside, plot) = beside::run(largest);
    tables.extend(beside);
    tables.push(first_sync::run((largest / 10).clamp(100, 10_000)));
    tables.push(large_nar::run(if largest < 100_000 {
        64 << 20
    } else {
        1 << 30
    }));
    let text: String = tables.iter().map(Table::markdown).collect();
    println!("{text}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/bench-results");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("bench.md"), text).unwrap();
    std::fs::write(folder.join("bench.svg"), plot).unwrap();
}
