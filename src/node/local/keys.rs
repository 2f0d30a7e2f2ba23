//! Ed25519 keys, each a file in the form that `ipfs key import
//! --format=libp2p-protobuf-cleartext` takes, so that a name can move to Kubo.

use super::super::contract::Key;
use super::super::error::{Problem, Refusal};
use super::super::private_key::{KEY_BYTES, PrivateKey};
use super::lock::{WriteLock, Writing};
use super::problem::{file, refused};
use crate::util::durable::{self, Durability, Readers};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// The node's own key, which is always there.
const SELF: &str = "self";

/// The longest name of a file, in bytes, on the file systems in use.
const MAX_FILE_NAME: usize = 255;

/// The characters of a key's name that a file's name does not take as they are. The
/// dot is one, so that no key is taken for a temporary file.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The keys in a folder.
#[derive(Debug)]
pub struct Keys {
    folder: PathBuf,
}

impl Keys {
    /// The keys in `folder`, and the node's own. Both are made where they are missing.
    pub fn open(folder: PathBuf, lock: &WriteLock) -> Result<(Self, Key), Problem> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(file(&folder))?;
        let keys = Self { folder };
        if let Some(own) = keys.find(SELF)? {
            return Ok((keys, own));
        }
        let writing = lock.take()?;
        let own = match keys.find(SELF)? {
            Some(own) => own,
            None => keys.make(&writing, SELF)?,
        };
        Ok((keys, own))
    }

    /// The folder.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// All keys, `self` first.
    pub fn all(&self) -> Result<Vec<Key>, Problem> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(file(&self.folder))? {
            let name = entry.map_err(file(&self.folder))?.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
                continue;
            };
            let name = percent_decode_str(name).decode_utf8_lossy();
            keys.extend(self.find(&name)?);
        }
        keys.sort_by_key(|key| (key.name != SELF, key.name.clone()));
        Ok(keys)
    }

    /// The key named `name`.
    pub fn find(&self, name: &str) -> Result<Option<Key>, Problem> {
        let private = self.private(name)?;
        Ok(private.map(|private| key(name, &private)))
    }

    /// The private half of the key named `name`.
    pub fn private(&self, name: &str) -> Result<Option<PrivateKey>, Problem> {
        let path = self.path(name)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file(&path)(error)),
        };
        match PrivateKey::from_protobuf(&bytes) {
            Some(private) => Ok(Some(private)),
            None => Err(damaged(path, name)),
        }
    }

    /// Makes a key.
    pub fn create(&self, lock: &Writing, name: &str) -> Result<Key, Problem> {
        self.refuse_taken(name)?;
        self.make(lock, name)
    }

    /// Takes a key that was made elsewhere.
    pub fn import(&self, _: &Writing, name: &str, private: &PrivateKey) -> Result<Key, Problem> {
        self.refuse_taken(name)?;
        self.write(name, private)
    }

    fn refuse_taken(&self, name: &str) -> Result<(), Problem> {
        match name == SELF || self.find(name)?.is_some() {
            true => Err(exists(name)),
            false => Ok(()),
        }
    }

    /// Gives a key another name.
    pub fn rename(&self, _: &Writing, old: &str, new: &str) -> Result<(), Problem> {
        if old == SELF {
            let message = "the key self cannot be renamed";
            return Err(refused(Refusal::Other, message));
        }
        if self.find(old)?.is_none() {
            return Err(no_such_key(old));
        }
        if new == SELF || self.find(new)?.is_some() {
            return Err(exists(new));
        }
        let path = self.path(new)?;
        fs::rename(self.path(old)?, &path)
            .and_then(|()| durable::sync_folder_of(&path))
            .map_err(file(&path))
    }

    /// Makes a key of a name that no key has.
    fn make(&self, _: &Writing, name: &str) -> Result<Key, Problem> {
        let path = self.path(name)?;
        let mut seed = [0; KEY_BYTES];
        getrandom::fill(&mut seed).map_err(|error| file(&path)(io::Error::other(error)))?;
        self.write(name, &PrivateKey::from_seed(seed))
    }

    fn write(&self, name: &str, private: &PrivateKey) -> Result<Key, Problem> {
        let path = self.path(name)?;
        let content = private.to_protobuf();
        durable::write(&path, &content, Readers::Owner, Durability::Now).map_err(file(&path))?;
        Ok(key(name, private))
    }

    fn path(&self, name: &str) -> Result<PathBuf, Problem> {
        let file = utf8_percent_encode(name, FILE_NAME).to_string();
        match file.len() {
            1..=MAX_FILE_NAME => Ok(self.folder.join(file)),
            _ => {
                let message = "the name of a key cannot be empty or this long";
                Err(refused(Refusal::Other, message))
            }
        }
    }
}

/// The refusal of a key that is not there.
pub fn no_such_key(name: &str) -> Problem {
    refused(Refusal::NoSuchKey, format!("there is no key {name:?}"))
}

fn exists(name: &str) -> Problem {
    refused(
        Refusal::KeyExists,
        format!("there is a key {name:?} already"),
    )
}

fn damaged(path: PathBuf, name: &str) -> Problem {
    let lost = match name {
        SELF => "the next run makes another, under which nothing is published",
        _ => "then nobody can publish under its IPNS name any more",
    };
    Problem::Damaged {
        path,
        reason: "it does not hold an Ed25519 key".to_owned(),
        advice: format!("restore a copy of it, or remove it: {lost}"),
    }
}

fn key(name: &str, private: &PrivateKey) -> Key {
    Key {
        name: name.to_owned(),
        id: private.id(),
    }
}
