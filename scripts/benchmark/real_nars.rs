//! (g): folders of this machine as nars, in each compression, beside the decompressors
//! alone.

use crate::answer::{Answer, Target};
use crate::bars::Bars;
use crate::beside::NODES;
use crate::folder_nar;
use crate::measure::{self, median, time};
use crate::support::{Mirror, TestNode, Upstream};
use crate::table::{Table, mebibytes, ratio, seconds};
use guix_ipfs::guix::base32;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const RUNS: usize = 3;
/// Bytes of nars in all, before they are compressed.
const MOST_BYTES: usize = 300 << 20;
/// Bytes of a single nar.
const SIZES: std::ops::Range<usize> = 1 << 20..40 << 20;
const PLACES: [&str; 3] = ["/usr/lib", "/usr/share", "/usr/local"];
const PROGRAMS: [&str; 3] = ["gzip", "lzip", "zstd"];

/// A nar on disk, compressed.
struct Packed {
    program: &'static str,
    file: PathBuf,
}

pub fn run() -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::empty();
    let found = PROGRAMS.into_iter().filter(|program| is_installed(program));
    let programs: Vec<&str> = found.collect();
    let mut hashes = Vec::new();
    let mut packed = Vec::new();
    let mut bytes = 0;
    let nars = folder_nar::folders(&PLACES).filter_map(|folder| nar_of(&folder));
    for (number, nar) in nars.enumerate() {
        let Some(&program) = programs.get(number % programs.len().max(1)) else {
            break;
        };
        bytes += nar.len();
        if bytes > MOST_BYTES {
            break;
        }
        let file = folder.path().join(number.to_string());
        hashes.push(serve(&upstream, number, &nar, program, &file));
        packed.push(Packed { program, file });
    }
    let title = format!("{} folders of this machine as nars", packed.len());
    let mut table = Table::new(
        &title,
        &[
            "node",
            "sync",
            "decompressors",
            "sync / decompressors",
            "peak memory",
        ],
    );
    table.notes.push(format!(
        "Median of {RUNS}. {} MiB of nars, packed by {} in turn. The decompressors are \
         `PROGRAM -dc FILE | sha256sum`, one file after the other.",
        bytes >> 20,
        programs.join(", ")
    ));
    let mut bars = Bars::new(&title);
    let alone = median((0..RUNS).map(|_| time(|| decompress(&packed))).collect());
    bars.other("decompressors alone", Some(alone));
    let mut targets = Vec::new();
    for (name, start) in NODES {
        let costs: Vec<_> = (0..RUNS)
            .filter_map(|_| Some(sync(&start()?, &upstream, &hashes)))
            .collect();
        if costs.is_empty() {
            continue;
        }
        let sync = median(costs.iter().map(|cost| cost.seconds).collect());
        let peak = costs.iter().map(|cost| cost.peak).max().unwrap_or_default();
        bars.own(format!("sync, {name}"), sync);
        if name == "Kubo" {
            let figure = "(g) real nars / decompressors";
            targets.push(Target::at_most(figure, sync / alone, 1.0, ""));
        }
        table.row(&[
            name.to_owned(),
            seconds(sync),
            seconds(alone),
            ratio(sync, alone),
            mebibytes(peak),
        ]);
    }
    Answer {
        name: "real-nars",
        tables: vec![table],
        plot: bars.svg(),
        targets,
    }
}

fn sync(node: &TestNode, upstream: &Upstream, hashes: &[String]) -> measure::Cost {
    let mirror = Mirror::new(node, upstream);
    mirror.run("init").exits(0);
    let list = mirror.home().join("list");
    std::fs::write(&list, hashes.join("\n")).unwrap();
    measure::run(&mut mirror.command(&format!("sync --from {}", list.display())))
}

fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    let ended = command.arg("--version").stdout(Stdio::null()).status();
    ended.is_ok_and(|ended| ended.success())
}

/// The nar of a folder, where its size is among those wanted.
fn nar_of(folder: &Path) -> Option<Vec<u8>> {
    let nar = folder_nar::pack(folder, SIZES.end, &|content| content)?;
    SIZES.contains(&nar.len()).then_some(nar)
}

/// Packs a nar into a file, serves it with its narinfo, and returns its store hash.
fn serve(upstream: &Upstream, number: usize, nar: &[u8], program: &str, file: &Path) -> String {
    let plain = file.with_extension("nar");
    std::fs::write(&plain, nar).unwrap();
    let mut command = Command::new(program);
    command
        .arg("-c")
        .stdin(std::fs::File::open(&plain).unwrap());
    command.stdout(std::fs::File::create(file).unwrap());
    assert!(command.status().unwrap().success(), "{command:?}");
    std::fs::remove_file(plain).unwrap();
    let packed = std::fs::read(file).unwrap();
    let hash = base32::encode(&Sha256::digest(number.to_le_bytes())[..20]);
    let url = format!("nar/{program}/{hash}-folder");
    let narinfo = format!(
        "StorePath: /gnu/store/{hash}-folder\nURL: {url}\nCompression: {program}\n\
         FileSize: {}\nNarHash: sha256:{}\nNarSize: {}\nReferences: \n",
        packed.len(),
        base32::encode(&Sha256::digest(nar)),
        nar.len(),
    );
    upstream.set(&url, packed);
    upstream.set(&format!("{hash}.narinfo"), narinfo);
    hash
}

fn decompress(packed: &[Packed]) {
    for Packed { program, file } in packed {
        let pipe = format!("{program} -dc < '{}' | sha256sum", file.display());
        let mut command = Command::new("sh");
        command.args(["-c", &pipe]).stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "{pipe}");
    }
}
