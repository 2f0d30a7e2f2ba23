//! The check of a publication: every narinfo must be readable, be about the item of its
//! name, list only nars that are there, and refer only to items that are published;
//! every directory must be readable, and the journal.

use super::damage::{DamagedPart, damaged_records};
use super::failure::Failure;
use super::item_set::ItemSet;
use super::items::ItemRef;
use super::json;
use super::keys::view_of;
use super::nar_check::{Depth, NarCheck};
use super::nar_index::{NarIndex, NarSizes};
use super::narinfos::{self, PublishedNarinfo, nar_paths};
use super::nars::{self, PublishedNar};
use super::observer::{Event, Observer};
use super::request::Closure;
use super::top_files::{cache_info, page};
use crate::guix::{HashPart, NarPath, StorePath};
use crate::ipfs::cid::Cid;
use crate::node::Node;
use crate::publication::{Tree, choose_base, join, read_name_state};
use crate::util::parallel;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The terms of a check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its depth.
    pub depth: Depth,
    /// The items that must be published with one.
    pub closure: Closure,
    /// Narinfos that are read at once.
    pub jobs: u16,
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
    /// Directories and other parts that cannot be read.
    pub damaged: Vec<DamagedPart>,
    /// The nars that no narinfo lists. They harm nobody.
    pub unlisted: Vec<String>,
    /// The items that published ones refer to, and that are not published.
    #[serde(skip)]
    pub missing: BTreeSet<StorePath>,
}

impl VerifyReport {
    /// Returns true where nothing has a fault.
    pub fn is_whole(&self) -> bool {
        self.broken.is_empty() && self.damaged.is_empty()
    }
}

/// A published item with a fault.
#[derive(Clone, Debug, Serialize)]
pub struct BrokenItem {
    /// The name of its narinfo.
    #[serde(rename = "item")]
    pub name: String,
    /// The item, if the name has a store hash.
    #[serde(skip)]
    pub item: Option<ItemRef>,
    /// The fault.
    pub reason: String,
    /// The kind of fault.
    #[serde(skip)]
    pub fault: ItemFault,
}

/// The kinds of faults of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemFault {
    /// Its narinfo or a nar is not as it should be.
    Content,
    /// It refers to an item that is not published.
    Reference,
    /// Its narinfo was lost with a part of the root; its nars are there.
    Lost,
}

/// Checks the root that a key's name points to, or else the one to continue from, and
/// the key's journals.
///
/// # Errors
/// [`Failure::NoKey`]; the reason why the root cannot be read at all.
pub fn verify(
    node: &dyn Node,
    key: &str,
    check: Check,
    observer: &dyn Observer,
) -> Result<VerifyReport, Failure> {
    let view = view_of(node, key)?;
    let state = read_name_state(&view)?;
    let root = match state.published {
        Some(root) => root,
        None => choose_base(&view, &state, None)?,
    };
    let mut report = verify_root(&Tree::new(node, root), check, observer)?;
    report.damaged.extend(damaged_records(&view, &root)?);
    Ok(report)
}

/// Checks a root.
pub fn verify_root(
    tree: &Tree,
    check: Check,
    observer: &dyn Observer,
) -> Result<VerifyReport, Failure> {
    let mut report = VerifyReport {
        root: tree.root,
        narinfos: 0,
        nars: 0,
        broken: Vec::new(),
        damaged: cache_info(tree)?.into_iter().chain(page(tree)?).collect(),
        unlisted: Vec::new(),
        missing: BTreeSet::new(),
    };
    // Each thread that decompresses takes a processor, and memory for the window.
    let jobs = match check.depth {
        Depth::Hashes => check.jobs.min(parallel::processors()),
        Depth::Sizes => check.jobs,
    };
    let published = published(tree, check.jobs)?;
    let sizes = match check.depth {
        Depth::Hashes => NarSizes::Unknown,
        Depth::Sizes => NarSizes::Content,
    };
    let (index, unreadable) = NarIndex::read(tree, check.jobs, sizes)?;
    let mut listed = vec![false; index.len()];
    let nars = NarCheck {
        tree,
        depth: check.depth,
        index: &index,
    };
    let work = |narinfos: Vec<PublishedNarinfo>| {
        nars.read_ahead(narinfos.iter().flat_map(|narinfo| &narinfo.narinfo));
        let narinfos = narinfos.into_iter();
        let checked = narinfos.map(|narinfo| Checked::new(&nars, check, &published, narinfo));
        checked.collect()
    };
    let lost = narinfos::for_each_readable(tree, jobs, work, |checked: Checked| {
        report.narinfos += 1;
        report.nars += checked.nars.len() as u64;
        let places = checked.nars.iter().filter_map(|path| index.place(path));
        places.for_each(|place| listed[place] = true);
        report.missing.extend(checked.missing);
        match checked.broken {
            None => observer.notify(Event::Whole(&checked.name)),
            Some(broken) => report.broken.push(broken),
        }
    })?;
    let root_is_whole = lost.is_empty();
    report.damaged.extend(DamagedPart::of_shards(&[], lost));
    report.damaged.extend(unreadable);
    if !listed.iter().all(|is_listed| *is_listed) {
        let is_listed = |path: &[String]| index.place(path).is_some_and(|place| listed[place]);
        find_unlisted(
            tree,
            check.jobs,
            &mut report,
            root_is_whole,
            &published,
            is_listed,
        )?;
    }
    Ok(report)
}

/// The items whose narinfos can be found.
fn published(tree: &Tree, jobs: u16) -> Result<ItemSet, Failure> {
    let mut items = ItemSet::default();
    tree.for_each_part(&tree.root, jobs, |entries| {
        let found = entries.iter().filter_map(|(name, _)| item_of(name));
        items.extend(found.map(|item| item.hash));
        Ok::<_, Failure>(())
    })?;
    Ok(items)
}

/// The item that a narinfo's name stands for.
fn item_of(name: &str) -> Option<ItemRef> {
    let hash = narinfos::item_of(name)?;
    let label = name.to_owned();
    Some(ItemRef { hash, label })
}

/// A narinfo that was looked at.
struct Checked {
    name: String,
    /// The places of the nars that it lists.
    nars: Vec<Vec<String>>,
    /// The items that it refers to and that are not published.
    missing: Vec<StorePath>,
    broken: Option<BrokenItem>,
}

impl Checked {
    fn new(
        nar_check: &NarCheck,
        check: Check,
        published: &ItemSet,
        narinfo: PublishedNarinfo,
    ) -> Self {
        let PublishedNarinfo { name, narinfo } = narinfo;
        let mut missing = Vec::new();
        let mut nars = Vec::new();
        let checked = narinfo.and_then(|narinfo| {
            nars.extend(nar_paths(&narinfo));
            nar_check.check(&narinfo)?;
            if check.closure == Closure::Whole {
                missing.extend(narinfo.references);
                missing.retain(|path| !published.contains(&path.hash()));
            }
            Ok(())
        });
        let fault = match (checked, missing.as_slice()) {
            (Err(reason), _) => Some((ItemFault::Content, reason)),
            (Ok(()), []) => None,
            (Ok(()), [path, others @ ..]) => {
                let others = match others.len() {
                    0 => String::new(),
                    others => format!(" (nor are {others} more)"),
                };
                let reason = format!("it refers to {path}, which is not published{others}");
                Some((ItemFault::Reference, reason))
            }
        };
        let broken = fault.map(|(fault, reason)| BrokenItem {
            item: item_of(&name),
            name: name.clone(),
            reason,
            fault,
        });
        Self {
            name,
            nars,
            missing,
            broken,
        }
    }
}

/// Finds the nars that no narinfo lists. A nar with the hash of an item that is
/// published, or whose narinfo cannot have been lost, is listed by that item or by none;
/// any other may be listed by a narinfo that cannot be read.
fn find_unlisted(
    tree: &Tree,
    jobs: u16,
    report: &mut VerifyReport,
    root_is_whole: bool,
    published: &ItemSet,
    is_listed: impl Fn(&[String]) -> bool,
) -> Result<(), Failure> {
    let broken = report.broken.iter();
    let unread = broken.filter(|broken| broken.fault == ItemFault::Content);
    let unread: HashSet<HashPart> = unread
        .filter_map(|broken| Some(broken.item.as_ref()?.hash))
        .collect();
    let all_are_read = root_is_whole && unread.is_empty();
    // By item, since one may have several nars.
    let mut lost: BTreeMap<HashPart, String> = BTreeMap::new();
    nars::for_each_readable(tree, jobs, |nars| {
        for PublishedNar { path, .. } in nars {
            if is_listed(&path) {
                continue;
            }
            let name = path.last().map_or("", String::as_str);
            match NarPath::owner_of(name) {
                Some(item) if unread.contains(&item) => {}
                Some(item) if !root_is_whole && !published.contains(&item) => {
                    lost.entry(item).or_insert_with(|| name.to_owned());
                }
                None if !all_are_read => {}
                _ => report.unlisted.push(join(&path)),
            }
        }
    })?;
    report.broken.extend(lost.into_iter().map(|(hash, label)| {
        let reason =
            format!("its narinfo is lost with a part of the root; its nar {label} is still there");
        BrokenItem {
            name: format!("{hash}.narinfo"),
            item: Some(ItemRef { hash, label }),
            reason,
            fault: ItemFault::Lost,
        }
    }));
    Ok(())
}
