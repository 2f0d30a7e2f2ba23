//! This program's folders below the home of the user, by the XDG base directory
//! specification.

use super::diagnosis::Diagnosis;
use std::ffi::OsString;
use std::path::PathBuf;
use thiserror::Error;

/// A base directory, by what is kept in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BaseDirectory {
    /// Data that is to stay: the local store.
    Data,
    /// State of this machine: locks, and the last runs.
    State,
}

/// Neither `$HOME` nor the variable that would replace it is set.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("neither ${0} nor $HOME is set, so there is no folder to use")]
pub struct NoHome(&'static str);

/// The value of an environment variable; an empty one counts as unset.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// The home of the user.
pub fn home_dir() -> Option<PathBuf> {
    // Beyond $HOME, this looks into the system's list of users.
    std::env::home_dir().filter(|home| !home.as_os_str().is_empty())
}

/// The folder `guix-ipfs` in a base directory. It may not be there yet.
///
/// # Errors
/// [`NoHome`].
pub fn folder(base: BaseDirectory) -> Result<PathBuf, NoHome> {
    let (named_by, below_home) = match base {
        BaseDirectory::Data => ("XDG_DATA_HOME", ".local/share"),
        BaseDirectory::State => ("XDG_STATE_HOME", ".local/state"),
    };
    let named = variable(named_by).map(PathBuf::from);
    // The specification says to ignore a relative one.
    let folder = named
        .filter(|path| path.is_absolute())
        .or_else(|| Some(home_dir()?.join(below_home)));
    let folder = folder.ok_or(NoHome(named_by))?;
    Ok(folder.join("guix-ipfs"))
}

impl Diagnosis for NoHome {
    fn advice(&self) -> Option<String> {
        Some("set one of them".to_owned())
    }
}
