//! The inspection of a mirror, one's own or another's: its root, its record, and the
//! way to use it.

use super::failure::Failure;
use super::keys::{not_a_name, view_of};
use crate::ipfs::cid::Cid;
use crate::ipfs::ipns::{as_cid, as_peer_id, key_hash};
use crate::node::{Node, Record};
use crate::publication::{PublicationView, root_of_path};
use serde::Serialize;

/// The substitute servers that a client asks after a mirror, so that it never
/// depends on one.
pub(super) const FALLBACKS: &str = "https://bordeaux.guix.gnu.org https://ci.guix.gnu.org";

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
            return Ok(Self::Name(view_of(node, key)?.key.id));
        };
        let name = word.strip_prefix("/ipns/").unwrap_or(word);
        if let Some(view) = PublicationView::of_key(node, name)? {
            return Ok(Self::Name(view.key.id));
        }
        match Self::without_node(word)? {
            Some(target) => Ok(target),
            None => Err(not_a_name(node, name)),
        }
    }

    /// The same where there is no node, and so no key: `None` for a word that could only
    /// be one.
    pub fn without_node(word: &str) -> Result<Option<Self>, Failure> {
        if let Some(root) = word.strip_prefix("/ipfs/") {
            let root = root.trim_end_matches('/').parse();
            return root
                .map(|root| Some(Self::Root(root)))
                .map_err(|_| Failure::NotARoot(word.to_owned()));
        }
        let name = word.strip_prefix("/ipns/").unwrap_or(word);
        Ok(match key_hash(name) {
            Some(key) => Some(Self::Name(as_cid(&key))),
            None if is_domain(name) => Some(Self::Name(name.to_owned())),
            None => None,
        })
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

/// Returns true for what may be a domain with a DNSLink.
fn is_domain(name: &str) -> bool {
    let mut labels = name.trim_end_matches('.').split('.');
    let is_label = |label: &str| !label.is_empty() && !label.contains(['/', ' ']);
    name.contains('.') && labels.all(is_label)
}

/// A description of a mirror.
#[derive(Debug, Serialize)]
pub struct MirrorDescription {
    /// The spellings of its name: as a CID and, for that of a key, as a peer ID.
    pub names: Vec<String>,
    /// The record of the name, if the node reports it.
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
    /// The bytes that its repository holds, if the node reports it.
    pub repo_bytes: Option<u64>,
    /// The bytes from which its collector runs by itself.
    pub storage_max: Option<u64>,
}

/// Describes the mirror with this root, as far as that takes none of its blocks.
pub fn describe(node: &dyn Node, target: &Target, root: Cid) -> Result<MirrorDescription, Failure> {
    let mut names: Vec<String> = target.name().map(str::to_owned).into_iter().collect();
    let peer_id = target.name().and_then(key_hash).map(|key| as_peer_id(&key));
    names.extend(peer_id);
    // Not every node reports it, and nothing depends on it.
    let record = target.name().map(|name| node.record(name));
    let usage = node.usage().ok();
    // Clients do not follow the redirect that `localhost` would answer, so the
    // gateway's address is a number.
    let gateway = node.gateway()?;
    let gateway = gateway.map(|url| format!("{url}/{}", target.path(&root)));
    Ok(MirrorDescription {
        names,
        record: record.and_then(Result::ok).flatten(),
        node: DescribedNode {
            agent: node.description().agent.clone(),
            repo_bytes: usage.map(|usage| usage.bytes),
            storage_max: usage.and_then(|usage| usage.limit),
        },
        substitute_urls: gateway.as_ref().map(|url| format!("{url} {FALLBACKS}")),
        gateway,
    })
}
