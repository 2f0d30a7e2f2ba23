//! Every narinfo of a published root, read a part at a time on a few threads.

use super::failure::Failure;
use crate::guix::{HashPart, Narinfo, Variant};
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Entry, LostShard};
use crate::node::Refusal;
use crate::publication::{PublicationError, Tree};
use crate::util::parallel;
use std::ops::ControlFlow;

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
            Err(PublicationError::Node(mut error))
                if error.is_unavailable() || error.is(Refusal::Offline) =>
            {
                error.action = format!("read {name}: {}", error.action);
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
    tree.for_each_part(&tree.root, jobs, |entries| {
        let entries = entries.into_iter();
        let narinfos = entries.filter(|(name, _)| name.ends_with(".narinfo"));
        let read = |(name, entry): (String, Entry)| {
            let narinfo = PublishedNarinfo::read(tree, name, &entry.cid)?;
            Ok::<_, Failure>(work(narinfo))
        };
        let mut failure = Ok(());
        parallel::for_each(jobs, narinfos.collect(), read, |result| match result {
            Ok(result) => {
                take(result);
                ControlFlow::Continue(())
            }
            Err(error) => {
                failure = Err(error);
                ControlFlow::Break(())
            }
        });
        failure
    })
}

/// The places of the nars that a narinfo lists.
pub fn nar_paths(narinfo: &Narinfo) -> impl Iterator<Item = Vec<String>> {
    let paths = narinfo.variants.iter().map(Variant::path);
    paths.flatten().map(|path| path.components().to_vec())
}
