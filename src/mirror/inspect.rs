//! The inspection of a mirror, one's own or another's: its root, its counts, its
//! record, and the way to use it.

use super::counts::{self, Count};
use super::failure::Failure;
use super::json;
use super::narinfos::{self, PublishedNarinfo};
use crate::ipfs::blocks::Blocks;
use crate::ipfs::cid::Cid;
use crate::ipfs::dag_pb::PbNode;
use crate::ipfs::ipns::{as_cid, as_peer_id, key_hash};
use crate::node::{Node, Record};
use crate::publication::{PublicationError, PublicationView, Tree, root_of_path};
use serde::Serialize;

/// The folders of `nar`, one for each compression; nars that are not compressed lie
/// beside them.
const FOLDERS: [&str; 6] = ["gzip", "lzip", "zstd", "xz", "bzip2", "none"];

/// The substitute servers that a client asks after a mirror, so that it never
/// depends on one.
const FALLBACKS: &str = "https://bordeaux.guix.gnu.org https://ci.guix.gnu.org";

/// The mirror to inspect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An IPNS name.
    Name(String),
    /// A root.
    Root(Cid),
}

impl Target {
    /// Reads a word: `/ipfs/CID`, a key of the node, or a name. Without a word, the
    /// name of the key `key`.
    pub fn of_word(node: &dyn Node, word: Option<&str>, key: &str) -> Result<Self, Failure> {
        let Some(word) = word else {
            return match PublicationView::of_key(node, key)? {
                Some(view) => Ok(Self::Name(view.key.id)),
                None => Err(Failure::NoKey(key.to_owned())),
            };
        };
        if let Some(root) = word.strip_prefix("/ipfs/") {
            let root = root.trim_end_matches('/').parse();
            return root
                .map(Self::Root)
                .map_err(|_| Failure::NotARoot(word.to_owned()));
        }
        let name = word.strip_prefix("/ipns/").unwrap_or(word);
        Ok(Self::Name(match PublicationView::of_key(node, name)? {
            Some(view) => view.key.id,
            None => key_hash(name).map_or(name.to_owned(), |key| as_cid(&key)),
        }))
    }

    /// The name, unless it is a root.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Root(_) => None,
        }
    }

    /// The root, which the node is asked for if this is a name.
    pub fn root(&self, node: &dyn Node) -> Result<Cid, Failure> {
        let name = match self {
            Self::Root(root) => return Ok(*root),
            Self::Name(name) => name.clone(),
        };
        let Some(path) = node.resolve(&name)? else {
            return Err(Failure::Unresolved(name));
        };
        Ok(root_of_path(&name, path)?)
    }

    /// Its path below a gateway.
    fn path(&self, root: &Cid) -> String {
        match self {
            Self::Name(name) => format!("ipns/{name}"),
            Self::Root(_) => format!("ipfs/{root}"),
        }
    }
}

/// A description of a mirror.
#[derive(Debug, Serialize)]
pub struct MirrorDescription {
    /// The spellings of its name: as a CID and, for that of a key, as a peer ID.
    pub names: Vec<String>,
    /// The number of narinfos.
    pub narinfos: Count,
    /// The number of nars for each compression that there is.
    #[serde(serialize_with = "json::object")]
    pub nars: Vec<(&'static str, Count)>,
    /// Cumulative size in bytes: shared blocks count once for each link.
    pub bytes: u64,
    /// The record of the name, where the node tells it.
    pub record: Option<Record>,
    /// The node.
    pub node: DescribedNode,
    /// The mirror's URL at the node's gateway.
    pub gateway: Option<String>,
    /// `--substitute-urls` as a client on this machine takes it.
    pub substitute_urls: Option<String>,
}

/// The node that a mirror is described from.
#[derive(Debug, Serialize)]
pub struct DescribedNode {
    /// Its software.
    pub agent: String,
    /// The bytes that its repository holds.
    pub repo_bytes: u64,
    /// The bytes from which its collector runs by itself.
    pub storage_max: Option<u64>,
}

/// Describes the mirror with this root.
pub fn describe(
    node: &dyn Node,
    target: &Target,
    root: Cid,
    jobs: u16,
) -> Result<MirrorDescription, Failure> {
    let tree = Tree::new(node, root);
    let mut names: Vec<String> = target.name().map(str::to_owned).into_iter().collect();
    let peer_id = target.name().and_then(key_hash).map(|key| as_peer_id(&key));
    names.extend(peer_id);
    // Not every node tells, and nothing depends on it.
    let record = target.name().map(|name| node.record(name));
    let block = Blocks::get(&tree, &root).map_err(PublicationError::Node)?;
    // Clients do not follow the redirect that `localhost` would answer, so the
    // gateway's address is a number.
    let gateway = node.gateway()?;
    let gateway = gateway.map(|url| format!("{url}/{}", target.path(&root)));
    let usage = node.usage()?;
    Ok(MirrorDescription {
        names,
        narinfos: counts::entries(&tree, &root, jobs, |name| name.ends_with(".narinfo"))?,
        nars: nars(&tree, jobs)?,
        bytes: PbNode::decode(&block).map_or(0, |it| it.cumulative_size(block.len())),
        record: record.and_then(Result::ok).flatten(),
        node: DescribedNode {
            agent: node.description().agent.clone(),
            repo_bytes: usage.bytes,
            storage_max: usage.limit,
        },
        substitute_urls: gateway.as_ref().map(|url| format!("{url} {FALLBACKS}")),
        gateway,
    })
}

/// The numbers of files in `nar` and in the folders in it.
fn nars(tree: &Tree, jobs: u16) -> Result<Vec<(&'static str, Count)>, PublicationError> {
    let Some(nar) = tree.find(&["nar"])? else {
        return Ok(Vec::new());
    };
    let mut nars = Vec::new();
    for folder in FOLDERS {
        if let Some(entry) = tree.entry(&nar.cid, folder)? {
            nars.push((folder, counts::entries(tree, &entry.cid, jobs, |_| true)?));
        }
    }
    let beside = counts::entries(tree, &nar.cid, jobs, |name| !FOLDERS.contains(&name))?;
    if beside.entries > 0 {
        nars.push(("uncompressed", beside));
    }
    Ok(nars)
}

/// Calls `take` with the store path of each narinfo of a root, or with the name and
/// the fault of one that cannot be read.
pub fn list(
    node: &dyn Node,
    root: Cid,
    jobs: u16,
    mut take: impl FnMut(Result<String, (String, String)>),
) -> Result<(), Failure> {
    let path = |published: PublishedNarinfo| match published.narinfo {
        Ok(narinfo) => Ok(narinfo.store_path.to_string()),
        Err(reason) => Err((published.name, reason)),
    };
    let work = |narinfos: Vec<PublishedNarinfo>| narinfos.into_iter().map(path).collect();
    narinfos::for_each(&Tree::new(node, root), jobs, work, &mut take)
}
