//! Every narinfo of a published root, read a chunk at a time on a few threads.

use super::parallel;
use crate::failure::Failure;
use crate::guix::{HashPart, Narinfo};
use crate::ipfs::cid::Cid;
use crate::publication::{PublicationError, Tree};

/// How many narinfos are held in memory.
const CHUNK: usize = 1000;

/// A narinfo of the root, or what is wrong with it.
#[derive(Debug)]
pub struct Found {
    /// Its name in the root.
    pub name: String,
    /// What it says, where it is about what its name says.
    pub narinfo: Result<Narinfo, String>,
}

impl Found {
    /// The store hash in its name, if there is one.
    pub fn hash(&self) -> Option<HashPart> {
        self.name.strip_suffix(".narinfo")?.parse().ok()
    }
}

/// Calls `work` with each narinfo of the root on several threads, and `take` with
/// each result on this one.
pub fn narinfos<R: Send>(
    tree: &Tree,
    jobs: u16,
    work: impl Fn(Found) -> R + Sync,
    mut take: impl FnMut(R),
) -> Result<(), Failure> {
    let mut chunk: Vec<(String, Cid)> = Vec::new();
    let mut flush = |chunk: &mut Vec<(String, Cid)>| {
        let read = |(name, cid): (String, Cid)| {
            let narinfo = read(tree, &name, &cid);
            work(Found { name, narinfo })
        };
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

fn read(tree: &Tree, name: &str, cid: &Cid) -> Result<Narinfo, String> {
    let bytes = tree.read(cid).map_err(|error| error.to_string())?;
    let narinfo = Narinfo::parse(&bytes).map_err(|error| error.to_string())?;
    let hash = name.strip_suffix(".narinfo").unwrap_or(name);
    match narinfo.store_path.hash().to_string() == hash {
        true => Ok(narinfo),
        false => Err(format!("it is about {} instead", narinfo.store_path)),
    }
}
