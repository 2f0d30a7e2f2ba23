//! The document with all tables, the plots, and the part of the README.

use crate::answer::{Answer, summary};
use crate::beside;
use crate::table::Table;
use std::path::Path;

/// The marks around the README's part.
const BEGIN: &str = "<!-- The results of scripts/bench -->\n";
const END: &str = "<!-- End of the results -->\n";

/// The machine's load: the mean numbers of processes that ran in the last 1, 5 and 15
/// minutes.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The document. `before` is the load before the first run.
pub fn text(answers: &[Answer], before: &str) -> String {
    let tables = answers.iter().flat_map(|answer| &answer.tables);
    format!(
        "{} cores; load {before} before, {} after; repositories in {}; {}. Every figure is a \
         median, unless the table tells otherwise; see scripts/benchmark/.\n\n{}\n{}",
        std::thread::available_parallelism().map_or(0, usize::from),
        load(),
        match std::env::temp_dir().starts_with("/dev/shm") {
            true => "memory",
            false => "the folder of temporary files",
        },
        beside::kubo().map_or("no Kubo".to_owned(), |node| {
            node.node().description().agent.clone()
        }),
        summary(answers),
        tables.map(Table::markdown).collect::<String>(),
    )
}

/// Writes the document, the plots, and the summary in the README.
pub fn keep(answers: &[Answer], text: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("scripts/bench-results");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("bench.md"), text).unwrap();
    for answer in answers {
        std::fs::write(folder.join(format!("{}.svg", answer.name)), &answer.plot).unwrap();
    }
    let readme = root.join("README.md");
    let old = std::fs::read_to_string(&readme).unwrap();
    let (Some(begin), Some(end)) = (old.find(BEGIN), old.find(END)) else {
        eprintln!("README.md has no place for the results");
        return;
    };
    let new = format!(
        "{}{BEGIN}\n{}\n{}",
        &old[..begin],
        summary(answers),
        &old[end..]
    );
    std::fs::write(readme, new).unwrap();
}
