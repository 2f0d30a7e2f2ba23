//! `resolve`: what the name points to, and what is there.

use super::count::{self, Count};
use super::scan::{self, Found};
use super::session::Session;
use super::upstreams::{trust, upstreams};
use crate::cli::{Global, Resolve};
use crate::failure::{Exit, Failure};
use crate::ipfs::cid::Cid;
use crate::ipfs::dag_pb;
use crate::ipfs::directory::Blocks;
use crate::ipfs::ipns::{as_cid, as_peer_id, key_hash};
use crate::node::{Node, Record, RepoStat};
use crate::publication::{PublicationError, Tree};
use crate::report::{Report, bytes};
use serde_json::{Map, Value, json};

/// The folders of `nar`, one for each compression; what is not compressed lies
/// beside them.
const FOLDERS: [&str; 6] = ["gzip", "lzip", "zstd", "xz", "bzip2", "none"];

/// Where else a client looks, so that it never depends on a mirror.
const FALLBACKS: &str = "https://bordeaux.guix.gnu.org https://ci.guix.gnu.org";

/// Runs `resolve`.
pub fn run(global: &Global, args: &Resolve, report: &Report) -> Result<Exit, Failure> {
    let upstreams = upstreams(global)?;
    let session = Session::open(global)?;
    let node = &session.node;
    let target = Target::find(&session, args.target.as_deref(), &global.key)?;
    let root = target.root(node)?;
    let tree = Tree::new(node, root);
    if args.list {
        return list(&tree, global.jobs, report);
    }
    report.result(&format!("/ipfs/{root}"));
    let mut sum = json!({
        "command": "resolve",
        "name": target.name(),
        "root": root.to_string(),
    });
    if args.long {
        let waiting = report.waiting("counting");
        let long = Long::of(&tree, &target, global.jobs, trust(&upstreams).collect())?;
        drop(waiting);
        long.say(report);
        long.sum(&mut sum);
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
            return root.map(Self::Root).map_err(|_| {
                Failure::NotFound(format!(
                    "{word} is no /ipfs/CID\ngive the CID of a whole root, without a path below it"
                ))
            });
        }
        let name = word.strip_prefix("/ipns/").unwrap_or(word);
        Ok(Self::Name(match session.key(name)? {
            Some(key) => key.id,
            None => key_hash(name).map_or(name.to_owned(), |key| as_cid(&key)),
        }))
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
                Failure::NotFound(match path {
                    None => format!(
                        "/ipns/{name} does not resolve\nits publisher may be away, and a record \
                         that is not renewed ends after two days; run again later, or publish \
                         with `guix-ipfs sync`"
                    ),
                    Some(path) => format!(
                        "/ipns/{name} points to {path}, which is no root\nname another key or \
                         name to resolve"
                    ),
                })
            })
    }

    /// Below the gateway.
    fn path(&self, root: &Cid) -> String {
        match self {
            Self::Name(name) => format!("ipns/{name}"),
            Self::Root(_) => format!("ipfs/{root}"),
        }
    }
}

/// What `--long` adds.
struct Long {
    /// As a CID and, where it is a key's, as its peer ID.
    names: Vec<String>,
    narinfos: Count,
    /// For each compression that there is.
    nars: Vec<(&'static str, Count)>,
    /// Cumulative, in bytes: shared blocks count once for each link.
    bytes: u64,
    record: Option<Record>,
    /// By which keys each upstream is checked.
    trust: Vec<String>,
    agent: String,
    repo: RepoStat,
    gateway: Option<String>,
    is_embedded: bool,
}

impl Long {
    fn of(tree: &Tree, target: &Target, jobs: u16, trust: Vec<String>) -> Result<Self, Failure> {
        let node = tree.node();
        let names = target.name().map_or(Vec::new(), |name| {
            let peer_id = key_hash(name).map(|key| as_peer_id(&key));
            [Some(name.to_owned()), peer_id]
                .into_iter()
                .flatten()
                .collect()
        });
        // Not every node tells, and it is no more than good to know.
        let record = target.name().map(|name| node.name_record(name));
        let record = record.and_then(Result::ok).flatten();
        let block = Blocks::get(tree, &tree.root)?;
        let size = dag_pb::Node::decode(&block).map_or(0, |it| it.cumulative_size(block.len()));
        Ok(Self {
            names,
            narinfos: count::entries(tree, &tree.root, jobs, |name| name.ends_with(".narinfo"))?,
            nars: nars(tree, jobs)?,
            bytes: size,
            record,
            trust,
            agent: node.identity.agent.clone(),
            repo: node.repo_stat()?,
            gateway: gateway(node, &target.path(&tree.root))?,
            is_embedded: node.is_embedded(),
        })
    }

    /// `--substitute-urls` as a client on this machine takes it.
    fn substitute_urls(&self) -> Option<String> {
        let gateway = self.gateway.as_ref()?;
        Some(format!("{gateway} {FALLBACKS}"))
    }

    fn say(&self, report: &Report) {
        let nars = self
            .nars
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"));
        let nars: Vec<String> = nars.collect();
        let record = match &self.record {
            Some(record) => {
                let until = minutes(&record.validity);
                format!("sequence {}, valid until {until}", record.sequence)
            }
            None => "the node does not tell".to_owned(),
        };
        let fullness = match self.repo.storage_max {
            // No limit, as Kubo says it.
            u64::MAX => bytes(self.repo.repo_size),
            most => format!("{} of {}", bytes(self.repo.repo_size), bytes(most)),
        };
        let mut rows: Vec<(&str, String)> = Vec::new();
        for (label, name) in ["name", ""].into_iter().zip(&self.names) {
            rows.push((label, format!("/ipns/{name}")));
        }
        rows.push(("narinfos", self.narinfos.to_string()));
        rows.push(("nars", nars.join(", ")));
        rows.push(("size", bytes(self.bytes)));
        if !self.names.is_empty() {
            rows.push(("record", record));
        }
        rows.extend(self.trust.iter().map(|line| ("trust", line.clone())));
        rows.push(("node", format!("{}, {fullness}", self.agent)));
        rows.push(match self.substitute_urls() {
            Some(urls) => ("use", format!("--substitute-urls=\"{urls}\"")),
            None if self.is_embedded => ("use", "`guix-ipfs node` serves it".to_owned()),
            None => ("use", "the node has no gateway".to_owned()),
        });
        for (label, text) in rows {
            report.result(&format!("{label:<9} {text}"));
        }
    }

    fn sum(&self, sum: &mut Value) {
        let count = |count: &Count| json!({"count": count.entries, "exact": count.is_exact});
        let nars = self
            .nars
            .iter()
            .map(|(kind, it)| (kind.to_string(), count(it)));
        sum["names"] = json!(self.names);
        sum["narinfos"] = count(&self.narinfos);
        sum["nars"] = Value::Object(nars.collect::<Map<_, _>>());
        sum["bytes"] = self.bytes.into();
        sum["record"] = self.record.as_ref().map_or(
            Value::Null,
            |record| json!({"sequence": record.sequence, "validity": record.validity}),
        );
        sum["trust"] = json!(self.trust);
        sum["node"] = json!({
            "agent": self.agent,
            "repo_bytes": self.repo.repo_size,
            "storage_max": self.repo.storage_max,
        });
        sum["gateway"] = json!(self.gateway);
        sum["substitute_urls"] = json!(self.substitute_urls());
    }
}

/// The files of `nar` and of the folders in it.
fn nars(tree: &Tree, jobs: u16) -> Result<Vec<(&'static str, Count)>, PublicationError> {
    let Some(nar) = tree.find(&["nar"])? else {
        return Ok(Vec::new());
    };
    let mut nars = Vec::new();
    for folder in FOLDERS {
        if let Some(entry) = tree.entry(&nar.cid, folder)? {
            nars.push((folder, count::entries(tree, &entry.cid, jobs, |_| true)?));
        }
    }
    let beside = count::entries(tree, &nar.cid, jobs, |name| !FOLDERS.contains(&name))?;
    if beside.entries > 0 {
        nars.push(("uncompressed", beside));
    }
    Ok(nars)
}

/// An RFC 3339 time to the minute.
fn minutes(time: &str) -> String {
    match (time.get(..10), time.get(11..16), time.ends_with('Z')) {
        (Some(day), Some(minute), true) => format!("{day} {minute} UTC"),
        _ => time.to_owned(),
    }
}

/// Prints the store path of each narinfo.
fn list(tree: &Tree, jobs: u16, report: &Report) -> Result<Exit, Failure> {
    let mut paths = Vec::new();
    let mut exit = Exit::Done;
    let work = |found: Found| {
        let path = found.narinfo.map(|narinfo| narinfo.store_path.to_string());
        (found.name, path)
    };
    scan::narinfos(tree, jobs, work, |(name, path)| match path {
        Ok(path) => {
            report.result(&path);
            paths.push(path);
        }
        Err(reason) => {
            report.error(&format!(
                "{name}: {reason}\n`guix-ipfs verify --repair` fetches what is broken again"
            ));
            exit = Exit::Partly;
        }
    })?;
    report.sum(&json!({
        "command": "resolve",
        "root": tree.root.to_string(),
        "store_paths": paths,
    }));
    Ok(exit)
}

/// The URL that a client on this machine can substitute from. A client does not
/// follow the redirect that `localhost` would answer, so the address is a number.
fn gateway(node: &Node, path: &str) -> Result<Option<String>, Failure> {
    Ok(node.gateways()?.iter().find_map(|address| {
        let url = address.parse::<crate::node::Address>().ok()?.url;
        let url = url
            .replace("//0.0.0.0:", "//127.0.0.1:")
            .replace("//[::]:", "//[::1]:");
        Some(format!("{url}/{path}"))
    }))
}
