//! Every nar of a published root, by its place in `nar`.

use super::damage::DamagedPart;
use crate::guix::NarPath;
use crate::ipfs::directory::LostShard;
use crate::publication::{Damage, PublicationError, Tree, join};

/// The directory that every nar lies in.
const NAR: &str = "nar";

/// Calls `visit` with the path of each nar that can be found, and returns the
/// directories that cannot be read, or not as a whole.
///
/// # Errors
/// The node fails.
pub fn for_each_readable(
    tree: &Tree,
    mut visit: impl FnMut(&[&str]),
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
    let read = tree.for_each_readable(&nar, |name, entry| {
        match NarPath::is_directory(name) {
            true => directories.push((name.to_owned(), entry.cid)),
            false => visit(&[NAR, name]),
        }
        Ok(())
    });
    damaged.extend(part(&[NAR], read)?);
    for (directory, cid) in directories {
        let path = [NAR, directory.as_str()];
        let read = tree.for_each_readable(&cid, |name, _| {
            visit(&[NAR, &directory, name]);
            Ok(())
        });
        damaged.extend(part(&path, read)?);
    }
    Ok(damaged)
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
