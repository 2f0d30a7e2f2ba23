//! The check of the nars that a published narinfo lists.

use crate::guix::{ExpectedNar, NarError, NarVerifier, Narinfo, Variant};
use crate::ipfs::cid::Cid;
use crate::node::Node;
use crate::publication::Tree;
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

/// Fails with the fault of the first nar that has one.
pub fn check_nars(tree: &Tree, narinfo: &Narinfo, depth: Depth) -> Result<(), String> {
    for variant in &narinfo.variants {
        let about = |error: &dyn Display| format!("{}: {error}", variant.url);
        let path = variant.path().map_err(|error| about(&error))?;
        let entry = tree
            .find(path.components())
            .map_err(|error| about(&error))?;
        let entry = entry.ok_or_else(|| about(&"it is not there"))?;
        let checked = match depth {
            Depth::Hashes => check_content(tree.node(), &entry.cid, narinfo, variant),
            Depth::Sizes => check_size(tree, &entry.cid, variant),
        };
        checked.map_err(|reason| about(&reason))?;
    }
    Ok(())
}

fn check_size(tree: &Tree, file: &Cid, variant: &Variant) -> Result<(), String> {
    let size = tree.file_size(file).map_err(|error| error.to_string())?;
    match variant.file_size {
        Some(listed) if listed != size => {
            Err(format!("it has {size} bytes, where FileSize says {listed}"))
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
            None => format!("the node broke off: a block is missing or damaged ({error})"),
        }),
    }
}
