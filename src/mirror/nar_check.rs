//! The check of the nars that a published narinfo lists.

use super::narinfos::nar_paths;
use crate::guix::{ExpectedNar, NarError, NarVerifier, Narinfo, Variant};
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::NAMES_AT_ONCE;
use crate::node::Node;
use crate::publication::Tree;
use std::collections::HashMap;
use std::fmt::Display;
use std::io;

/// The depth of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The size of each nar, as its first block tells it.
    Sizes,
    /// The content of each nar.
    Hashes,
}

/// The check of the nars of some narinfos, which are looked up together.
pub struct NarCheck<'t> {
    tree: &'t Tree<'t>,
    depth: Depth,
    /// The sizes of the files that a first block tells of.
    sizes: HashMap<Cid, Result<u64, String>>,
}

impl<'t> NarCheck<'t> {
    /// Looks the nars of these narinfos up.
    pub fn of<'n>(
        tree: &'t Tree<'t>,
        depth: Depth,
        narinfos: impl IntoIterator<Item = &'n Narinfo>,
    ) -> Self {
        let paths: Vec<Vec<String>> = narinfos.into_iter().flat_map(nar_paths).collect();
        let mut files = Vec::new();
        for paths in paths.chunks(NAMES_AT_ONCE) {
            tree.read_ahead(paths);
            if depth == Depth::Sizes {
                let entries = paths.iter().filter_map(|path| tree.find(path).ok()?);
                files.extend(entries);
            }
        }
        let sizes = files
            .iter()
            .map(|file| file.cid)
            .zip(tree.file_sizes(&files));
        Self {
            tree,
            depth,
            sizes: sizes
                .map(|(file, size)| (file, size.map_err(|error| error.to_string())))
                .collect(),
        }
    }

    /// Fails with the fault of the first nar of a narinfo that has one.
    pub fn check(&self, narinfo: &Narinfo) -> Result<(), String> {
        for variant in &narinfo.variants {
            let about = |error: &dyn Display| format!("{}: {error}", variant.url);
            let path = variant.path().map_err(|error| about(&error))?;
            let entry = self.tree.find(path.components());
            let entry = entry.map_err(|error| about(&error))?;
            let entry = entry.ok_or_else(|| about(&"it is not there"))?;
            let checked = match self.depth {
                Depth::Hashes => check_content(self.tree.node(), &entry.cid, narinfo, variant),
                Depth::Sizes => self.check_size(&entry.cid, variant),
            };
            checked.map_err(|reason| about(&reason))?;
        }
        Ok(())
    }

    fn check_size(&self, file: &Cid, variant: &Variant) -> Result<(), String> {
        let size = match self.sizes.get(file) {
            Some(size) => size.clone()?,
            None => self
                .tree
                .file_size(file)
                .map_err(|error| error.to_string())?,
        };
        match variant.file_size {
            Some(listed) if listed != size => {
                Err(format!("it has {size} bytes, where FileSize says {listed}"))
            }
            _ => Ok(()),
        }
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
            None => format!("the node broke off: a block is missing or damaged ({error})"),
        }),
    }
}
