//! Every narinfo of a published root, read a part at a time on a few threads.

use super::failure::Failure;
use crate::guix::{HashPart, Narinfo, StorePath, Variant};
use crate::ipfs::cid::Cid;
use crate::ipfs::directory::{Entry, LostShard};
use crate::node::Refusal;
use crate::publication::{PublicationError, Tree};
use crate::util::parallel;
use std::collections::HashSet;
use std::ops::ControlFlow;

/// Narinfos that are read together.
const AT_ONCE: usize = 256;

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
        item_of(&self.name)
    }

    /// Reads the narinfos that these entries stand for, together.
    ///
    /// # Errors
    /// The node cannot be used; any other fault is the narinfo's.
    pub fn read_each(tree: &Tree, entries: Vec<(String, Cid)>) -> Result<Vec<Self>, Failure> {
        let (names, files): (Vec<String>, Vec<Cid>) = entries.into_iter().unzip();
        let read = names.into_iter().zip(tree.read_each(&files));
        read.map(|(name, bytes)| Self::of(name, bytes)).collect()
    }

    fn of(name: String, bytes: Result<Vec<u8>, PublicationError>) -> Result<Self, Failure> {
        let read = match bytes {
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
                    false => Err(format!("it describes {} instead", narinfo.store_path)),
                }
            });
        Ok(Self { name, narinfo })
    }
}

/// The item that a name in the root stands for, if it is that of a narinfo.
pub fn item_of(name: &str) -> Option<HashPart> {
    name.strip_suffix(".narinfo")?.parse().ok()
}

/// The name of an item's narinfo in the root.
pub fn narinfo_name(hash: &HashPart) -> String {
    format!("{hash}.narinfo")
}

/// The entries of these items' narinfos in the root, looked up together.
pub fn entries(tree: &Tree, items: &[HashPart]) -> Result<Vec<Option<Entry>>, PublicationError> {
    let paths: Vec<Vec<String>> = items.iter().map(|item| vec![narinfo_name(item)]).collect();
    tree.find_each(&paths)
}

/// Those of these items that are published.
pub fn published(
    tree: &Tree,
    items: impl IntoIterator<Item = HashPart>,
) -> Result<HashSet<HashPart>, PublicationError> {
    let items: Vec<HashPart> = items.into_iter().collect();
    let entries = entries(tree, &items)?;
    let found = items.into_iter().zip(entries);
    Ok(found
        .filter_map(|(item, entry)| entry.map(|_| item))
        .collect())
}

/// The references of published items, by their narinfos' files. A narinfo that cannot be
/// read is for a check to report, and has none.
pub fn references(
    tree: &Tree,
    published: &[(HashPart, Cid)],
) -> Result<Vec<StorePath>, PublicationError> {
    let read = |part: &[(HashPart, Cid)]| {
        let files: Vec<Cid> = part.iter().map(|(_, file)| *file).collect();
        let mut references = Vec::new();
        for ((item, _), narinfo) in part.iter().zip(tree.read_each(&files)) {
            let bytes = match narinfo {
                Err(error) if error.is_of_block() => continue,
                narinfo => narinfo?,
            };
            let narinfo = Narinfo::parse(&bytes).ok();
            let narinfo = narinfo.filter(|narinfo| narinfo.matches(item));
            references.extend(narinfo.into_iter().flat_map(|narinfo| narinfo.references));
        }
        Ok::<_, PublicationError>(references)
    };
    let parts = published.chunks(AT_ONCE).collect();
    let mut references = Vec::new();
    for part in parallel::map(tree.readers(u16::MAX), parts, read) {
        references.extend(part?);
    }
    Ok(references)
}

/// Calls `work` with the narinfos of the root, some at a time on several threads, and
/// `take` with each result on this one.
///
/// # Errors
/// [`Failure::Unreadable`] at the end, where a part of the root cannot be read.
pub fn for_each<R: Send>(
    tree: &Tree,
    jobs: u16,
    work: impl Fn(Vec<PublishedNarinfo>) -> Vec<R> + Sync,
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
    work: impl Fn(Vec<PublishedNarinfo>) -> Vec<R> + Sync,
    mut take: impl FnMut(R),
) -> Result<Vec<(LostShard, PublicationError)>, Failure> {
    tree.for_each_part(&tree.root, jobs, |entries| {
        let entries = entries.into_iter();
        let narinfos = entries.filter(|(name, _)| name.ends_with(".narinfo"));
        let narinfos = narinfos.map(|(name, entry)| (name, entry.cid)).collect();
        for_each_of(tree, jobs, narinfos, &work, &mut take)
    })
}

/// The same for the narinfos that these entries stand for.
///
/// # Errors
/// As [`PublishedNarinfo::read_each`].
pub fn for_each_of<R: Send>(
    tree: &Tree,
    jobs: u16,
    entries: Vec<(String, Cid)>,
    work: impl Fn(Vec<PublishedNarinfo>) -> Vec<R> + Sync,
    mut take: impl FnMut(R),
) -> Result<(), Failure> {
    // Over the network each thread waits for one.
    let at_once = match tree.is_remote() {
        true => 1,
        false => AT_ONCE,
    };
    let mut entries = entries.into_iter();
    let mut parts = Vec::with_capacity(entries.len().div_ceil(at_once));
    while entries.len() > 0 {
        parts.push(entries.by_ref().take(at_once).collect());
    }
    let read = |part: Vec<(String, Cid)>| {
        let narinfos = PublishedNarinfo::read_each(tree, part)?;
        Ok::<_, Failure>(work(narinfos))
    };
    let mut failure = Ok(());
    parallel::for_each(tree.readers(jobs), parts, read, |results| match results {
        Ok(results) => {
            results.into_iter().for_each(&mut take);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failure = Err(error);
            ControlFlow::Break(())
        }
    });
    failure
}

/// The places of the nars that a narinfo lists.
pub fn nar_paths(narinfo: &Narinfo) -> impl Iterator<Item = Vec<String>> {
    let paths = narinfo.variants.iter().map(Variant::path);
    paths.flatten().map(|path| path.components().to_vec())
}
