//! The judge of a mirror: what its name points to, read by the tests' own reader, beside
//! the account of what was listed, named and removed.

use crate::item::{DAY, ItemId, Minute};
use crate::ledger::Ledger;
use crate::site::{KEY, Site};
use crate::support::TestNode;
use cid::Cid;
use guix_ipfs::mirror::OwedKind;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

/// The time in which an item that can be had comes in: the longest pause between two
/// tries is a day.
const PATIENCE: Minute = DAY + DAY / 2;

/// The time after which an item is given up.
const GIVEN_UP_AFTER: Minute = 14 * DAY;

/// The judge, who keeps the blocks that were read. They cannot change, but they can go;
/// so each day the node is asked for all that it holds.
#[derive(Default)]
pub struct Judge {
    known: HashMap<String, Vec<u8>>,
}

impl Judge {
    /// Forgets all blocks, so that the next judgement reads each from the node.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    pub fn judge(&mut self, site: &mut Site) {
        let name = site.node.key_id(KEY).expect("the key");
        let path = site.node.node().resolve(&name).unwrap();
        let path = path.expect("the name resolves");
        let root = path.strip_prefix("/ipfs/").unwrap();
        let journals = is_kept_by_journals(site.node, &name, root);
        let read = RefCell::new(HashMap::new());
        let get = |cid: &str| {
            let known = self.known.get(cid).cloned();
            let block = known.or_else(|| site.node.raw_block(cid))?;
            read.borrow_mut().insert(cid.to_owned(), block.clone());
            Some(block)
        };
        let tree = site.node.published_through(&get, root);
        self.known = read.into_inner();
        let held = held_blocks(site.node);
        for cid in self.known.keys() {
            let hash = cid.parse::<Cid>().unwrap().hash().to_bytes();
            assert!(held.contains(&hash), "the node does not hold {cid}");
        }
        tree.judge();
        let published: BTreeSet<ItemId> = tree
            .hashes()
            .iter()
            .map(|hash| site.world.by_hash[hash])
            .collect();
        for (by, reference) in tree.open_references() {
            let id = site.world.by_hash[&reference];
            let may_lack = site.wanted.forced.contains(&id) || site.wanted.uncertain.contains(&id);
            assert!(may_lack, "{by} refers to {reference}, which is not there");
        }
        nothing_is_lost(site, &published);
        let wanted_since = wanted_since(site);
        nothing_came_unasked(site, &published, &wanted_since);
        let ledger = Ledger::of(site.node);
        site.wanted.note_given_up(&ledger);
        // The last run may have been killed before it published what it pinned; then the
        // ledger is that of a root to come.
        if journals == 1 {
            everything_is_accounted_for(site, &published, &ledger);
            nothing_else_is_owed(site, &published, &ledger, &wanted_since);
            let items = &site.world.items;
            let is_owed = |id: &ItemId| ledger.owed.contains_key(&items[*id].hash);
            let is_gone = |id: &ItemId| !published.contains(id) && !is_owed(id);
            site.wanted.prunable.retain(is_gone);
        }
        site.wanted.published = published;
    }
}

/// A pinned journal holds the root. Returns the number of those that are pinned.
fn is_kept_by_journals(node: &TestNode, name: &str, root: &str) -> usize {
    let root = root.parse::<Cid>().unwrap().to_bytes();
    let journals = node.pins_named(&format!("guix-ipfs/{name}"));
    let holds = |journal: &String| {
        let block = node.raw_block(journal).expect("the journal's block");
        block.windows(root.len()).any(|part| part == root)
    };
    let is_kept = journals.iter().any(holds);
    assert!(is_kept, "no pinned journal holds the published root");
    journals.len()
}

fn nothing_is_lost(site: &Site, published: &BTreeSet<ItemId>) {
    let before = site.wanted.published.iter();
    let lost: Vec<&str> = before
        .filter(|id| {
            let may_go = site.wanted.is_removed(**id) || site.wanted.prunable.contains(id);
            !published.contains(id) && !may_go
        })
        .map(|id| site.world.items[*id].basename.as_str())
        .collect();
    assert!(lost.is_empty(), "published once, and gone: {lost:?}");
}

fn nothing_came_unasked(
    site: &Site,
    published: &BTreeSet<ItemId>,
    wanted_since: &HashMap<ItemId, Minute>,
) {
    let unasked = published.iter().filter(|id| !wanted_since.contains_key(id));
    let unasked: Vec<&str> = unasked
        .map(|id| site.world.items[*id].basename.as_str())
        .collect();
    assert!(unasked.is_empty(), "published unasked: {unasked:?}");
}

/// The items that some run may have wanted, or that those refer to, with the moment
/// since when.
fn wanted_since(site: &Site) -> HashMap<ItemId, Minute> {
    let possible = site.wanted.possible.iter();
    let mut wanted: HashMap<ItemId, Minute> = possible.map(|(id, since)| (*id, *since)).collect();
    // All references are to older items.
    for (id, item) in site.world.items.iter().enumerate().rev() {
        if let Some(since) = wanted.get(&id).copied() {
            for reference in &item.references {
                let earliest = wanted.entry(*reference).or_insert(since);
                *earliest = since.min(*earliest);
            }
        }
    }
    wanted
}

/// Everything that was wanted is published, owed, given up or removed, and nothing else
/// is.
fn everything_is_accounted_for(site: &Site, published: &BTreeSet<ItemId>, ledger: &Ledger) {
    let items = &site.world.items;
    let mut lost = BTreeMap::new();
    let mut late = BTreeMap::new();
    let end_of_trouble = (site.world.farms.iter())
        .map(|farm| farm.last_trouble(site.now))
        .max()
        .unwrap_or(0);
    for (id, since) in &site.wanted.due {
        let item = &items[*id];
        let is_removed = site.wanted.is_removed(*id);
        if published.contains(id) || is_removed || site.wanted.prunable.contains(id) {
            continue;
        }
        let owed = ledger.owed.get(&item.hash);
        let description = || {
            let settled = item.settled;
            format!(
                "{}, due since {since}, to be had since {settled}: {owed:?}",
                item.basename
            )
        };
        let closure = site.world.closure([*id]);
        let taken_back = closure
            .iter()
            .filter_map(|id| site.wanted.taken_back.get(id));
        let expected = item
            .settled
            .max(*since)
            .max(end_of_trouble)
            .max(taken_back.copied().max().unwrap_or(0))
            .saturating_add(PATIENCE);
        let needs_removed = closure.iter().any(|id| site.wanted.is_removed(*id));
        let is_given_up = site.wanted.given_up.contains(id);
        match owed {
            None if is_given_up => {}
            None => drop(lost.insert(id, description())),
            Some(owed) if owed.given_up || needs_removed => {}
            Some(_) if site.wanted.last_full > expected => drop(late.insert(id, description())),
            Some(_) => {}
        }
    }
    assert!(lost.is_empty(), "wanted once, and forgotten: {lost:#?}");
    assert!(late.is_empty(), "to be had, and still owed: {late:#?}");
    for id in &site.wanted.removed {
        let item = &items[*id];
        // A run that was broken off may have taken it back.
        let is_sure = !site.wanted.uncertain.contains(id);
        let is_known = !is_sure || ledger.removed.contains(&item.hash);
        assert!(
            is_known,
            "removed, and not in the ledger: {}",
            item.basename
        );
        assert!(
            !published.contains(id),
            "removed, and back: {}",
            item.basename
        );
    }
}

fn nothing_else_is_owed(
    site: &Site,
    published: &BTreeSet<ItemId>,
    ledger: &Ledger,
    wanted_since: &HashMap<ItemId, Minute>,
) {
    for (hash, owed) in &ledger.owed {
        let id = site.world.by_hash[hash];
        // One of two writers may still owe, for one pause, what the other published.
        let is_settled = site.now > site.wanted.last_pair + PATIENCE;
        let is_published = is_settled && published.contains(&id);
        assert!(!is_published, "owed and published: {owed:?}");
        let has_reason = !owed.attempt.reason.is_empty() || owed.attempt.kind == OwedKind::Left;
        assert!(has_reason, "owed without a reason: {owed:?}");
        let since = wanted_since.get(&id);
        let since = since.unwrap_or_else(|| panic!("owed, and never wanted: {owed:?}"));
        // A clock that is wrong for one run adds no more than the longest pause.
        let jumps = site.wanted.jumps.iter().filter(|at| *at >= since).count() as Minute;
        let is_time = site.now + jumps * DAY >= since + GIVEN_UP_AFTER;
        assert!(
            !owed.given_up || is_time,
            "wanted since {since}, and given up: {owed:?}"
        );
    }
}

/// The multihashes of all blocks that the node holds, as it lists them itself.
fn held_blocks(node: &TestNode) -> HashSet<Vec<u8>> {
    match node.api.strip_prefix("embedded:") {
        Some(folder) => {
            let shelves = Path::new(folder).join("blocks").read_dir().unwrap();
            let files = shelves.flat_map(|shelf| shelf.unwrap().path().read_dir().unwrap());
            let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
            names.filter_map(|name| unhex(&name)).collect()
        }
        None => {
            let listed = node.rpc("refs/local").text();
            let lines = listed.lines().map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["Ref"].as_str().unwrap().parse::<Cid>().unwrap()
            });
            lines.map(|cid| cid.hash().to_bytes()).collect()
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let bytes = (0..text.len()).step_by(2);
    bytes
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}
