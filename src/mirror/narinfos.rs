//! Every narinfo of a published root, read a chunk at a time on a few threads.

use super::failure::Failure;
use crate::guix::{HashPart, Narinfo, Variant};
use crate::ipfs::cid::Cid;
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
    pub fn read(tree: &Tree, name: String, cid: &Cid) -> Self {
        let narinfo = tree
            .read(cid)
            .map_err(|error| error.to_string())
            .and_then(|bytes| Narinfo::parse(&bytes).map_err(|error| error.to_string()))
            .and_then(|narinfo| {
                let hash = name.strip_suffix(".narinfo").unwrap_or(&name);
                match narinfo.store_path.hash().as_str() == hash {
                    true => Ok(narinfo),
                    false => Err(format!("it is about {} instead", narinfo.store_path)),
                }
            });
        Self { name, narinfo }
    }
}

/// Calls `work` with each narinfo of the root on several threads, and `take` with
/// each result on this one.
pub fn for_each<R: Send>(
    tree: &Tree,
    jobs: u16,
    work: impl Fn(PublishedNarinfo) -> R + Sync,
    mut take: impl FnMut(R),
) -> Result<(), Failure> {
    let mut chunk: Vec<(String, Cid)> = Vec::new();
    let mut flush = |chunk: &mut Vec<(String, Cid)>| {
        let read = |(name, cid): (String, Cid)| work(PublishedNarinfo::read(tree, name, &cid));
        for result in parallel::map(jobs, std::mem::take(chunk), read) {
            take(result);
        }
    };
    tree.for_each(&tree.root, |name, entry| {
        if name.ends_with(".narinfo") {
            chunk.push((name.to_owned(), entry.cid));
            if chunk.len() == CHUNK {
                flush(&mut chunk);
            }
        }
        Ok::<_, PublicationError>(())
    })?;
    flush(&mut chunk);
    Ok(())
}

/// The places of the nars that a narinfo lists.
pub fn nar_paths(narinfo: &Narinfo) -> impl Iterator<Item = Vec<String>> {
    let paths = narinfo.variants.iter().map(Variant::path);
    paths.flatten().map(|path| path.components().to_vec())
}
