//! The check of the nars that a published narinfo lists.

use super::nar_index::NarIndex;
use super::narinfos::nar_paths;
use crate::guix::{ExpectedNar, NarError, NarVerifier, Narinfo, Variant};
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::NAMES_AT_ONCE;
use crate::node::Node;
use crate::publication::Tree;
use std::fmt::Display;
use std::io;

/// The depth of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The size of each nar, as its first block states it.
    Sizes,
    /// The content of each nar.
    Hashes,
}

/// The check of the nars that narinfos list.
#[derive(Clone, Copy)]
pub struct NarCheck<'t> {
    /// The tree that they lie in.
    pub tree: &'t Tree<'t>,
    /// The depth of the check.
    pub depth: Depth,
    /// Those that were found, with their sizes where the check needs no more.
    pub index: &'t NarIndex,
}

impl NarCheck<'_> {
    /// Reads the ways to the nars of these narinfos together, where each is looked up.
    pub fn read_ahead<'n>(&self, narinfos: impl IntoIterator<Item = &'n Narinfo>) {
        if self.depth == Depth::Hashes {
            let paths: Vec<Vec<String>> = narinfos.into_iter().flat_map(nar_paths).collect();
            for paths in paths.chunks(NAMES_AT_ONCE) {
                self.tree.read_ahead(paths);
            }
        }
    }

    /// Fails with the fault of the first nar of a narinfo that has one.
    pub fn check(&self, narinfo: &Narinfo) -> Result<(), String> {
        for variant in &narinfo.variants {
            let about = |error: &dyn Display| format!("{}: {error}", variant.url);
            let path = variant.path().map_err(|error| about(&error))?;
            let path = path.components();
            match (self.depth, self.index.size(path)) {
                (Depth::Sizes, Some(size)) if has_size(variant, size).is_ok() => continue,
                // Its fault is reported.
                _ => {}
            }
            let entry = self.tree.find(path).map_err(|error| about(&error))?;
            let entry = entry.ok_or_else(|| about(&"it is not there"))?;
            let checked = match self.depth {
                Depth::Hashes => check_content(self.tree.node(), &entry.cid, narinfo, variant),
                Depth::Sizes => match self.tree.file_size(&entry.cid) {
                    Ok(size) => has_size(variant, size),
                    Err(error) => Err(error.to_string()),
                },
            };
            checked.map_err(|reason| about(&reason))?;
        }
        Ok(())
    }
}

fn has_size(variant: &Variant, size: u64) -> Result<(), String> {
    match variant.file_size {
        Some(listed) if listed != size => {
            Err(format!("it has {size} bytes, but its FileSize is {listed}"))
        }
        _ => Ok(()),
    }
}

fn check_content(
    node: &dyn Node,
    file: &Cid,
    narinfo: &Narinfo,
    variant: &Variant,
) -> Result<(), String> {
    let content = node.read_file(file).map_err(|error| error.to_string())?;
    let expected = ExpectedNar::of(narinfo, variant);
    let mut nar = NarVerifier::new(content, expected).map_err(|error| error.to_string())?;
    match io::copy(&mut nar, &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(error) => Err(match NarError::from_io(&error) {
            Some(error) => error.to_string(),
            None => format!("the node stopped sending: a block is missing or damaged ({error})"),
        }),
    }
}
