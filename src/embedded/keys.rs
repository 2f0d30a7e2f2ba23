//! Ed25519 keys, each a file in the form that `ipfs key import
//! --format=libp2p-protobuf-cleartext` takes, so that a name can move to Kubo.

use super::EmbeddedError;
use super::file::write_durably;
use crate::ipfs::cid::IDENTITY;
use crate::ipfs::ipns::{as_cid, as_peer_id, key_hash};
use ed25519_dalek::SigningKey;
use multihash::Multihash;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The node's own key, which is always there.
pub const SELF: &str = "self";

/// A private key's protobuf message: type Ed25519, 64 bytes to come.
/// Source: <https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md>.
const PRIVATE_HEAD: [u8; 4] = [0x08, 0x01, 0x12, 0x40];
/// A public key's: type Ed25519, 32 bytes to come.
const PUBLIC_HEAD: [u8; 4] = [0x08, 0x01, 0x12, 0x20];
/// The bytes of a seed, and of a public key.
const KEY_BYTES: usize = 32;
/// The longest name of a file, in bytes, on the file systems in use.
const MAX_FILE_NAME: usize = 255;

/// What stays as it is when a key's name becomes a file's name.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The keys in a folder.
#[derive(Debug)]
pub struct Keys {
    folder: PathBuf,
}

/// A key's public half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// What the node calls it.
    pub name: String,
    public: [u8; KEY_BYTES],
}

impl Keys {
    /// Opens the folder, and makes it and the key `self` where they are missing.
    pub fn open(folder: &Path) -> Result<Self, EmbeddedError> {
        let keys = Self {
            folder: folder.to_owned(),
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(EmbeddedError::io("make", folder))?;
        if keys.find(SELF)?.is_none() {
            keys.make(SELF)?;
        }
        Ok(keys)
    }

    /// All keys, `self` first.
    pub fn all(&self) -> Result<Vec<Key>, EmbeddedError> {
        let entries =
            fs::read_dir(&self.folder).map_err(EmbeddedError::io("list", &self.folder))?;
        let mut keys = Vec::new();
        for entry in entries {
            let entry = entry.map_err(EmbeddedError::io("list", &self.folder))?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else {
                continue;
            };
            let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
            keys.extend(self.find(&name)?);
        }
        keys.sort_by_key(|key| (key.name != SELF, key.name.clone()));
        Ok(keys)
    }

    /// The key named `name`.
    pub fn find(&self, name: &str) -> Result<Option<Key>, EmbeddedError> {
        let path = self.path(name)?;
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(EmbeddedError::io("read", path)(error)),
        };
        let seed = bytes
            .strip_prefix(&PRIVATE_HEAD)
            .filter(|key| key.len() == 2 * KEY_BYTES)
            .and_then(|key| key.first_chunk::<KEY_BYTES>());
        match seed {
            Some(seed) => Ok(Some(Key::new(name, seed))),
            None => {
                let error = io::Error::new(io::ErrorKind::InvalidData, "it holds no Ed25519 key");
                Err(EmbeddedError::io("read", path)(error))
            }
        }
    }

    /// Makes a key.
    pub fn generate(&self, name: &str) -> Result<Key, EmbeddedError> {
        if name == SELF {
            let text = "cannot create key with name 'self'";
            return Err(EmbeddedError::refused(text));
        }
        if self.find(name)?.is_some() {
            let text = format!("key with name '{name}' already exists");
            return Err(EmbeddedError::refused(text));
        }
        self.make(name)
    }

    /// Gives a key another name.
    pub fn rename(&self, was: &str, now: &str) -> Result<Key, EmbeddedError> {
        if was == SELF || now == SELF {
            let verb = if was == SELF { "rename" } else { "overwrite" };
            let text = format!("cannot {verb} key with name 'self'");
            return Err(EmbeddedError::refused(text));
        }
        let Some(key) = self.find(was)? else {
            return Err(EmbeddedError::refused(format!(
                "no key named {was} was found"
            )));
        };
        if self.find(now)?.is_some() {
            let text = "key by that name already exists, refusing to overwrite";
            return Err(EmbeddedError::refused(text));
        }
        let path = self.path(now)?;
        fs::rename(self.path(was)?, &path).map_err(EmbeddedError::io("write", path))?;
        Ok(Key {
            name: now.to_owned(),
            ..key
        })
    }

    fn make(&self, name: &str) -> Result<Key, EmbeddedError> {
        let path = self.path(name)?;
        let mut seed = [0; KEY_BYTES];
        getrandom::fill(&mut seed)
            .map_err(|error| EmbeddedError::io("write", &path)(io::Error::other(error)))?;
        let key = Key::new(name, &seed);
        let file = [&PRIVATE_HEAD[..], &seed, &key.public].concat();
        write_durably(&path, &file)?;
        Ok(key)
    }

    fn path(&self, name: &str) -> Result<PathBuf, EmbeddedError> {
        let file = utf8_percent_encode(name, FILE_NAME).to_string();
        match file.len() {
            1..=MAX_FILE_NAME => Ok(self.folder.join(file)),
            _ => Err(EmbeddedError::refused("key name is empty or too long")),
        }
    }
}

impl Key {
    fn new(name: &str, seed: &[u8; KEY_BYTES]) -> Self {
        Self {
            name: name.to_owned(),
            public: SigningKey::from_bytes(seed).verifying_key().to_bytes(),
        }
    }

    /// The public key's protobuf message.
    pub fn public_message(&self) -> Vec<u8> {
        [&PUBLIC_HEAD[..], &self.public].concat()
    }

    /// The IPNS name, `k51…`.
    pub fn id(&self) -> String {
        as_cid(&self.multihash())
    }

    /// The peer ID, `12D3Koo…`.
    pub fn peer_id(&self) -> String {
        as_peer_id(&self.multihash())
    }

    fn multihash(&self) -> Multihash<64> {
        // 36 bytes always fit the 64 that a multihash holds.
        Multihash::wrap(IDENTITY, &self.public_message()).unwrap_or_default()
    }
}

/// An IPNS name in the spelling that the node uses, whichever it came in. `None`
/// when it is none.
pub fn canonical_name(text: &str) -> Option<String> {
    key_hash(text).map(|key| as_cid(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_names_that_kubo_gives_it() {
        // From Kubo 0.44: `ipfs id` and `ipfs key list -l` of one node.
        let public = "5ed2809bc7d9fc50d65d81819169a9029cf0c1f38a831dd7c1947b672bed77b5";
        let mut key = Key::new(SELF, &[0; 32]);
        for (at, byte) in key.public.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&public[at * 2..at * 2 + 2], 16).unwrap();
        }
        let (id, peer) = (
            "k51qzi5uqu5dijo3x62kegaftmotoj44utlg5fyd4gh4x4tk6z9mtc6cx0s791",
            "12D3KooWGCWfLSnHsru8zYXgTV7UMLnihsbNLN3Z8NdzsidKpd7J",
        );
        assert_eq!((key.id().as_str(), key.peer_id().as_str()), (id, peer));
        assert_eq!(canonical_name(peer).as_deref(), Some(id));
        assert_eq!(canonical_name(id).as_deref(), Some(id));
        assert_eq!(canonical_name("example.org"), None);
    }

    #[test]
    fn keys_are_kept_and_can_be_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path()).unwrap();
        let made = keys.generate("a/b").unwrap();
        assert!(keys.generate("a/b").is_err() && keys.generate(SELF).is_err());
        let again = Keys::open(folder.path()).unwrap();
        assert_eq!(again.find("a/b").unwrap(), Some(made.clone()));
        assert_eq!(again.rename("a/b", "c").unwrap().id(), made.id());
        let names: Vec<_> = again
            .all()
            .unwrap()
            .into_iter()
            .map(|key| key.name)
            .collect();
        assert_eq!(names, [SELF, "c"]);
    }
}
