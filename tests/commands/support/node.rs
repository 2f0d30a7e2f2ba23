//! A node of either kind, with a folder of its own.

use super::kubo::{Kubo, Setup};
use super::reader::PublishedTree;
use guix_ipfs::gateway::{self, http::Server};
use guix_ipfs::ipfs::cid::{Cid, CidVersion};
use guix_ipfs::node::kubo::{KuboNode, TimeLimits};
use guix_ipfs::node::local::LocalNode;
use guix_ipfs::node::{KnownBlocks, Node, PublishOptions, Segment};
use guix_ipfs::publication::Tree;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub struct TestNode {
    /// The value of `--api`.
    pub api: String,
    /// The gateway, `http://127.0.0.1:PORT`.
    pub gateway: String,
    agent: ureq::Agent,
    kind: Kind,
}

enum Kind {
    Local {
        node: Arc<LocalNode>,
        folder: TempDir,
        _gateway: Server,
    },
    Kubo {
        node: Box<KuboNode>,
        daemon: Kubo,
    },
}

/// The answer to an HTTP request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

impl TestNode {
    /// A local store, served by a gateway of this process.
    pub fn local() -> Self {
        Self::local_in(&std::env::temp_dir())
    }

    /// The same in a folder below `parent`.
    pub fn local_in(parent: &Path) -> Self {
        let folder = tempfile::tempdir_in(parent).unwrap();
        let node = Arc::new(LocalNode::open(folder.path()).unwrap());
        let gateway = gateway::serve(Arc::clone(&node) as Arc<dyn Node>, 0).unwrap();
        Self {
            api: format!("embedded:{}", folder.path().display()),
            gateway: gateway.url(),
            agent: agent(),
            kind: Kind::Local {
                node,
                folder,
                _gateway: gateway,
            },
        }
    }

    /// A new Kubo.
    pub fn kubo() -> Self {
        Self::kubo_with(Setup::default())
    }

    /// A new Kubo with this setup.
    pub fn kubo_with(setup: Setup) -> Self {
        Self::of_kubo(Kubo::start(setup))
    }

    pub(super) fn of_kubo(daemon: Kubo) -> Self {
        let limits = TimeLimits {
            connect: Duration::from_secs(20),
            read: Duration::from_secs(60),
        };
        // One that asks for a password is asked by the program only.
        let address = match &daemon.password {
            Some(password) => daemon.api.replace("//", &format!("//{password}@")),
            None => daemon.api.clone(),
        };
        let node = KuboNode::connect(&address.parse().unwrap(), limits).unwrap();
        Self {
            api: daemon.api.clone(),
            gateway: daemon.gateway.clone(),
            agent: agent(),
            kind: Kind::Kubo {
                node: Box::new(node),
                daemon,
            },
        }
    }

    pub fn is_kubo(&self) -> bool {
        matches!(self.kind, Kind::Kubo { .. })
    }

    /// The node through the program's own back end: to arrange a situation, never to
    /// judge one.
    pub fn node(&self) -> &dyn Node {
        match &self.kind {
            Kind::Local { node, .. } => &**node,
            Kind::Kubo { node, .. } => &**node,
        }
    }

    /// The daemon, for tests on Kubo only.
    pub fn daemon(&self) -> &Kubo {
        match &self.kind {
            Kind::Kubo { daemon, .. } => daemon,
            Kind::Local { .. } => panic!("this is not Kubo"),
        }
    }

    /// The same, to stop it and start it anew.
    pub fn daemon_mut(&mut self) -> &mut Kubo {
        match &mut self.kind {
            Kind::Kubo { daemon, .. } => daemon,
            Kind::Local { .. } => panic!("this is not Kubo"),
        }
    }

    /// Returns true for a Kubo before 0.40, which cannot tell a name's record and
    /// lets add-link into sharded directories.
    pub fn is_old_kubo(&self) -> bool {
        self.is_kubo() && !self.node().description().capabilities.sequence
    }

    /// Runs Kubo's own program beside its daemon ([`Kubo::ipfs`]).
    pub fn ipfs(&self, command: &str, arguments: &[&str]) -> String {
        self.daemon().ipfs(command, arguments)
    }

    /// Calls the RPC of a Kubo; `call` is a command with its query.
    pub fn rpc(&self, call: &str) -> Answer {
        let url = format!("{}/api/v0/{call}", self.daemon().api);
        answer(agent().post(url).send_empty())
    }

    /// Calls the RPC of a Kubo with one file to upload.
    pub fn upload(&self, call: &str, content: &[u8]) -> Answer {
        let mut form = b"--frontier\r\nContent-Disposition: form-data; name=\"file\"; \
                         filename=\"file\"\r\n\r\n"
            .to_vec();
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n--frontier--\r\n");
        let request = self.agent.post(format!("{}/api/v0/{call}", self.api));
        let request = request.content_type("multipart/form-data; boundary=frontier");
        answer(request.send(&form[..]))
    }

    /// Calls the RPC of a Kubo, which must succeed with one JSON value.
    pub fn json(&self, call: &str) -> Value {
        let answer = self.rpc(call);
        assert_eq!(answer.status, 200, "{call}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Makes a key, if there is none, and returns its IPNS name.
    pub fn create_key(&self, name: &str) -> String {
        match self.key_id(name) {
            Some(id) => id,
            None => self.node().create_key(name).unwrap().id,
        }
    }

    /// The IPNS name of a key.
    pub fn key_id(&self, name: &str) -> Option<String> {
        let keys = self.node().keys().unwrap().into_iter();
        keys.into_iter()
            .find(|key| key.name == name)
            .map(|key| key.id)
    }

    /// Points the name of a key, which is made where there is none, to a root.
    pub fn publish(&self, key: &str, root: &str) {
        self.create_key(key);
        let mut keys = self.node().keys().unwrap().into_iter();
        let key = keys.find(|found| found.name == key).unwrap();
        let options = PublishOptions {
            lifetime: Duration::from_secs(48 * 3600),
            allow_offline: true,
            sequence: None,
        };
        let root = root.parse().unwrap();
        self.node().publish(&key, &root, &options).unwrap();
    }

    /// Points the name of a key to any path.
    pub fn point(&self, key: &str, path: &str) {
        let id = self.key_id(key).unwrap();
        match &self.kind {
            Kind::Kubo { .. } => {
                let options = "resolve=false&allow-offline=true&lifetime=48h";
                self.json(&format!("name/publish?arg={path}&key={key}&{options}"));
            }
            Kind::Local { folder, .. } => {
                let file = folder.path().join("names.json");
                let names = std::fs::read(&file).unwrap();
                let mut names: Value = serde_json::from_slice(&names).unwrap();
                names[&id]["value"] = path.into();
                std::fs::write(&file, names.to_string()).unwrap();
            }
        }
        assert_ne!(self.node().resolve(&id).unwrap(), None, "{path}");
    }

    /// Takes blocks away without a word, as a bad disk does; all of them where none is
    /// named.
    pub fn lose_blocks(&mut self, cids: &[Cid]) {
        match &mut self.kind {
            Kind::Local { folder, .. } => lose(&folder.path().join("blocks"), cids),
            Kind::Kubo { daemon, .. } => {
                daemon.kill();
                lose(&daemon.repo().join("blocks"), cids);
                daemon.restart();
            }
        }
    }

    /// Gives a key another name.
    pub fn rename_key(&self, old: &str, new: &str) {
        let mut keys = self.node().keys().unwrap().into_iter();
        let key = keys.find(|key| key.name == old).unwrap();
        self.node().rename_key(&key, new).unwrap();
    }

    /// Every recursive pin with its name, as the node itself keeps it.
    pub fn pins(&self) -> BTreeMap<String, String> {
        match &self.kind {
            Kind::Local { folder, .. } => match std::fs::read(folder.path().join("pins.json")) {
                Ok(pins) => serde_json::from_slice(&pins).unwrap(),
                Err(_) => BTreeMap::new(),
            },
            Kind::Kubo { .. } => {
                let pins = self.json("pin/ls?type=recursive&names=true");
                let pins = pins["Keys"].as_object().cloned().unwrap_or_default();
                let pins = pins.into_iter().map(|(cid, pin)| {
                    let name = pin["Name"].as_str().unwrap_or_default();
                    (cid, name.to_owned())
                });
                // Kubo's own.
                let empty = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
                pins.filter(|(cid, _)| cid != empty).collect()
            }
        }
    }

    /// The roots of the pins whose names contain `part`.
    pub fn pins_named(&self, part: &str) -> Vec<String> {
        let pins = self.pins().into_iter();
        pins.filter(|(_, name)| name.contains(part))
            .map(|(cid, _)| cid)
            .collect()
    }

    /// Removes all pins whose names contain `part`.
    pub fn unpin_named(&self, part: &str) {
        for cid in self.pins_named(part) {
            self.node().unpin(&cid.parse().unwrap()).unwrap();
        }
    }

    /// Stores blocks, unprotected from the collector.
    pub fn store(&self, blocks: impl IntoIterator<Item = (Cid, Vec<u8>)>) {
        let send = |segment: Segment| {
            let segment = segment.seal();
            self.node().import(&segment).unwrap();
            self.node().unpin(&segment.staging).unwrap();
        };
        let mut segment = Segment::default();
        for (cid, block) in blocks {
            segment.push(cid, block);
            if segment.is_full() {
                send(std::mem::take(&mut segment));
            }
        }
        send(segment);
    }

    /// Pins a root.
    pub fn pin(&self, root: &Cid) {
        self.node().pin(root, "", KnownBlocks::Unsure).unwrap();
    }

    /// Adds a file, unprotected from the collector, and returns its CID.
    pub fn add(&self, content: &[u8]) -> Cid {
        self.add_as(CidVersion::V0, content)
    }

    /// The same in either CID version.
    pub fn add_as(&self, version: CidVersion, mut content: &[u8]) -> Cid {
        self.node().add_file(version, &mut content).unwrap().cid
    }

    /// Runs the collector.
    pub fn collect_garbage(&self) -> u64 {
        self.node().collect_garbage().unwrap()
    }

    /// Returns true when the node holds this block.
    pub fn has_block(&self, cid: &Cid) -> bool {
        self.node().block_size(cid).unwrap().is_some()
    }

    /// Returns true for a node whose blocks can be lost behind its back: not an old
    /// Kubo, which has no way to forget one that is pinned.
    pub fn can_lose_blocks(&self) -> bool {
        !self.is_old_kubo()
    }

    /// Takes a block away, pinned or not.
    pub fn lose(&self, cid: &Cid) {
        match &self.kind {
            Kind::Local { folder, .. } => {
                std::fs::remove_file(block_file(folder.path(), cid)).unwrap();
            }
            Kind::Kubo { .. } => {
                self.damage(cid);
                // Its cache is told, which would go on counting on the file.
                let dropped = self.rpc("repo/verify?drop=true");
                assert!(dropped.text().contains("1 removed"), "{}", dropped.text());
            }
        }
    }

    /// Cuts the file of a block in half, as a power cut may.
    pub fn damage(&self, cid: &Cid) {
        let file = self.file_of(cid);
        let content = std::fs::read(&file).unwrap();
        std::fs::write(&file, &content[..content.len() / 2]).unwrap();
    }

    /// Puts a folder into the place of a block's file, which nobody can remove then.
    pub fn obstruct(&self, cid: &Cid) {
        let file = self.file_of(cid);
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        std::fs::write(file.join("in the way"), "").unwrap();
    }

    /// The file of a block.
    fn file_of(&self, cid: &Cid) -> PathBuf {
        match &self.kind {
            Kind::Local { folder, .. } => block_file(folder.path(), cid),
            Kind::Kubo { daemon, .. } => flatfs_file(daemon.repo(), cid),
        }
    }

    /// The CID of what is published at a path below a root.
    pub fn cid_at(&self, root: &str, path: &str) -> Cid {
        let tree = Tree::new(self.node(), root.parse().unwrap());
        let names: Vec<&str> = path.split('/').collect();
        tree.find(&names).unwrap().unwrap().cid
    }

    /// The bytes of a block as the node keeps it: the file of a local store, or the
    /// answer of Kubo's RPC.
    pub fn raw_block(&self, cid: &str) -> Option<Vec<u8>> {
        match &self.kind {
            Kind::Kubo { .. } => {
                let answer = self.rpc(&format!("block/get?arg={cid}&offline=true"));
                (answer.status == 200).then_some(answer.body)
            }
            Kind::Local { folder, .. } => {
                let cid: cid::Cid = cid.parse().unwrap();
                std::fs::read(block_file(folder.path(), &cid)).ok()
            }
        }
    }

    /// Everything below a published root, read by the tests' own reader.
    pub fn published(&self, root: &str) -> PublishedTree {
        self.published_through(&|cid| self.raw_block(cid), root)
    }

    /// The same, with each block as `get` has it.
    pub fn published_through(
        &self,
        get: &dyn Fn(&str) -> Option<Vec<u8>>,
        root: &str,
    ) -> PublishedTree {
        PublishedTree::read(get, root)
    }

    /// Asks the gateway.
    pub fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(format!("{}{path}", self.gateway)).call())
    }
}

/// Removes the files of these blocks from a local store or a Kubo's: all where none is
/// named.
fn lose(folder: &Path, cids: &[Cid]) {
    let names: Vec<_> = cids.iter().map(file_names).collect();
    for shelf in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let Ok(files) = std::fs::read_dir(shelf.path()) else {
            continue;
        };
        for file in files.map(|file| file.unwrap().path()) {
            let name = file.file_name().unwrap().to_str().unwrap();
            if cids.is_empty() || names.iter().flatten().any(|it| it == name) {
                std::fs::remove_file(file).unwrap();
            }
        }
    }
}

/// The names that the two nodes give to the file of a block.
fn file_names(cid: &Cid) -> [String; 2] {
    let cid: cid::Cid = cid.to_string().parse().unwrap();
    let hash = cid.hash().to_bytes();
    let local = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let kubo = cid::multibase::Base::Base32Upper.encode(&hash);
    [local, format!("{kubo}.data")]
}

/// The file of a block in a local store.
fn block_file(folder: &Path, cid: &cid::Cid) -> PathBuf {
    let hash = cid.hash().to_bytes();
    let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let shelf = name[name.len() - 2..].to_owned();
    folder.join("blocks").join(shelf).join(name)
}

/// The file of a block in the repository of a Kubo: the base 32 of its multihash, in a
/// folder named by the two characters before the last.
fn flatfs_file(repo: &Path, cid: &cid::Cid) -> PathBuf {
    let mut name = String::new();
    let (mut bits, mut value) = (0, 0u32);
    for byte in cid.hash().to_bytes().iter().chain(&[0; 4]) {
        value = value << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let digit = (value >> bits & 31) as usize;
            name.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[digit]));
        }
    }
    name.truncate((cid.hash().to_bytes().len() * 8).div_ceil(5));
    let folder = &name[name.len() - 3..name.len() - 1];
    repo.join("blocks")
        .join(folder)
        .join(format!("{name}.data"))
}

pub fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .build();
    ureq::Agent::new_with_config(config)
}

pub fn answer(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let (parts, body) = result.unwrap().into_parts();
    let mut bytes = Vec::new();
    body.into_reader().read_to_end(&mut bytes).unwrap();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: bytes,
    }
}
