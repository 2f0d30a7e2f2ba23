//! (f): what looks at everything, in a mirror with a narinfo of its own for each of a
//! million items.

use crate::beside::{NODES, grouped};
use crate::measure;
use crate::mirror_of::{self, Narinfos, hash};
use crate::support::{Mirror, Proxy, TestNode, Upstream};
use crate::table::{Table, mebibytes, seconds};
use std::fmt::Write;

/// The table, of mirrors with so many items.
pub fn run(size: u64) -> Table {
    let mut table = Table::new(
        &format!("Commands beside {} items", grouped(size)),
        &["node", "command", "time", "peak memory", "RPC calls"],
    );
    for (name, start) in NODES {
        if let Some(node) = start() {
            on(&node, name, size, &mut table);
        }
    }
    table.notes.push(
        "Once each. The narinfos are as many files as items; the nars are links to one file. \
         `--from` names three tenths of the items."
            .to_owned(),
    );
    table
}

fn on(node: &TestNode, name: &str, size: u64, table: &mut Table) {
    let upstream = Upstream::empty();
    let mirror = mirror_of::publish(node, &upstream, size, Narinfos::OfTheirOwn);
    let proxy = node.is_kubo().then(|| Proxy::new(&node.api));
    let list = mirror.home().join("list");
    let mut hashes = String::new();
    for number in 0..size * 3 / 10 {
        let _ = writeln!(hashes, "{}", hash(number));
    }
    std::fs::write(&list, hashes).unwrap();
    for (shown, command) in [
        ("`add` of what is there", format!("add {}", hash(5))),
        ("`resolve --long`", "resolve --long".to_owned()),
        ("`resolve --list`", "resolve --list".to_owned()),
        ("`sync --from`", format!("sync --from {}", list.display())),
        ("`verify`", "verify".to_owned()),
        ("`remove` of one item", format!("remove {}", hash(7))),
    ] {
        row(&mirror, name, proxy.as_ref(), (shown, &command), table);
    }
}

fn row(
    mirror: &Mirror,
    name: &str,
    proxy: Option<&Proxy>,
    (shown, arguments): (&str, &str),
    table: &mut Table,
) {
    let mut command = mirror.command(arguments);
    if let Some(proxy) = proxy {
        proxy.calls();
        command.env("GUIX_IPFS_API", &proxy.url);
    }
    let cost = measure::run(&mut command);
    table.row(&[
        name.to_owned(),
        shown.to_owned(),
        seconds(cost.seconds),
        mebibytes(cost.peak),
        proxy.map_or("–".to_owned(), |proxy| proxy.calls().len().to_string()),
    ]);
}
