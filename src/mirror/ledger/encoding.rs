//! The encoding that a mirror keeps. The file is there for a mirror with an encoding of
//! its own; without it nars are as the upstream has them.

use super::files::ENCODING;
use super::lines;
use crate::guix::delta::NAR_FOLDER;
use crate::mirror::encoding::Encoding;
use crate::mirror::failure::Failure;
use crate::publication::{LedgerFiles, PublicationError, Tree};
use serde::{Deserialize, Serialize};

/// The line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    encoding: String,
}

/// The encoding of a mirror. Where the ledger was lost, it is read from the published
/// tree.
///
/// # Errors
/// [`Failure::UnknownEncoding`]; the file or the tree cannot be read.
pub fn kept_encoding(tree: &Tree, files: &mut LedgerFiles) -> Result<Encoding, Failure> {
    if !files.has(ENCODING) {
        return match files.is_empty() && has_delta_nars(tree)? {
            true => Ok(Encoding::Delta),
            false => Ok(Encoding::Upstream),
        };
    }
    let lines: Vec<Line> = match files.read(tree.node(), ENCODING) {
        // Stored again with the next commit.
        Err(error) if error.is_of_block() && has_delta_nars(tree)? => {
            files.restore(ENCODING, file_of(Encoding::Delta));
            return Ok(Encoding::Delta);
        }
        file => lines::read(file?),
    };
    let name = lines.into_iter().next().map(|line| line.encoding);
    let name = name.unwrap_or_default();
    Encoding::named(&name).ok_or(Failure::UnknownEncoding(name))
}

/// The encoding of a run: the mirror's own, or the one that is asked for where nothing
/// is mirrored yet.
///
/// # Errors
/// [`Failure::OtherEncoding`] for a mirror that has another; as [`kept_encoding`].
pub fn choose_encoding(
    asked: Option<Encoding>,
    tree: &Tree,
    files: &mut LedgerFiles,
) -> Result<Encoding, Failure> {
    let kept = kept_encoding(tree, files)?;
    match asked {
        Some(asked) if asked != kept => match tree.has_narinfos()? {
            true => Err(Failure::OtherEncoding { kept, asked }),
            false => Ok(asked),
        },
        _ => Ok(kept),
    }
}

/// Returns true for a mirror with items whose ledger records another encoding than this.
pub fn has_begun_otherwise(
    encoding: Encoding,
    tree: &Tree,
    files: &LedgerFiles,
) -> Result<bool, PublicationError> {
    let is_same = files.has(ENCODING) == (encoding == Encoding::Delta);
    Ok(!is_same && tree.has_narinfos()?)
}

/// Writes the encoding that the mirror keeps from now on.
pub fn keep_encoding(encoding: Encoding, files: &mut LedgerFiles) {
    match encoding {
        Encoding::Upstream => files.remove(ENCODING),
        Encoding::Delta => files.write(ENCODING, file_of(encoding)),
    }
}

fn file_of(encoding: Encoding) -> Vec<u8> {
    let encoding = encoding.name().to_owned();
    lines::write([&Line { encoding }])
}

/// Records the encoding that is read from the tree, before something else is written
/// into a ledger that was lost.
pub fn recover_encoding(tree: &Tree, files: &mut LedgerFiles) {
    // A part of the tree that cannot be read is left to a repair.
    if files.is_empty() && has_delta_nars(tree).unwrap_or(false) {
        keep_encoding(Encoding::Delta, files);
    }
}

/// The same for a ledger whose file of the encoding was lost, or that is of another root
/// than the tree.
pub fn recover_lost_encoding(tree: &Tree, files: &mut LedgerFiles) {
    if !files.has(ENCODING) && has_delta_nars(tree).unwrap_or(false) {
        files.restore(ENCODING, file_of(Encoding::Delta));
    }
}

fn has_delta_nars(tree: &Tree) -> Result<bool, PublicationError> {
    Ok(tree.find(&["nar", NAR_FOLDER])?.is_some())
}
