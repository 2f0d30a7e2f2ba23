//! `resolve`: what the name points to, and what is there.

use super::session::Session;
use super::upstreams::{trust, upstreams};
use crate::cli::{Global, Resolve};
use crate::failure::{Exit, Failure};
use crate::guix::Narinfo;
use crate::ipfs::cid::Cid;
use crate::node::Node;
use crate::publication::{PublicationError, Tree};
use crate::report::{Report, bytes};
use serde_json::json;

/// Runs `resolve`.
pub fn run(global: &Global, args: &Resolve, report: &Report) -> Result<Exit, Failure> {
    let upstreams = upstreams(global)?;
    let session = Session::open(global)?;
    let node = &session.node;
    let target = Target::find(&session, args.target.as_deref(), &global.key)?;
    let root = target.root(node)?;
    let tree = Tree::new(node, root);
    if args.list {
        return list(&tree, report);
    }
    report.result(&format!("/ipfs/{root}"));
    let mut sum = json!({
        "command": "resolve",
        "name": target.name(),
        "root": root.to_string(),
    });
    if args.long {
        let counts = Counts::of(&tree)?;
        let gateway = gateway(node, &target, &root)?;
        if let Some(name) = target.name() {
            report.result(&format!("name      /ipns/{name}"));
        }
        report.result(&format!("narinfos  {}", counts.narinfos));
        report.result(&format!("nars      {}", counts.nars));
        report.result(&format!("size      {}", bytes(counts.bytes)));
        if let Some(url) = &gateway {
            report.result(&format!("gateway   {url}"));
        }
        let trust: Vec<_> = trust(&upstreams).collect();
        for line in &trust {
            report.result(&format!("trust     {line}"));
        }
        sum["trust"] = trust.into();
        sum["narinfos"] = counts.narinfos.into();
        sum["nars"] = counts.nars.into();
        sum["bytes"] = counts.bytes.into();
        sum["gateway"] = gateway.into();
    }
    report.sum(&sum);
    Ok(Exit::Done)
}

/// What is to be resolved.
enum Target {
    Name(String),
    Root(Cid),
}

impl Target {
    /// A root, a key of the node, or a name; without a word, the key of `--key`.
    fn find(session: &Session, word: Option<&str>, key: &str) -> Result<Self, Failure> {
        let Some(word) = word else {
            return match session.key(key)? {
                Some(key) => Ok(Self::Name(key.id)),
                None => Err(Failure::NoKey(key.to_owned())),
            };
        };
        if let Some(root) = word.strip_prefix("/ipfs/") {
            let root = root.trim_end_matches('/').parse();
            return root
                .map(Self::Root)
                .map_err(|_| Failure::NotFound(format!("{word} is no /ipfs/CID")));
        }
        let name = word.strip_prefix("/ipns/").unwrap_or(word);
        Ok(match session.key(name)? {
            Some(key) => Self::Name(key.id),
            None => Self::Name(name.to_owned()),
        })
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Root(_) => None,
        }
    }

    fn root(&self, node: &Node) -> Result<Cid, Failure> {
        let name = match self {
            Self::Root(root) => return Ok(*root),
            Self::Name(name) => name,
        };
        let path = node.name_resolve(name)?;
        path.as_deref()
            .and_then(|path| path.strip_prefix("/ipfs/")?.parse().ok())
            .ok_or_else(|| {
                let now = path.map_or("does not resolve".to_owned(), |path| {
                    format!("points to {path}, which is no root")
                });
                Failure::NotFound(format!("/ipns/{name} {now}"))
            })
    }
}

struct Counts {
    narinfos: u64,
    nars: u64,
    /// Cumulative, in bytes: shared blocks count once for each link.
    bytes: u64,
}

impl Counts {
    fn of(tree: &Tree) -> Result<Self, PublicationError> {
        let mut counts = Self {
            narinfos: 0,
            nars: 0,
            bytes: 0,
        };
        tree.for_each(&tree.root, |name, entry| {
            counts.narinfos += u64::from(name.ends_with(".narinfo"));
            counts.bytes = counts.bytes.saturating_add(entry.size);
            Ok(())
        })?;
        if let Some(nar) = tree.find(&["nar"])? {
            counts.nars = count_files(tree, &nar.cid)?;
        }
        Ok(counts)
    }
}

/// The files of `nar` and of the folders in it, one for each compression.
fn count_files(tree: &Tree, directory: &Cid) -> Result<u64, PublicationError> {
    let mut count = 0;
    tree.for_each(directory, |name, entry| {
        // A nar's entry begins with a store hash, a folder's is a short word.
        let is_folder = matches!(name, "gzip" | "lzip" | "zstd" | "xz" | "bzip2" | "none");
        count += match is_folder {
            true => count_files(tree, &entry.cid)?,
            false => 1,
        };
        Ok(())
    })?;
    Ok(count)
}

/// Prints the store path of each narinfo.
fn list(tree: &Tree, report: &Report) -> Result<Exit, Failure> {
    let mut paths = Vec::new();
    let mut exit = Exit::Done;
    tree.for_each(&tree.root, |name, entry| {
        if name.ends_with(".narinfo") {
            match Narinfo::parse(&tree.read(&entry.cid)?) {
                Ok(narinfo) => paths.push(narinfo.store_path.to_string()),
                Err(error) => {
                    report.error(&format!("{name}: {error}"));
                    exit = Exit::Partly;
                }
            }
        }
        Ok(())
    })?;
    for path in &paths {
        report.result(path);
    }
    report.sum(&json!({
        "command": "resolve",
        "root": tree.root.to_string(),
        "store_paths": paths,
    }));
    Ok(exit)
}

/// The URL that a client on this machine can substitute from. A client does not
/// follow the redirect that `localhost` would answer, so the address is a number.
fn gateway(node: &Node, target: &Target, root: &Cid) -> Result<Option<String>, Failure> {
    let path = match target.name() {
        Some(name) => format!("ipns/{name}"),
        None => format!("ipfs/{root}"),
    };
    Ok(node.gateways()?.iter().find_map(|address| {
        let url = address.parse::<crate::node::Address>().ok()?.url;
        let url = url.replace("//0.0.0.0:", "//127.0.0.1:");
        Some(format!("{url}/{path}"))
    }))
}
