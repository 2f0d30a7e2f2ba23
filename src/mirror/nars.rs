//! Every nar of a published root, by its place in `nar`.

use super::damage::DamagedPart;
use crate::guix::NarPath;
use crate::ipfs::directory::{Entry, LostShard};
use crate::publication::{Damage, PublicationError, Tree, join};

/// The directory that every nar lies in.
pub const NAR: &str = "nar";

/// A nar that can be found.
#[derive(Clone, Debug)]
pub struct PublishedNar {
    /// Its path in the root.
    pub path: Vec<String>,
    /// Its file.
    pub entry: Entry,
}

/// Calls `take` with the nars that can be found, a part at a time, each read on `jobs`
/// threads. Returns the directories that cannot be read, or not as a whole.
///
/// # Errors
/// The node fails.
pub fn for_each_readable(
    tree: &Tree,
    jobs: u16,
    mut take: impl FnMut(Vec<PublishedNar>),
) -> Result<Vec<DamagedPart>, PublicationError> {
    let mut damaged = Vec::new();
    let nar = match tree.find(&[NAR]) {
        Ok(Some(entry)) => entry.cid,
        Ok(None) => return Ok(damaged),
        // The entry itself is lost, with a shard of the root.
        Err(error) if error.is_of_block() => return Ok(damaged),
        Err(error) => return Err(error),
    };
    let mut directories = Vec::new();
    let read = tree.for_each_part(&nar, jobs, |entries| {
        let (below, nars) = entries
            .into_iter()
            .partition(|(name, _)| NarPath::is_directory(name));
        directories.extend::<Vec<_>>(below);
        take(in_directory(&[NAR], nars));
        Ok(())
    });
    damaged.extend(part(&[NAR], read)?);
    for (directory, entry) in directories {
        let path = [NAR, directory.as_str()];
        let read = tree.for_each_part(&entry.cid, jobs, |nars| {
            take(in_directory(&path, nars));
            Ok(())
        });
        damaged.extend(part(&path, read)?);
    }
    Ok(damaged)
}

/// The directories that nars lie in, by their paths in the root.
pub fn directories(tree: &Tree, jobs: u16) -> Result<Vec<Vec<String>>, PublicationError> {
    let Some(nar) = tree.find(&[NAR])? else {
        return Ok(Vec::new());
    };
    let mut directories = vec![vec![NAR.to_owned()]];
    tree.for_each_part(&nar.cid, jobs, |entries| {
        let names = entries.into_iter().map(|(name, _)| name);
        let below = names.filter(|name| NarPath::is_directory(name));
        directories.extend(below.map(|name| vec![NAR.to_owned(), name]));
        Ok::<_, PublicationError>(())
    })?;
    Ok(directories)
}

fn in_directory(directory: &[&str], nars: Vec<(String, Entry)>) -> Vec<PublishedNar> {
    let directory = directory.iter().map(|&name| name.to_owned());
    let nars = nars.into_iter().map(|(name, entry)| PublishedNar {
        path: directory.clone().chain([name]).collect(),
        entry,
    });
    nars.collect()
}

/// The part of a directory that could not be read.
fn part(
    path: &[&str],
    read: Result<Vec<(LostShard, PublicationError)>, PublicationError>,
) -> Result<Option<DamagedPart>, PublicationError> {
    match read {
        Ok(lost) => Ok(DamagedPart::of_shards(path, lost)),
        Err(error) if error.is_of_block() => {
            let names = path.iter().map(|&name| name.to_owned()).collect();
            let shown = format!("/{}", join(path));
            Ok(Some(DamagedPart::new(
                shown,
                Damage::Directory(names),
                &error,
            )))
        }
        Err(error) => Err(error),
    }
}
