//! Folders of this machine as nars.

use std::path::{Path, PathBuf};

/// The content of a file to the one that is packed in its place.
pub type Edit<'e> = &'e dyn Fn(Vec<u8>) -> Vec<u8>;

/// The folders in some places, in the order of their names.
pub fn folders(places: &[impl AsRef<Path>]) -> impl Iterator<Item = PathBuf> {
    entries(places).into_iter().filter(|path| path.is_dir())
}

/// The folders and files in some places, in the order of their names.
pub fn entries(places: &[impl AsRef<Path>]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for place in places {
        let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path());
        found.extend(paths.filter(|path| !path.is_symlink()));
    }
    found.sort();
    found
}

/// The nar of a folder. `None` for one that cannot be read, or where the nar reaches
/// `limit` bytes.
pub fn pack(folder: &Path, limit: usize, edit: Edit) -> Option<Vec<u8>> {
    let mut nar = Vec::new();
    string(&mut nar, b"nix-archive-1");
    append(&mut nar, folder, limit, edit)?;
    Some(nar)
}

/// Appends a file or a folder. Source: the nar format in the Nix thesis, figure 5.2.
fn append(nar: &mut Vec<u8>, path: &Path, limit: usize, edit: Edit) -> Option<()> {
    let mut strings = |parts: &[&[u8]]| parts.iter().for_each(|part| string(nar, part));
    let kind = path.symlink_metadata().ok()?.file_type();
    strings(&[b"(", b"type"]);
    if kind.is_symlink() {
        let target = path.read_link().ok()?;
        strings(&[b"symlink", b"target", target.to_str()?.as_bytes()]);
    } else if kind.is_file() {
        let content = edit(std::fs::read(path).ok()?);
        strings(&[b"regular", b"contents", &content]);
    } else if kind.is_dir() {
        strings(&[b"directory"]);
        let entries: Result<Vec<_>, _> = path.read_dir().ok()?.collect();
        let mut names: Vec<_> = entries.ok()?.iter().map(|it| it.file_name()).collect();
        names.sort();
        for name in names {
            let name = name.to_str()?;
            for part in ["entry", "(", "name", name, "node"] {
                string(nar, part.as_bytes());
            }
            append(nar, &path.join(name), limit, edit)?;
            string(nar, b")");
        }
    } else {
        return None;
    }
    string(nar, b")");
    (nar.len() < limit).then_some(())
}

/// Appends a length, a string, and zeros up to a whole number of eight bytes.
fn string(nar: &mut Vec<u8>, text: &[u8]) {
    nar.extend_from_slice(&(text.len() as u64).to_le_bytes());
    nar.extend_from_slice(text);
    nar.resize(nar.len().next_multiple_of(8), 0);
}
