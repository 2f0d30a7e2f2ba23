//! Lists of items, as `guix` commands print them.

use crate::mirror::{Failure, ItemRef, SkipReason, Skipped};
use crate::report::Report;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

/// A list of items.
#[derive(Debug, Default)]
pub struct ItemList {
    /// The items.
    pub items: Vec<ItemRef>,
    /// The words that were meant for items and name none.
    pub misread: Vec<Skipped>,
}

/// Reads a list from a file; `-` is standard input.
pub fn read(path: &Path, report: &Report) -> Result<ItemList, Failure> {
    let is_standard_input = path.as_os_str() == "-";
    if is_standard_input && io::stdin().is_terminal() {
        report.status("type store paths or hashes; Ctrl-D on a line of its own ends the list");
    }
    let mut text = Vec::new();
    let read = match is_standard_input {
        true => io::stdin().read_to_end(&mut text),
        false => File::open(path).and_then(|mut file| file.read_to_end(&mut text)),
    };
    read.map_err(|source| Failure::Input {
        path: path.to_owned(),
        source,
    })?;
    let text = String::from_utf8_lossy(&text);
    list(text.trim_start_matches('\u{feff}')).ok_or_else(|| {
        Failure::NoItems(match is_standard_input {
            true => "standard input".to_owned(),
            false => path.display().to_string(),
        })
    })
}

/// Hashes, store paths and names in the store, one or more a line. Comments and other
/// words are skipped, so that the output of `guix` commands can be piped in; so are
/// derivations, which are built and not substituted. `None` where there are other
/// words alone.
fn list(text: &str) -> Option<ItemList> {
    let lines = text.lines().filter(|line| !is_comment(line));
    let mut words = lines.flat_map(str::split_whitespace).peekable();
    let is_empty = words.peek().is_none();
    let mut is_any = false;
    let mut list = ItemList::default();
    let mut known = HashSet::new();
    for word in words {
        match ItemRef::of_listed(word) {
            Some(Ok(item)) => {
                is_any = true;
                if !item.label.ends_with(".drv") {
                    list.items.push(item);
                }
            }
            Some(Err(fault)) if known.insert(word) => list.misread.push(misread(word, fault)),
            _ => {}
        }
    }
    (is_any || is_empty).then_some(list)
}

/// `guix repl` prints objects as `#<…>`.
fn is_comment(line: &str) -> bool {
    let comment = line.trim_start().strip_prefix('#');
    comment.is_some_and(|comment| !comment.starts_with('<'))
}

fn misread(word: &str, fault: String) -> Skipped {
    Skipped {
        item: word.to_owned(),
        hash: None,
        reason: SkipReason::Refused {
            what: fault,
            advice: Some("correct the list, or put # before the line".to_owned()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::list;

    #[test]
    fn what_guix_prints_is_read_for_its_store_paths() {
        let size = "store item                                  total    self\n\
            /gnu/store/21q7lx382p28sibkw2l721ybjxymkh1a-hello   0.1   0.1   100.0%\n\
            total: 0.1 MiB\n";
        let weather = "http://127.0.0.1:8080\n  50.0% substitutes available (1 out of 2)\n\
            Substitutes are missing for the following items:\n  \
            /gnu/store/ifcypyirz39fix6ji7mblpsp5nfhmm7k-rig-empty     x86_64-linux\n";
        let build = "/gnu/store/8aski1xwcn6lj112yc9ylgp2y3c7sj83-hello.drv\n\
            ifcypyirz39fix6ji7mblpsp5nfhmm7k";
        let ls = "21q7lx382p28sibkw2l721ybjxymkh1a-hello\n21q7lx382p28sibkw2l721ybjxymkh1a.drv\n\
            ifcypyirz39fix6ji7mblpsp5nfhmm7k-rig-empty/\n";
        for (text, expected) in [
            (size, "/gnu/store/21q7lx382p28sibkw2l721ybjxymkh1a-hello"),
            (
                weather,
                "/gnu/store/ifcypyirz39fix6ji7mblpsp5nfhmm7k-rig-empty",
            ),
            (build, "ifcypyirz39fix6ji7mblpsp5nfhmm7k"),
            (
                ls,
                "21q7lx382p28sibkw2l721ybjxymkh1a-hello ifcypyirz39fix6ji7mblpsp5nfhmm7k-rig-empty",
            ),
        ] {
            let items = list(text).unwrap_or_default().items;
            let labels: Vec<String> = items.into_iter().map(|item| item.label).collect();
            assert_eq!(labels.join(" "), expected);
        }
    }
}
