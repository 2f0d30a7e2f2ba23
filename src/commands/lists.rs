//! Lists of items, as `guix` commands print them.

use crate::guix::StorePath;
use crate::mirror::{Failure, ItemRef};
use std::io::{self, Read};
use std::path::Path;

/// Reads a list from a file; `-` is standard input.
pub fn read(path: &Path) -> Result<Vec<ItemRef>, Failure> {
    let mut text = Vec::new();
    let read = match path.to_str() {
        Some("-") => io::stdin().read_to_end(&mut text).map(|_| ()),
        _ => std::fs::read(path).map(|bytes| text = bytes),
    };
    read.map_err(|source| Failure::Input {
        path: path.to_owned(),
        source,
    })?;
    Ok(items(&String::from_utf8_lossy(&text)))
}

/// Hashes and store paths, one or more a line. Other words are passed over, so that the output of `guix` commands can be piped in; so are derivations,
/// which are built, not substituted.
fn items(text: &str) -> Vec<ItemRef> {
    let is_derivation = |word: &str| {
        let path = word.parse::<StorePath>();
        path.is_ok_and(|path| path.is_derivation())
    };
    text.split_whitespace()
        .filter(|word| !is_derivation(word))
        .filter_map(|word| word.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::items;

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
        let labels = |text| {
            items(text)
                .into_iter()
                .map(|item| item.label)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            labels(size),
            ["/gnu/store/21q7lx382p28sibkw2l721ybjxymkh1a-hello"]
        );
        assert_eq!(
            labels(weather),
            ["/gnu/store/ifcypyirz39fix6ji7mblpsp5nfhmm7k-rig-empty"]
        );
        assert_eq!(labels(build), ["ifcypyirz39fix6ji7mblpsp5nfhmm7k"]);
    }
}
