//! A folder as a node.

use super::super::contract::{
    Capabilities, Key, KnownBlocks, Node, NodeDescription, PublishOptions, Reach, Record, Usage,
};
use super::super::error::{AddFileError, NodeError, Problem, Refusal};
use super::super::private_key::PrivateKey;
use super::super::segment::SealedSegment;
use super::blocks::BlockStore;
use super::garbage::{Collection, Store};
use super::keys::{Keys, no_such_key};
use super::link::add_link;
use super::lock::{PATIENCE, WriteLock, Writing};
use super::names::Names;
use super::pins::Pins;
use super::problem::file;
use super::read::FileReader;
use super::served::gateway_of;
use super::temporaries::remove_temporaries;
use super::usage::UsageFile;
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::{Cid, CidVersion, matches};
use crate::ipfs::file::{Added, add_file};
use crate::ipfs::ipns;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The local store in one folder. Threads may share it, and other processes may use
/// the folder at the same time.
#[derive(Debug)]
pub struct LocalNode {
    folder: PathBuf,
    description: NodeDescription,
    lock: WriteLock,
    blocks: Arc<BlockStore>,
    pins: Pins,
    keys: Keys,
    names: Names,
    usage: UsageFile,
}

impl LocalNode {
    /// Opens the store in `folder`. The folder and the key `self` are made where they
    /// are missing.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn open(folder: &Path) -> Result<Self, NodeError> {
        Self::open_folder(folder).map_err(failing("open the local store"))
    }

    fn open_folder(folder: &Path) -> Result<Self, Problem> {
        fs::create_dir_all(folder).map_err(file(folder))?;
        let lock = WriteLock::new(folder);
        let (keys, own) = Keys::open(folder.join("keys"), &lock)?;
        let blocks = Arc::new(BlockStore::open(folder.join("blocks"))?);
        let peer_id = ipns::key_hash(&own.id).map(|hash| ipns::as_peer_id(&hash));
        Ok(Self {
            description: NodeDescription {
                peer_id: peer_id.unwrap_or_default(),
                agent: concat!("guix-ipfs/", env!("CARGO_PKG_VERSION")).to_owned(),
                capabilities: Capabilities {
                    network: false,
                    sequence: true,
                    storage_limit: false,
                    services: false,
                },
            },
            lock,
            pins: Pins::new(folder, Arc::clone(&blocks)),
            blocks,
            keys,
            names: Names::new(folder),
            usage: UsageFile::new(folder),
            folder: folder.to_owned(),
        })
    }

    /// Changes the folder, under its lock.
    fn change<T>(
        &self,
        action: impl Into<String>,
        change: impl FnOnce(&Writing) -> Result<T, Problem>,
    ) -> Result<T, NodeError> {
        let changed = self.lock.take().and_then(|writing| change(&writing));
        changed.map_err(|problem| NodeError::new(action, problem))
    }

    /// Begins a collection ([`Collection::begin`]).
    pub(super) fn begin_collection(&self, patience: Duration) -> Result<Collection<'_>, Problem> {
        let store = Store {
            folder: &self.folder,
            lock: &self.lock,
            blocks: &self.blocks,
            pins: &self.pins,
            usage: &self.usage,
        };
        Collection::begin(store, patience)
    }

    fn collect(&self) -> Result<u64, Problem> {
        let removed = self.begin_collection(PATIENCE)?.sweep()?;
        let shelves = self.blocks.shelves()?;
        for folder in shelves.iter().chain([&self.folder, self.keys.folder()]) {
            remove_temporaries(folder)?;
        }
        Ok(removed)
    }

    /// Measures the store, and collects where much is unpinned.
    fn collect_if_worthwhile(&self) -> Result<(), Problem> {
        let mut collection = self.begin_collection(Duration::ZERO)?;
        if collection.measure()?.is_much_unpinned() {
            collection.sweep()?;
        }
        Ok(())
    }

    /// Makes the blocks that a pin is to rely on durable: all that were written until
    /// now. This may take long, so it comes before the lock.
    fn sync(&self) -> Result<(), NodeError> {
        let synced = self.blocks.sync();
        synced.map_err(|problem| NodeError::new("write all blocks to the disk", problem))
    }
}

impl Node for LocalNode {
    fn description(&self) -> &NodeDescription {
        &self.description
    }

    fn blocks(&self, cids: &[Cid]) -> Result<Vec<Vec<u8>>, NodeError> {
        let read = |cid| {
            let block = self.blocks.get(cid);
            block.map_err(|problem| NodeError::new(format!("read /ipfs/{cid}"), problem))
        };
        cids.iter().map(read).collect()
    }

    fn fetch_block(&self, cid: &Cid) -> Result<Vec<u8>, NodeError> {
        self.block(cid)
            .map_err(|error| match error.is(Refusal::Missing) {
                true => {
                    let message = "it does not hold the block, and has no network";
                    NodeError::refused(error.action, Refusal::Offline, message)
                }
                false => error,
            })
    }

    fn block_size(&self, cid: &Cid) -> Result<Option<u64>, NodeError> {
        let size = self.blocks.size(cid);
        size.map_err(|problem| NodeError::new(format!("look for /ipfs/{cid}"), problem))
    }

    fn put_block(&self, cid: &Cid, block: &[u8]) -> Result<(), NodeError> {
        let action = format!("store the block {cid}");
        if !matches(cid, block) {
            let message = "the block does not hash to that CID";
            return Err(NodeError::refused(action, Refusal::Other, message));
        }
        self.change(action, |_| self.blocks.put(cid, block))
    }

    fn import(&self, segment: &SealedSegment) -> Result<(), NodeError> {
        self.change("store a segment", |writing| {
            for (cid, block) in &segment.blocks {
                self.blocks.put(cid, block)?;
            }
            self.usage.add_written(writing, &self.blocks);
            // All that it links to, under the raw codec, was just stored. After a
            // power cut nobody relies on this pin.
            self.pins.put(writing, &segment.staging, "")
        })
    }

    fn add_file(&self, version: CidVersion, content: &mut dyn Read) -> Result<Added, AddFileError> {
        // Without the lock: the content may be a download that takes hours.
        let mut put = |cid: Cid, block: Vec<u8>| {
            let stored = self.blocks.put(&cid, &block);
            stored.map_err(|problem| NodeError::new("add a file", problem))
        };
        add_file(version, content, &mut put)
    }

    fn read_file(&self, file: &Cid) -> Result<Box<dyn Read + Send>, NodeError> {
        match FileReader::open(Arc::clone(&self.blocks), file) {
            Ok(reader) => Ok(Box::new(reader)),
            Err(problem) => Err(NodeError::new(format!("read /ipfs/{file}"), problem)),
        }
    }

    fn add_link(&self, directory: &Cid, name: &str, target: &Cid) -> Result<Cid, NodeError> {
        self.change(format!("link {name:?} in /ipfs/{directory}"), |writing| {
            add_link(writing, &self.blocks, directory, name, target)
        })
    }

    fn pin(&self, root: &Cid, name: &str, _: KnownBlocks) -> Result<(), NodeError> {
        self.sync()?;
        self.change(format!("pin /ipfs/{root}"), |writing| {
            self.pins.add(writing, root, name)
        })
    }

    fn pin_update(&self, old: &Cid, new: &Cid) -> Result<(), NodeError> {
        self.sync()?;
        self.change(format!("pin /ipfs/{new} beside /ipfs/{old}"), |writing| {
            self.pins.update(writing, old, new)
        })
    }

    fn unpin(&self, root: &Cid) -> Result<(), NodeError> {
        let is_much_unpinned = self.change(format!("unpin /ipfs/{root}"), |writing| {
            match self.pins.remove(writing, root)? {
                Some(name) if !name.is_empty() => {
                    let (blocks, pins) = (&self.blocks, &self.pins);
                    let pin = (root, name.as_str());
                    Ok(self.usage.add_dropped(writing, blocks, pins, pin))
                }
                // Without a name it protected what is stored, and a journal holds that now.
                _ => Ok(false),
            }
        })?;
        if is_much_unpinned {
            // The caller's part is done. It is tried again with the next pin, and
            // `gc` reports the reason.
            let _ = self.collect_if_worthwhile();
        }
        Ok(())
    }

    fn is_pinned(&self, root: &Cid) -> Result<bool, NodeError> {
        self.pins.contains(root).map_err(failing("read the pins"))
    }

    fn pins_named(&self, name: &str) -> Result<Vec<Cid>, NodeError> {
        let pins = self.pins.all().map_err(failing("read the pins"))?;
        let named = pins.into_iter().filter(|(_, of_pin)| of_pin == name);
        Ok(named.map(|(root, _)| root).collect())
    }

    fn pins_beginning(&self, name: &str) -> Result<Vec<(String, Cid)>, NodeError> {
        let pins = self.pins.all().map_err(failing("read the pins"))?;
        let named = pins.into_iter();
        let named = named.filter(|(_, of_pin)| of_pin.starts_with(name));
        Ok(named.map(|(root, of_pin)| (of_pin, root)).collect())
    }

    fn keys(&self) -> Result<Vec<Key>, NodeError> {
        self.keys.all().map_err(failing("read the keys"))
    }

    fn create_key(&self, name: &str) -> Result<Key, NodeError> {
        self.change(format!("make the key {name:?}"), |writing| {
            self.keys.create(writing, name)
        })
    }

    fn import_key(&self, name: &str, private: &PrivateKey) -> Result<Key, NodeError> {
        self.change(format!("import the key {name:?}"), |writing| {
            self.keys.import(writing, name, private)
        })
    }

    fn export_key(&self, key: &Key) -> Result<Option<PrivateKey>, NodeError> {
        let private = self.keys.private(&key.name);
        let private = private.map_err(failing("read the keys"))?;
        match private.filter(|private| private.id() == key.id) {
            Some(private) => Ok(Some(private)),
            None => Err(NodeError::new(
                format!("export the key {:?}", key.name),
                no_such_key(&key.name),
            )),
        }
    }

    fn rename_key(&self, key: &Key, name: &str) -> Result<(), NodeError> {
        let old = &key.name;
        self.change(format!("rename the key {old:?} to {name:?}"), |writing| {
            self.keys.rename(writing, old, name)
        })
    }

    fn resolve(&self, name: &str) -> Result<Option<String>, NodeError> {
        Ok(self.record(name)?.map(|record| record.value))
    }

    fn record(&self, name: &str) -> Result<Option<Record>, NodeError> {
        self.names.get(name).map_err(failing("read the names"))
    }

    fn publish(&self, key: &Key, root: &Cid, options: &PublishOptions) -> Result<(), NodeError> {
        let value = format!("/ipfs/{root}");
        let action = format!("publish {value} under {}", key.id);
        self.change(action, |writing| match self.keys.find(&key.name)? {
            Some(own) if own.id == key.id => self.names.publish(writing, &key.id, value, options),
            _ => Err(no_such_key(&key.name)),
        })
    }

    fn reach(&self) -> Result<Reach, NodeError> {
        Ok(Reach::Offline)
    }

    fn announce(&self, _: &Cid) -> Result<(), NodeError> {
        Ok(())
    }

    fn providers(&self, _: &Cid, _: Duration) -> Result<Option<usize>, NodeError> {
        Ok(None)
    }

    fn gateway(&self) -> Result<Option<String>, NodeError> {
        gateway_of(&self.folder).map_err(failing("look for the gateway"))
    }

    fn usage(&self) -> Result<Usage, NodeError> {
        let bytes = self.blocks.bytes().map_err(failing("measure the blocks"))?;
        Ok(Usage { bytes, limit: None })
    }

    fn free_bytes(&self) -> Result<Option<u64>, NodeError> {
        let disk = rustix::fs::statvfs(&self.folder);
        Ok(disk
            .ok()
            .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)))
    }

    fn collect_garbage(&self) -> Result<u64, NodeError> {
        self.collect().map_err(failing("collect garbage"))
    }
}

fn failing(action: &'static str) -> impl FnOnce(Problem) -> NodeError {
    move |problem| NodeError::new(action, problem)
}
