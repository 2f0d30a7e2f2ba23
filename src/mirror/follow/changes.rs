//! The files in which the new root of a mirror differs from the one that is held.

use super::blocks::ComingBlocks;
use super::halt::Halt;
use super::objection::Objection;
use crate::guix::NarPath;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Changed, Entry, Side, difference};
use crate::mirror::nars::NAR;
use crate::publication::Tree;

/// Two roots of one mirror.
pub struct Roots<'n> {
    /// The blocks that come.
    pub blocks: &'n ComingBlocks<'n>,
    /// The tree of the root that is held.
    pub old: Option<Tree<'n>>,
    /// The tree of the new root.
    pub new: Tree<'n>,
}

/// A nar that differs, by its path in the root.
pub struct ChangedNar {
    /// Its path.
    pub path: Vec<String>,
    /// Its file in the root that is held.
    pub old: Option<Entry>,
    /// Its file in the new root.
    pub new: Option<Entry>,
}

impl Roots<'_> {
    /// Calls `take` with what differs in the root itself, but for `nar`.
    pub fn for_each_file(
        &self,
        take: &mut impl FnMut(Vec<Changed>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let old = self.old.as_ref().map(|old| old.root);
        self.compare("the root", old, Some(self.new.root), &mut |mut changed| {
            changed.retain(|changed| changed.name != NAR);
            take(changed)
        })
    }

    /// Calls `take` with all that differs in `nar` and in the directories in it.
    pub fn for_each_nar(
        &self,
        take: &mut impl FnMut(Vec<ChangedNar>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let old = match &self.old {
            Some(old) => old.find(&[NAR])?,
            None => None,
        };
        let new = self.new.find(&[NAR])?;
        let cid = |entry: Option<Entry>| entry.map(|entry| entry.cid);
        let mut directories = Vec::new();
        self.compare(NAR, cid(old), cid(new), &mut |changed| {
            let (below, nars): (Vec<_>, _) = changed
                .into_iter()
                .partition(|changed| NarPath::is_directory(&changed.name));
            directories.extend(below);
            take(nars_in(&[NAR], nars))
        })?;
        for Changed { name, old, new } in directories {
            let path = [NAR, &name];
            let shown = path.join("/");
            self.compare(&shown, cid(old), cid(new), &mut |changed| {
                take(nars_in(&path, changed))
            })?;
        }
        Ok(())
    }

    /// Compares a directory in both.
    fn compare(
        &self,
        path: &str,
        old: Option<Cid>,
        new: Option<Cid>,
        take: &mut impl FnMut(Vec<Changed>) -> Result<(), Halt>,
    ) -> Result<(), Halt> {
        let old = Side {
            blocks: &self.blocks.node,
            directory: old,
        };
        let new = Side {
            blocks: self.blocks,
            directory: new,
        };
        difference(&old, &new, take).map_err(|halt| match halt {
            Halt::Objection(Objection::Malformed(reason)) => {
                Objection::Malformed(format!("{path} cannot be read: {reason}")).into()
            }
            other => other,
        })
    }
}

fn nars_in(directory: &[&str], changed: Vec<Changed>) -> Vec<ChangedNar> {
    let directory = directory.iter().map(|&name| name.to_owned());
    let nars = changed.into_iter().map(|Changed { name, old, new }| {
        let path = directory.clone().chain([name]).collect();
        ChangedNar { path, old, new }
    });
    nars.collect()
}
