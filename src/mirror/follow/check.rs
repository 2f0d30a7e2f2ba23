//! The check of a new root before it is held: it is a mirror, its new narinfos are signed
//! and list nars that are there, and it brings little else.

use super::changes::{ChangedNar, Roots};
use super::halt::Halt;
use super::held::HeldFigures;
use super::new_nars::NewNars;
use super::objection::{MOST_OTHERS, Objection};
use super::request::FollowRequest;
use crate::guix::{NarPath, Narinfo, SignatureError};
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Changed, Entry};
use crate::mirror::lookup::check_paths;
use crate::mirror::narinfos::{self, PublishedNarinfo, nar_paths};
use crate::mirror::observer::{Event, Observer};
use crate::mirror::verification::cache_info;
use crate::publication::join;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Bytes by which a nar may be larger than NarSize says, besides a sixteenth: what cannot
/// be compressed grows a little.
const NAR_BESIDE: u64 = 64 << 10;

/// Bytes that a file outside the layout of a mirror takes besides its own.
const OTHER_BESIDE: u64 = 64;

/// The check of a new root.
pub struct Check<'c, 'n> {
    /// The root that is held, and the new one.
    pub roots: &'c Roots<'n>,
    /// The figures of the root that is held, where the new one is compared with it.
    pub held: Option<HeldFigures>,
    /// Items of the root that is held.
    pub items: u64,
    /// The terms.
    pub request: &'c FollowRequest,
    /// The receiver of events.
    pub observer: &'c dyn Observer,
}

/// The figures of a root that may be held.
#[derive(Debug, Default)]
pub struct Checked {
    /// Those of the whole.
    pub figures: HeldFigures,
    /// Items that were not there before.
    pub new: u64,
    /// Items whose narinfos are others than before.
    pub changed: u64,
    /// Items that are not there any more.
    pub gone: u64,
    /// Files that are still to come.
    pub files: usize,
    /// Bytes of the files that are new or others than before.
    pub bytes: u64,
    /// Bytes of those that are not there any more, or were others.
    bytes_gone: u64,
    /// The largest file outside the layout of a mirror, after its size.
    other: Option<(u64, String)>,
}

/// The faults of narinfos.
#[derive(Default)]
struct Faults {
    first: Option<(String, Fault)>,
    count: u64,
}

/// The fault of a narinfo.
struct Fault {
    reason: String,
    is_unsigned: bool,
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
        let mut checked = Checked::default();
        let mut faults = Faults::default();
        let mut nars = NewNars::default();
        let looks_at_all = self.nars(&mut checked, &mut nars, &mut faults)?;
        self.files(&mut checked, &mut nars, &mut faults)?;
        if looks_at_all {
            let mut all = Vec::new();
            tree.for_each_part(&tree.root, self.request.jobs, |entries| {
                all.extend(entries);
                Ok::<_, Halt>(())
            })?;
            all.retain(|(name, _)| name.ends_with(".narinfo"));
            self.narinfos(all, &mut nars, &mut faults)?;
        }
        self.unlisted(&mut checked, &nars, &mut faults)?;
        self.conclude(checked, whole, faults)
    }

    /// Takes the nars that differ. Returns true where every narinfo must be read,
    /// because one of them may list a nar that is gone.
    fn nars(
        &self,
        checked: &mut Checked,
        nars: &mut NewNars,
        faults: &mut Faults,
    ) -> Result<bool, Halt> {
        let mut looks_at_all = false;
        self.roots.for_each_nar(&mut |changed| {
            let mut gone = Vec::new();
            for ChangedNar { path, old, new } in changed {
                checked.count(old, new);
                match new {
                    Some(entry) => {
                        checked.files += 1;
                        nars.add(&path, entry.size);
                    }
                    None => {
                        looks_at_all |= owner(&path).is_none();
                        gone.push(path);
                    }
                }
            }
            for (path, _) in self.listed_by_owners(&gone)? {
                let name = owner(&path).map(|item| narinfos::narinfo_name(&item));
                let reason = format!("it lists {}, which is gone", join(&path));
                faults.add(name.unwrap_or_default(), Fault::of(reason));
            }
            Ok(())
        })?;
        Ok(looks_at_all)
    }

    /// Takes the files beside `nar` that differ.
    fn files(
        &self,
        checked: &mut Checked,
        nars: &mut NewNars,
        faults: &mut Faults,
    ) -> Result<(), Halt> {
        self.roots.for_each_file(&mut |changed| {
            let mut found = Vec::new();
            for Changed { name, old, new } in changed {
                checked.count(old, new);
                if !name.ends_with(".narinfo") {
                    checked.files += usize::from(new.is_some());
                    checked.other(name, new);
                    continue;
                }
                match (old, new) {
                    (None, _) => checked.new += 1,
                    (Some(_), Some(_)) => checked.changed += 1,
                    (Some(_), None) => checked.gone += 1,
                }
                found.extend(new.map(|new| (name, new)));
            }
            self.narinfos(found, nars, faults)
        })
    }

    /// Reads these narinfos, and marks the nars that they list.
    fn narinfos(
        &self,
        entries: Vec<(String, Entry)>,
        nars: &mut NewNars,
        faults: &mut Faults,
    ) -> Result<(), Halt> {
        let sizes: HashMap<String, u64> = entries
            .iter()
            .map(|(name, entry)| (name.clone(), entry.size))
            .collect();
        let entries: Vec<(String, Cid)> = entries
            .into_iter()
            .map(|(name, entry)| (name, entry.cid))
            .collect();
        let judge = |published: Vec<PublishedNarinfo>| -> Vec<Judged> {
            let judge = |published: PublishedNarinfo| {
                let size = sizes.get(&published.name).copied().unwrap_or_default();
                let judged = self.judge(published.narinfo, size);
                (published.name, judged)
            };
            published.into_iter().map(judge).collect()
        };
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
                    None => elsewhere.push((name.clone(), path, narinfo.nar_size)),
                }
            }
            if faults.count == before {
                self.observer.notify(Event::Whole(&name));
            }
        })?;
        // Nars that are as they were.
        let paths: Vec<Vec<String>> = elsewhere.iter().map(|(_, path, _)| path.clone()).collect();
        let found = tree.find_each(&paths)?;
        for ((name, path, _), found) in elsewhere.iter().zip(found) {
            if found.is_none() {
                let reason = format!("it lists {}, which is not there", join(path));
                faults.add(name.clone(), Fault::of(reason));
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
    fn unlisted(
        &self,
        checked: &mut Checked,
        nars: &NewNars,
        faults: &mut Faults,
    ) -> Result<(), Halt> {
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
                    None => checked.other(join(&path), Some(entry)),
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

    fn conclude(&self, mut checked: Checked, whole: u64, faults: Faults) -> Result<Checked, Halt> {
        let held = self.held.unwrap_or_default();
        let items = self.items;
        // Without a comparison, at least so many.
        let gone = match self.held {
            Some(_) => checked.gone,
            None => items.saturating_sub(checked.new),
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
        figures.items = (held.items + checked.new).saturating_sub(checked.gone);
        // A root may state less than its files have.
        let bytes = held.bytes.saturating_add(checked.bytes);
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

impl Checked {
    fn count(&mut self, old: Option<Entry>, new: Option<Entry>) {
        let size = |entry: Option<Entry>| entry.map_or(0, |entry| entry.size);
        self.bytes = self.bytes.saturating_add(size(new));
        self.bytes_gone = self.bytes_gone.saturating_add(size(old));
    }

    /// Counts a new file outside the layout of a mirror.
    fn other(&mut self, path: String, new: Option<Entry>) {
        let Some(entry) = new else {
            return;
        };
        let bytes = entry.size.saturating_add(path.len() as u64 + OTHER_BESIDE);
        self.figures.others = self.figures.others.saturating_add(bytes);
        let is_larger = self.other.as_ref().is_none_or(|(size, _)| *size < bytes);
        if is_larger {
            self.other = Some((bytes, path));
        }
    }
}

impl Faults {
    fn add(&mut self, name: String, fault: Fault) {
        self.count += 1;
        self.first.get_or_insert((name, fault));
    }

    fn extend(&mut self, name: &str, fault: Option<Fault>) {
        if let Some(fault) = fault {
            self.add(name.to_owned(), fault);
        }
    }
}

impl Fault {
    fn of(reason: String) -> Self {
        let is_unsigned = false;
        Self {
            reason,
            is_unsigned,
        }
    }
}

/// The fault of a nar that is larger than its item can be. FileSize is not signed.
fn nar_fault(path: &[String], size: u64, narinfo: &Narinfo) -> Option<Fault> {
    let nar_size = narinfo.nar_size;
    let most = nar_size
        .saturating_add(nar_size / 16)
        .saturating_add(NAR_BESIDE);
    let path = join(path);
    (size > most).then(|| {
        Fault::of(format!(
            "its nar {path} has {size} bytes, but its NarSize is {nar_size}"
        ))
    })
}

fn owner(path: &[String]) -> Option<crate::guix::HashPart> {
    NarPath::owner_of(path.last()?)
}
