//! Every narinfo of a published root, read a chunk at a time on a few threads.

use super::failure::Failure;
use crate::guix::{HashPart, Narinfo, Variant};
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::LostShard;
use crate::publication::{PublicationError, Tree};
use crate::util::parallel;

/// The number of narinfos that are held in memory.
const CHUNK: usize = 1000;

/// A narinfo of the root.
#[derive(Debug)]
pub struct PublishedNarinfo {
    /// Its name in the root.
    pub name: String,
    /// The narinfo, where it is about the item of its name; else the fault.
    pub narinfo: Result<Narinfo, String>,
}

impl PublishedNarinfo {
    /// The store hash in its name, if there is one.
    pub fn hash(&self) -> Option<HashPart> {
        self.name.strip_suffix(".narinfo")?.parse().ok()
    }

    /// Reads the narinfo that `cid` stands for.
    ///
    /// # Errors
    /// The node cannot be used; any other fault is the narinfo's.
    pub fn read(tree: &Tree, name: String, cid: &Cid) -> Result<Self, Failure> {
        let read = match tree.read(cid) {
            Err(PublicationError::Node(error)) if error.is_unavailable() => {
                return Err(error.into());
            }
            read => read.map_err(|error| error.to_string()),
        };
        let narinfo = read
            .and_then(|bytes| Narinfo::parse(&bytes).map_err(|error| error.to_string()))
            .and_then(|narinfo| {
                let hash = name.strip_suffix(".narinfo").unwrap_or(&name);
                match narinfo.store_path.hash().as_str() == hash {
                    true => Ok(narinfo),
                    false => Err(format!("it is about {} instead", narinfo.store_path)),
                }
            });
        Ok(Self { name, narinfo })
    }
}

/// Calls `work` with each narinfo of the root on several threads, and `take` with
/// each result on this one.
///
/// # Errors
/// [`Failure::Unreadable`] at the end, where a part of the root cannot be read.
pub fn for_each<R: Send>(
    tree: &Tree,
    jobs: u16,
    work: impl Fn(PublishedNarinfo) -> R + Sync,
    take: impl FnMut(R),
) -> Result<(), Failure> {
    match for_each_readable(tree, jobs, work, take)?
        .into_iter()
        .next()
    {
        None => Ok(()),
        Some((_, reason)) => Err(Failure::Unreadable("/".to_owned(), reason.to_string())),
    }
}

/// The same for the narinfos that can be found. Returns the shards of the root that
/// cannot be read, each with the reason.
pub fn for_each_readable<R: Send>(
    tree: &Tree,
    jobs: u16,
    work: impl Fn(PublishedNarinfo) -> R + Sync,
    mut take: impl FnMut(R),
) -> Result<Vec<(LostShard, PublicationError)>, Failure> {
    let mut chunk: Vec<(String, Cid)> = Vec::new();
    let mut flush = |chunk: &mut Vec<(String, Cid)>| {
        let read = |(name, cid): (String, Cid)| {
            let narinfo = PublishedNarinfo::read(tree, name, &cid)?;
            Ok::<_, Failure>(work(narinfo))
        };
        for result in parallel::map(jobs, std::mem::take(chunk), read) {
            take(result?);
        }
        Ok::<_, Failure>(())
    };
    let mut failure = None;
    let lost = tree.for_each_readable(&tree.root, |name, entry| {
        if name.ends_with(".narinfo") && failure.is_none() {
            chunk.push((name.to_owned(), entry.cid));
            if chunk.len() == CHUNK {
                failure = flush(&mut chunk).err();
            }
        }
        Ok(())
    })?;
    match failure {
        Some(failure) => Err(failure),
        None => flush(&mut chunk).map(|()| lost),
    }
}

/// The places of the nars that a narinfo lists.
pub fn nar_paths(narinfo: &Narinfo) -> impl Iterator<Item = Vec<String>> {
    let paths = narinfo.variants.iter().map(Variant::path);
    paths.flatten().map(|path| path.components().to_vec())
}
