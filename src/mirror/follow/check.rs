//! The check of a new root before it is held: it is a mirror, its new narinfos are signed
//! and list nars that are there, and it brings little else.

use super::changes::{ChangedNar, Roots};
use super::checked::Checked;
use super::faults::{Fault, Faults, nar_fault};
use super::halt::Halt;
use super::held::HeldFigures;
use super::new_nars::NewNars;
use super::objection::{MOST_OTHERS, Objection};
use super::request::FollowRequest;
use crate::guix::{HashPart, NarPath, Narinfo, SignatureError};
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Changed, Entry};
use crate::mirror::lookup::check_paths;
use crate::mirror::narinfos::{self, PublishedNarinfo, nar_paths};
use crate::mirror::observer::{Event, Observer};
use crate::mirror::top_files::cache_info;
use crate::publication::join;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The check of a new root.
pub struct Check<'c, 'n> {
    /// The root that is held, and the new one.
    pub roots: &'c Roots<'n>,
    /// The figures of the root that is held, also where the new one is not compared with it.
    pub held: HeldFigures,
    /// The terms.
    pub request: &'c FollowRequest,
    /// The receiver of events.
    pub observer: &'c dyn Observer,
}

/// All that was found so far.
#[derive(Default)]
struct Found {
    checked: Checked,
    nars: NewNars,
    faults: Faults,
}

/// A narinfo that was looked at, with the nars that it lists.
type Judged = (String, Result<Narinfo, Fault>);

impl Check<'_, '_> {
    /// Looks at all that differs.
    pub fn run(&self) -> Result<Checked, Halt> {
        let tree = &self.roots.new;
        if !tree.is_mirror()? {
            return Err(Objection::NoMirror.into());
        }
        if let Some(part) = cache_info(tree)? {
            let text = format!("{}: {}", part.path, part.reason);
            return Err(Objection::Malformed(text).into());
        }
        let whole = tree.whole()?.size;
        self.require_room(whole)?;
        let mut found = Found::default();
        let looks_at_all = self.nars(&mut found)?;
        self.files(&mut found)?;
        if looks_at_all {
            let mut all = Vec::new();
            tree.for_each_part(&tree.root, self.request.jobs, |entries| {
                all.extend(entries);
                Ok::<_, Halt>(())
            })?;
            all.retain(|(name, _)| name.ends_with(".narinfo"));
            self.narinfos(all, &mut found)?;
        }
        self.unlisted(&mut found)?;
        self.conclude(found, whole)
    }

    /// Takes the nars that differ. Returns true where every narinfo must be read,
    /// because one of them may list a nar that is gone.
    fn nars(&self, found: &mut Found) -> Result<bool, Halt> {
        let mut looks_at_all = false;
        self.roots.for_each_nar(&mut |changed| {
            let mut gone = Vec::new();
            for ChangedNar { path, old, new } in changed {
                found.checked.count(old, new);
                match new {
                    Some(entry) => {
                        found.checked.files += 1;
                        found.nars.add(&path, entry.size);
                    }
                    None => {
                        looks_at_all |= owner(&path).is_none();
                        gone.push(path);
                    }
                }
            }
            for (path, _) in self.listed_by_owners(&gone)? {
                let name = owner(&path).map(|item| narinfos::narinfo_name(&item));
                let fault = Fault::of(format!("it lists {}, which is gone", join(&path)));
                found.faults.add(name.unwrap_or_default(), fault);
            }
            Ok(())
        })?;
        Ok(looks_at_all)
    }

    /// Takes the files beside `nar` that differ.
    fn files(&self, found: &mut Found) -> Result<(), Halt> {
        self.roots.for_each_file(&mut |changed| {
            let checked = &mut found.checked;
            let mut narinfos = Vec::new();
            for Changed { name, old, new } in changed {
                checked.count(old, new);
                if !name.ends_with(".narinfo") {
                    if let Some(new) = new {
                        checked.files += 1;
                        checked.other(name, new);
                    }
                    continue;
                }
                match (old, new) {
                    (None, _) => checked.changes.new += 1,
                    (Some(_), Some(_)) => checked.changes.changed += 1,
                    (Some(_), None) => checked.changes.gone += 1,
                }
                narinfos.extend(new.map(|new| (name, new)));
            }
            self.narinfos(narinfos, found)
        })
    }

    /// Reads these narinfos, and marks the nars that they list.
    fn narinfos(&self, entries: Vec<(String, Entry)>, found: &mut Found) -> Result<(), Halt> {
        let Found { nars, faults, .. } = found;
        let (sizes, entries): (HashMap<_, _>, Vec<_>) = entries
            .into_iter()
            .map(|(name, Entry { cid, size })| ((name.clone(), size), (name, cid)))
            .unzip();
        let judge = |PublishedNarinfo { name, narinfo }| -> Judged {
            let size = sizes.get(&name).copied().unwrap_or_default();
            (name, self.judge(narinfo, size))
        };
        let judge = |some: Vec<PublishedNarinfo>| some.into_iter().map(judge).collect();
        let tree = &self.roots.new;
        let mut elsewhere = Vec::new();
        narinfos::for_each_of(tree, self.roots.blocks.at_once, entries, judge, |judged| {
            let (name, judged) = judged;
            let narinfo = match judged {
                Ok(narinfo) => narinfo,
                Err(fault) => return faults.add(name, fault),
            };
            let before = faults.count;
            for path in nar_paths(&narinfo) {
                match nars.list(&path) {
                    Some(size) => faults.extend(&name, nar_fault(&path, size, &narinfo)),
                    None => elsewhere.push((name.clone(), path)),
                }
            }
            if faults.count == before {
                self.observer.notify(Event::Whole(&name));
            }
        })?;
        // Nars that are as they were.
        let (names, paths): (Vec<String>, Vec<Vec<String>>) = elsewhere.into_iter().unzip();
        let found = tree.find_each(&paths)?;
        for ((name, path), found) in names.into_iter().zip(&paths).zip(found) {
            if found.is_none() {
                let reason = format!("it lists {}, which is not there", join(path));
                faults.add(name, Fault::of(reason));
            }
        }
        Ok(())
    }

    /// Checks a narinfo by itself; `size` is that which the directory states.
    fn judge(&self, narinfo: Result<Narinfo, String>, size: u64) -> Result<Narinfo, Fault> {
        let narinfo = narinfo.map_err(Fault::of)?;
        if let Some(keys) = &self.request.keys {
            keys.check(&narinfo).map_err(|error| Fault {
                reason: error.to_string(),
                is_unsigned: matches!(
                    error,
                    SignatureError::Unsigned | SignatureError::Untrusted(_)
                ),
            })?;
        }
        check_paths(&narinfo).map_err(Fault::of)?;
        match narinfo.bytes().len() as u64 {
            bytes if bytes > size => Err(Fault::of(format!(
                "it has {bytes} bytes, but its directory lists {size}"
            ))),
            _ => Ok(narinfo),
        }
    }

    /// Counts the new nars that no narinfo lists.
    fn unlisted(&self, found: &mut Found) -> Result<(), Halt> {
        let Found {
            checked,
            nars,
            faults,
        } = found;
        if nars.all_are_listed() {
            return Ok(());
        }
        self.roots.for_each_nar(&mut |changed| {
            let new = changed
                .into_iter()
                .filter_map(|nar| Some((nar.path, nar.new?)));
            let unlisted: Vec<(Vec<String>, Entry)> =
                new.filter(|(path, _)| !nars.is_listed(path)).collect();
            let paths: Vec<Vec<String>> = unlisted.iter().map(|(path, _)| path.clone()).collect();
            // Those that are new while their narinfo is unchanged.
            let listed = self.listed_by_owners(&paths)?;
            for (path, entry) in unlisted {
                match listed.get(&path) {
                    Some(narinfo) => {
                        let name = narinfos::narinfo_name(&narinfo.store_path.hash());
                        faults.extend(&name, nar_fault(&path, entry.size, narinfo));
                    }
                    None => checked.other(join(&path), entry),
                }
            }
            Ok(())
        })
    }

    /// Those of these nars that the narinfos of the new root list, of the items whose
    /// hashes they have; each with that narinfo.
    fn listed_by_owners(
        &self,
        paths: &[Vec<String>],
    ) -> Result<HashMap<Vec<String>, Narinfo>, Halt> {
        let tree = &self.roots.new;
        let owners: BTreeSet<_> = paths.iter().filter_map(|path| owner(path)).collect();
        let owners: Vec<_> = owners.into_iter().collect();
        let entries = narinfos::entries(tree, &owners)?;
        let entries = owners.iter().zip(entries);
        let there: Vec<(String, Cid)> = entries
            .filter_map(|(item, entry)| Some((narinfos::narinfo_name(item), entry?.cid)))
            .collect();
        let paths: HashSet<&Vec<String>> = paths.iter().collect();
        let mut listed = HashMap::new();
        let parsed = |narinfos: Vec<PublishedNarinfo>| {
            let narinfos = narinfos.into_iter();
            narinfos.filter_map(|it| it.narinfo.ok()).collect()
        };
        let at_once = self.roots.blocks.at_once;
        narinfos::for_each_of(tree, at_once, there, parsed, |narinfo: Narinfo| {
            let found = nar_paths(&narinfo).filter(|path| paths.contains(path));
            listed.extend(found.map(|path| (path, narinfo.clone())));
        })?;
        Ok(listed)
    }

    fn conclude(&self, found: Found, whole: u64) -> Result<Checked, Halt> {
        let (mut checked, faults) = (found.checked, found.faults);
        let changes = checked.changes;
        let items = self.held.items;
        let (held, gone) = match self.roots.old {
            Some(_) => (self.held, changes.gone),
            // Without a comparison, at least so many.
            None => (HeldFigures::default(), items.saturating_sub(changes.new)),
        };
        if gone.saturating_mul(2) > items && !self.request.accepts_loss {
            return Err(Objection::Loss { gone, items }.into());
        }
        if let Some((name, fault)) = faults.first {
            return Err(Objection::Narinfo {
                name,
                reason: fault.reason,
                others: faults.count - 1,
                is_unsigned: fault.is_unsigned,
            }
            .into());
        }
        let figures = &mut checked.figures;
        figures.items = (held.items + changes.new).saturating_sub(changes.gone);
        // A root may state less than its files have.
        let bytes = held.bytes.saturating_add(changes.bytes_new);
        figures.bytes = bytes.saturating_sub(checked.bytes_gone);
        figures.others = figures.others.saturating_add(held.others);
        figures.since = self.request.now.into();
        self.require_room(whole.max(figures.bytes))?;
        match checked.other.take() {
            Some((_, example)) if checked.figures.others > MOST_OTHERS => {
                let bytes = checked.figures.others;
                Err(Objection::Others { example, bytes }.into())
            }
            _ => Ok(checked),
        }
    }

    fn require_room(&self, bytes: u64) -> Result<(), Objection> {
        match self.request.max_size {
            Some(most) if bytes > most => Err(Objection::TooLarge { bytes, most }),
            _ => Ok(()),
        }
    }
}

fn owner(path: &[String]) -> Option<HashPart> {
    NarPath::owner_of(path.last()?)
}
