//! Ed25519 keys, each a file in the form that `ipfs key import
//! --format=libp2p-protobuf-cleartext` takes, so that a name can move to Kubo.

use super::super::contract::Key;
use super::super::error::{Problem, Refusal};
use super::lock::{WriteLock, Writing};
use super::problem::{file, refused};
use crate::ipfs::cid::IDENTITY;
use crate::ipfs::ipns;
use crate::util::durable::{self, Durability};
use ed25519_dalek::SigningKey;
use multihash::Multihash;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// The node's own key, which is always there.
const SELF: &str = "self";

/// The head of a private key's protobuf message: type Ed25519, 64 bytes to come.
/// Source: <https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md>.
const PRIVATE_HEAD: [u8; 4] = [0x08, 0x01, 0x12, 0x40];
/// The head of a public key's: type Ed25519, 32 bytes to come.
const PUBLIC_HEAD: [u8; 4] = [0x08, 0x01, 0x12, 0x20];
/// The bytes of a seed, and of a public key.
const KEY_BYTES: usize = 32;
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
        let path = self.path(name)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file(&path)(error)),
        };
        let seed = bytes
            .strip_prefix(&PRIVATE_HEAD)
            .filter(|key| key.len() == 2 * KEY_BYTES)
            .and_then(|key| key.first_chunk());
        match seed {
            Some(seed) => Ok(Some(key(name, &public_half(seed)))),
            None => Err(damaged(path, name)),
        }
    }

    /// Makes a key.
    pub fn create(&self, lock: &Writing, name: &str) -> Result<Key, Problem> {
        if name == SELF || self.find(name)?.is_some() {
            return Err(exists(name));
        }
        self.make(lock, name)
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
        let public = public_half(&seed);
        let content = [&PRIVATE_HEAD[..], &seed, &public].concat();
        durable::write(&path, &content, 0o600, Durability::Now).map_err(file(&path))?;
        Ok(key(name, &public))
    }

    fn path(&self, name: &str) -> Result<PathBuf, Problem> {
        let file = utf8_percent_encode(name, FILE_NAME).to_string();
        match file.len() {
            1..=MAX_FILE_NAME => Ok(self.folder.join(file)),
            _ => {
                let message = "the name of a key cannot be empty or that long";
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
        advice: format!("put back a copy of it, or remove it: {lost}"),
    }
}

fn public_half(seed: &[u8; KEY_BYTES]) -> [u8; KEY_BYTES] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

fn key(name: &str, public: &[u8; KEY_BYTES]) -> Key {
    let message = [&PUBLIC_HEAD[..], public].concat();
    // 36 bytes always fit the 64 that a multihash holds.
    let hash = Multihash::wrap(IDENTITY, &message).unwrap_or_default();
    Key {
        name: name.to_owned(),
        id: ipns::as_cid(&hash),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::hex;

    #[test]
    fn a_key_has_the_name_that_kubo_gives_it() {
        // From Kubo 0.44: `ipfs id` and `ipfs key list -l` of one node.
        let public = "5ed2809bc7d9fc50d65d81819169a9029cf0c1f38a831dd7c1947b672bed77b5";
        let public = hex::decode(public).unwrap().try_into().unwrap();
        let name = "k51qzi5uqu5dijo3x62kegaftmotoj44utlg5fyd4gh4x4tk6z9mtc6cx0s791";
        assert_eq!(key(SELF, &public).id, name);
    }
}
