//! What a command has at hand: a node that answers, a key, the right to write.

use crate::cli::{Api, Global, Publish};
use crate::embedded::{self, Running};
use crate::failure::Failure;
use crate::ipfs::cid::Cid;
use crate::node::{AUTHORIZATION_VARIABLE, Address, Authorization, Key, Node, TimeLimits};
use crate::publication::{KeyState, Lock, PublicationError, Site, Tree, name_of_new_key};
use crate::report::{Report, bytes};
use std::path::PathBuf;
use std::time::Duration;

/// A connection to a node.
pub struct Session {
    /// The node.
    pub node: Node,
    /// Where the node runs inside this process, it stops with the session.
    _embedded: Option<Running>,
}

impl Session {
    /// Connects to the node that `--api` names, and starts it if it is the
    /// embedded one and does not run yet.
    pub fn open(global: &Global) -> Result<Self, Failure> {
        let (address, embedded) = match &global.api {
            Some(Api::Remote(address)) => (authorized(address.clone(), global)?, None),
            Some(Api::Embedded(folder)) => start_embedded(folder.clone())?,
            None => (authorized(local_daemon()?, global)?, None),
        };
        let limits = TimeLimits {
            connect: global.connect_timeout,
            read: global.read_timeout,
        };
        Ok(Self {
            node: Node::connect(&address, limits)?,
            _embedded: embedded,
        })
    }

    /// The key named `name`, or `None`.
    pub fn key(&self, name: &str) -> Result<Option<Key>, Failure> {
        let mut keys = self.node.keys()?.into_iter();
        Ok(keys.find(|key| key.name == name))
    }

    /// The key to be named `name`, made where the node has none.
    fn key_or_new(&self, name: &str) -> Result<(Key, KeyState), Failure> {
        if let Some(key) = self.key(name)? {
            return Ok((key, KeyState::Old));
        }
        let name = name_of_new_key(name);
        let key = match self.key(&name)? {
            Some(key) => key,
            None => self.node.key_gen(&name)?,
        };
        Ok((key, KeyState::New))
    }

    /// Where to publish, with the right to, and whether under a new key. Fails,
    /// before a key is made, where a publication could reach nobody.
    pub fn site(&self, key: &str, publish: &Publish) -> Result<(Site<'_>, KeyState), Failure> {
        let alone = match self.node.peers()? {
            None => Some("offline"),
            Some(0) => Some("connected to no peers"),
            Some(_) => None,
        };
        // The embedded node is offline by design.
        let allow_offline = publish.allow_offline || self.node.is_embedded();
        match alone {
            Some(why) if !allow_offline => return Err(PublicationError::Offline(why).into()),
            _ => {}
        }
        let (key, key_state) = self.key_or_new(key)?;
        let lock = Some(self.lock(&key)?);
        let site = Site {
            lock,
            node: &self.node,
            key,
            record_lifetime: publish.record_lifetime,
            allow_offline,
            online: alone.is_none(),
        };
        site.drop_left_staging()?;
        Ok((site, key_state))
    }

    /// The site of a run that will not publish.
    pub fn site_without_publishing(&self, key: Key) -> Site<'_> {
        Site {
            lock: None,
            node: &self.node,
            key,
            record_lifetime: Duration::ZERO,
            allow_offline: false,
            online: false,
        }
    }

    /// Tells the network of a root that was published. Nobody needs that to
    /// find it in the end, so a failure is only a warning.
    pub fn announce(&self, site: &Site, root: &Cid, report: &Report) {
        if let Err(error) = site.announce(root) {
            report.warn(&format!("{error}; others may take longer to find it"));
        }
    }

    /// Warns of a node that is nearly full: it refuses nothing, but its collector
    /// will run ever more often.
    pub fn warn_if_full(&self, report: &Report) -> Result<(), Failure> {
        // It has no limit, and would count all its files to say so.
        if self.node.is_embedded() {
            return Ok(());
        }
        let stat = self.node.repo_stat()?;
        if stat.repo_size / 9 >= stat.storage_max / 10 {
            report.warn(&format!(
                "the node's repository holds {} of {}\nraise Datastore.StorageMax, or remove items",
                bytes(stat.repo_size),
                bytes(stat.storage_max)
            ));
        }
        Ok(())
    }

    /// The right to write under a key.
    fn lock(&self, key: &Key) -> Result<Lock, Failure> {
        let state = state_folder()?;
        Ok(Lock::take(&state, &self.node.identity.peer_id, &key.id)?)
    }

    /// Stops a run that would begin a second mirror beside the one that `self`
    /// already publishes, as the prototype did.
    pub fn refuse_beside_self(&self, wanted: &str) -> Result<(), Failure> {
        let Some(key) = self.key("self")? else {
            return Ok(());
        };
        let path = self.node.name_resolve(&key.id)?.unwrap_or_default();
        let Some(root) = path.strip_prefix("/ipfs/").and_then(|cid| cid.parse().ok()) else {
            return Ok(());
        };
        match Tree::new(&self.node, root).is_mirror() {
            Ok(true) => Err(Failure::SelfIsAMirror {
                wanted: wanted.to_owned(),
                root: root.to_string(),
            }),
            // What cannot be read here is not this program's.
            _ => Ok(()),
        }
    }
}

/// The embedded node's folder: as named, or the default.
pub fn embedded_folder(named: Option<PathBuf>) -> Result<PathBuf, Failure> {
    match named {
        Some(folder) => Ok(folder),
        None => folder(
            "XDG_DATA_HOME",
            ".local/share",
            "the embedded node's blocks",
        ),
    }
}

/// Where refusals are remembered; `None` where there is no home.
pub fn cache_folder() -> Option<PathBuf> {
    let cache = folder("XDG_CACHE_HOME", ".cache", "refusals");
    cache.ok().map(|cache| cache.join("refused"))
}

fn state_folder() -> Result<PathBuf, Failure> {
    folder("XDG_STATE_HOME", ".local/state", "the lock")
}

fn start_embedded(named: Option<PathBuf>) -> Result<(Address, Option<Running>), Failure> {
    let folder = embedded_folder(named)?;
    match embedded::served(&folder)? {
        Some(url) => Ok((url.parse()?, None)),
        None => {
            let running = embedded::start_inside(&folder)?;
            Ok((running.rpc_url().parse()?, Some(running)))
        }
    }
}

/// The address with what the user says beside it about who this program is.
fn authorized(mut address: Address, global: &Global) -> Result<Address, Failure> {
    let variable = std::env::var(AUTHORIZATION_VARIABLE).ok();
    let said = Authorization::find(global.api_auth_file.as_deref(), variable.as_deref())?;
    address.authorization = said.or(address.authorization);
    Ok(address)
}

fn local_daemon() -> Result<Address, Failure> {
    let ipfs_path = std::env::var_os("IPFS_PATH")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".ipfs")));
    Ok(Address::of_local_daemon(ipfs_path.as_deref())?)
}

/// This program's folder under an XDG base directory.
fn folder(
    variable: &'static str,
    below_home: &str,
    what: &'static str,
) -> Result<PathBuf, Failure> {
    let base = std::env::var_os(variable)
        .map(PathBuf::from)
        // The specification says to ignore a relative one.
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(below_home)));
    match base {
        Some(base) => Ok(base.join("guix-ipfs")),
        None => Err(Failure::NoHome(variable, what)),
    }
}
