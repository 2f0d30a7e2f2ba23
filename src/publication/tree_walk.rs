//! A walk through a whole directory that reads several of its shards at once.

use super::error::PublicationError;
use super::tree::Tree;
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{
    DirectoryNode, Entry, LostShard, PlainDirectory, Shard, Step, walk_slots,
};
use crate::util::parallel;
use std::ops::ControlFlow;

/// Entries that are held in memory at once, about: 12 MB.
const ENTRIES_AT_ONCE: usize = 1 << 16;

/// Slots of a root shard that are read first, which show how many entries a slot has. A
/// million entries leave 3,900 in a slot.
const FIRST_SLOTS: usize = 8;

/// The part of a directory below some slots.
#[derive(Default)]
struct Part {
    entries: Vec<(String, Entry)>,
    lost: Vec<(LostShard, PublicationError)>,
}

impl Tree<'_> {
    /// Calls `take` with the names and entries of a directory, a part at a time, each
    /// read on up to `jobs` threads. Returns the shards that cannot be read, each with the
    /// reason.
    ///
    /// # Errors
    /// The directory's first block cannot be read, the node fails, or `take` does.
    pub fn for_each_part<E: From<PublicationError>>(
        &self,
        directory: &Cid,
        jobs: u16,
        mut take: impl FnMut(Vec<(String, Entry)>) -> Result<(), E>,
    ) -> Result<Vec<(LostShard, PublicationError)>, E> {
        let jobs = self.readers(jobs);
        let top = self.top(directory)?;
        let shard = match &*top {
            DirectoryNode::Sharded(shard) => shard,
            DirectoryNode::Plain(plain) => {
                take(entries_of(plain))?;
                return Ok(Vec::new());
            }
        };
        let slots: Vec<u8> = shard.children.keys().copied().collect();
        let mut rest = slots.as_slice();
        let mut at_once = FIRST_SLOTS;
        let mut lost = Vec::new();
        while let (group @ [_, ..], others) = rest.split_at(at_once.min(rest.len())) {
            let mut part = Part::default();
            let read = self.group(directory, shard, group, jobs, &mut part);
            let of_slot = part.entries.len().div_ceil(group.len());
            at_once = (ENTRIES_AT_ONCE / of_slot.max(1)).max(1);
            rest = others;
            lost.extend(part.lost);
            take(part.entries)?;
            read?;
        }
        Ok(lost)
    }

    /// The entries of the first slots of a directory, as many slots as it takes for
    /// `enough` entries, and the part of all slots that those are, up to 1.
    ///
    /// # Errors
    /// A shard below these slots cannot be read.
    pub fn sample(
        &self,
        directory: &Cid,
        jobs: u16,
        enough: usize,
    ) -> Result<(Vec<(String, Entry)>, f64), PublicationError> {
        let top = self.top(directory)?;
        let shard = match &*top {
            DirectoryNode::Sharded(shard) => shard,
            DirectoryNode::Plain(plain) => return Ok((entries_of(plain), 1.0)),
        };
        let slots: Vec<u8> = shard.children.keys().copied().collect();
        let mut part = Part::default();
        let mut read = 0;
        let jobs = self.readers(jobs);
        for group in slots.chunks(FIRST_SLOTS) {
            if part.entries.len() >= enough {
                break;
            }
            self.group(directory, shard, group, jobs, &mut part)?;
            read += group.len();
        }
        match part.lost.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok((part.entries, read as f64 / slots.len().max(1) as f64)),
        }
    }

    /// Adds what is below some slots to `all`, read on `jobs` threads.
    fn group(
        &self,
        directory: &Cid,
        shard: &Shard,
        slots: &[u8],
        jobs: u16,
        all: &mut Part,
    ) -> Result<(), PublicationError> {
        let together = match self.answers_many() {
            true => slots.len().div_ceil(jobs.into()),
            false => 1,
        };
        let mut failure = Ok(());
        let parts: Vec<&[u8]> = slots.chunks(together).collect();
        let read = |slots: &[u8]| self.part(directory, shard, slots);
        parallel::for_each(jobs, parts, read, |part| match part {
            Ok(part) => {
                all.entries.extend(part.entries);
                all.lost.extend(part.lost);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Err(error);
                ControlFlow::Break(())
            }
        });
        failure
    }

    fn part(&self, directory: &Cid, shard: &Shard, slots: &[u8]) -> Result<Part, PublicationError> {
        let mut part = Part::default();
        let walked = walk_slots(self, directory, shard, slots, &mut |step| {
            match step {
                Step::Entry(name, entry) => part.entries.push((name.to_owned(), *entry)),
                Step::Lost(shard, error) => match PublicationError::from(error) {
                    error if error.is_of_block() => part.lost.push((shard, error)),
                    error => return ControlFlow::Break(error),
                },
            }
            ControlFlow::Continue(())
        })?;
        match walked {
            ControlFlow::Break(error) => Err(error),
            ControlFlow::Continue(()) => Ok(part),
        }
    }
}

fn entries_of(plain: &PlainDirectory) -> Vec<(String, Entry)> {
    let entries = plain.entries.iter();
    entries
        .map(|(name, entry)| (name.clone(), *entry))
        .collect()
}
