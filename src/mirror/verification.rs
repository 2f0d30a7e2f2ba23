//! The check of a published root: every narinfo must be readable, be about the item
//! of its name, and list only nars that are there.

use super::failure::Failure;
use super::json;
use super::narinfos::{self, PublishedNarinfo};
use super::observer::{Event, Observer};
use crate::guix::{ExpectedNar, HashPart, NarError, NarVerifier, Narinfo, Variant};
use crate::ipfs::cid::Cid;
use crate::node::Node;
use crate::publication::{PublicationView, Tree, choose_base, read_name_state};
use serde::Serialize;
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

/// The result of a check.
#[derive(Debug, Serialize)]
pub struct VerifyReport {
    /// The root that was checked.
    #[serde(serialize_with = "json::text")]
    pub root: Cid,
    /// The number of its narinfos.
    pub narinfos: u64,
    /// The number of nars that they list.
    pub nars: u64,
    /// The items with a fault.
    pub broken: Vec<BrokenItem>,
}

/// A published item with a fault.
#[derive(Clone, Debug, Serialize)]
pub struct BrokenItem {
    /// The name of its narinfo.
    #[serde(rename = "item")]
    pub name: String,
    /// Its store hash, if the name has one.
    #[serde(skip)]
    pub hash: Option<HashPart>,
    /// The fault.
    pub reason: String,
}

/// Checks the root that a key's name points to, or else the one to go on from.
///
/// # Errors
/// [`Failure::NoKey`]; the reason why the root cannot be read.
pub fn verify(
    node: &dyn Node,
    key: &str,
    depth: Depth,
    jobs: u16,
    observer: &dyn Observer,
) -> Result<VerifyReport, Failure> {
    let Some(view) = PublicationView::of_key(node, key)? else {
        return Err(Failure::NoKey(key.to_owned()));
    };
    let state = read_name_state(&view)?;
    let root = match state.published {
        Some(root) => root,
        None => choose_base(&view, &state, None)?,
    };
    verify_root(&Tree::new(node, root), depth, jobs, observer)
}

/// Checks a root.
pub fn verify_root(
    tree: &Tree,
    depth: Depth,
    jobs: u16,
    observer: &dyn Observer,
) -> Result<VerifyReport, Failure> {
    let mut report = VerifyReport {
        root: tree.root,
        narinfos: 0,
        nars: 0,
        broken: Vec::new(),
    };
    let work = |published: PublishedNarinfo| {
        let hash = published.hash();
        let nars = published.narinfo.as_ref().map_or(0, |it| it.variants.len());
        let checked = published.narinfo;
        let checked = checked.and_then(|narinfo| check_nars(tree, &narinfo, depth));
        (published.name, hash, nars, checked)
    };
    narinfos::for_each(tree, jobs, work, |(name, hash, nars, checked)| {
        report.narinfos += 1;
        report.nars += nars as u64;
        match checked {
            Ok(()) => observer.notify(Event::Whole(&name)),
            Err(reason) => report.broken.push(BrokenItem { name, hash, reason }),
        }
    })?;
    Ok(report)
}

/// Fails with the fault of the first nar that has one.
fn check_nars(tree: &Tree, narinfo: &Narinfo, depth: Depth) -> Result<(), String> {
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
