//! `remove`: takes items out again, with the nars that nobody else lists.

use super::plan::{LeftOut, narinfo_name};
use super::scan::{self, Found};
use super::session::Session;
use crate::cli::{Global, Remove};
use crate::failure::{Exit, Failure};
use crate::guix::{HashPart, Narinfo};
use crate::publication::graft::{self, Engine};
use crate::publication::{KeyState, Tree, adopt, find, transact};
use crate::report::{Report, items};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Runs `remove`.
pub fn run(global: &Global, args: &Remove, report: &Report) -> Result<Exit, Failure> {
    let session = Session::open(global)?;
    if session.key(&global.key)?.is_none() {
        return Err(Failure::NoKey(global.key.clone()));
    }
    let (mut site, _) = session.site(&global.key, &args.publish)?;
    let found = find(&site)?;
    let mut base = adopt(&mut site, found, KeyState::Old, None)?;
    let mut removal = Removal::default();
    let before = base.root;
    let read = Tree::new(site.node, before);
    // Asked again where another writer was quicker.
    let committed = transact(&site, &mut base, &read, Engine::Car, |tree, stage| {
        removal = Removal::plan(tree, args, global.jobs)?;
        if removal.paths.is_empty() {
            return Ok(None);
        }
        let put = &mut |cid, block: Vec<u8>| stage.block(&cid, &block);
        Ok::<_, Failure>(Some(graft::remove(tree, &removal.paths, put)?))
    })?;
    if base.root != before {
        session.announce(&site, &base.root, report);
    }
    for LeftOut { item, reason } in &removal.absent {
        report.error(&format!("{item}: {reason}"));
    }
    for path in &removal.removed {
        report.detail(path);
    }
    report.say(&format!(
        "removed {}, {} files; /ipns/{} points to /ipfs/{}",
        items(removal.removed.len()),
        removal.paths.len(),
        site.key.id,
        base.root
    ));
    report.sum(&json!({
        "command": "remove",
        "key": site.key.name,
        "name": site.key.id,
        "root": base.root.to_string(),
        "before": before.to_string(),
        "published": committed == crate::publication::Committed::Published,
        "removed": removal.removed,
        "files": removal.paths.len(),
        "missing": removal.absent,
    }));
    Ok(match removal.absent.is_empty() {
        true => Exit::Done,
        false => Exit::Partly,
    })
}

/// What is taken out.
#[derive(Debug, Default)]
struct Removal {
    /// The files, narinfos and nars.
    paths: Vec<Vec<String>>,
    /// The items, by their store paths where those are known.
    removed: Vec<String>,
    /// What is not published.
    absent: Vec<LeftOut>,
}

impl Removal {
    /// Looks for the items, and at every other narinfo: one that refers to an item
    /// keeps it, and one that lists its nar keeps that.
    fn plan(tree: &Tree, args: &Remove, jobs: u16) -> Result<Self, Failure> {
        let mut removal = Self::default();
        let mut wanted = HashMap::new();
        for item in &args.items {
            match tree.find(&[narinfo_name(&item.hash)])? {
                Some(_) => {
                    wanted.insert(item.hash, item.label.clone());
                }
                None => removal.absent.push(LeftOut {
                    item: item.label.clone(),
                    reason: "it is not published".to_owned(),
                }),
            }
        }
        if wanted.is_empty() {
            return Ok(removal);
        }
        let mut nars: BTreeSet<Vec<String>> = BTreeSet::new();
        let mut others: HashSet<Vec<String>> = HashSet::new();
        let mut referrers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let work = |found: Found| {
            let hash = found.hash();
            let of_wanted = hash.is_some_and(|hash| wanted.contains_key(&hash));
            (found, of_wanted)
        };
        scan::narinfos(tree, jobs, work, |(found, of_wanted)| {
            let Ok(narinfo) = &found.narinfo else {
                // What cannot be read refers to nothing that a client could find.
                if of_wanted {
                    removal.paths.push(vec![found.name.clone()]);
                    removal.removed.push(found.name);
                }
                return;
            };
            match of_wanted {
                true => {
                    removal.paths.push(vec![found.name.clone()]);
                    removal.removed.push(narinfo.store_path.to_string());
                    nars.extend(paths(narinfo));
                }
                false => {
                    for needed in references_to(narinfo, &wanted) {
                        let by = narinfo.store_path.to_string();
                        referrers.entry(needed).or_default().push(by);
                    }
                    // Nearly all nars bear the hash of their own item.
                    let hash = narinfo.store_path.hash().to_string();
                    let foreign = |path: &Vec<String>| {
                        path.last().is_none_or(|name| !name.starts_with(&hash))
                    };
                    others.extend(paths(narinfo).filter(foreign));
                }
            }
        })?;
        if let (Some((item, by)), false) = (referrers.first_key_value(), args.force) {
            return Err(Failure::InUse {
                item: item.clone(),
                by: by[0].clone(),
                others: by.len() - 1,
            });
        }
        let alone = nars.into_iter().filter(|path| !others.contains(path));
        for path in alone {
            if tree.find(&path)?.is_some() {
                removal.paths.push(path);
            }
        }
        Ok(removal)
    }
}

/// Where the nars of a narinfo are.
fn paths(narinfo: &Narinfo) -> impl Iterator<Item = Vec<String>> {
    let paths = narinfo.variants.iter().filter_map(|it| it.path().ok());
    paths.map(|path| path.components().to_vec())
}

/// The wanted items that a narinfo refers to.
fn references_to(narinfo: &Narinfo, wanted: &HashMap<HashPart, String>) -> Vec<String> {
    let references = narinfo.references.iter();
    references
        .filter(|path| wanted.contains_key(&path.hash()))
        .map(ToString::to_string)
        .collect()
}
