//! A node of either kind, with a folder of its own.

use super::kubo::{Kubo, Setup};
use guix_ipfs::embedded::{Running, start_foreground};
use serde_json::Value;
use std::io::Read;
use tempfile::TempDir;

pub struct TestNode {
    /// The RPC, `http://127.0.0.1:PORT`.
    pub api: String,
    /// The gateway, likewise.
    pub gateway: String,
    agent: ureq::Agent,
    kind: Kind,
}

enum Kind {
    // The node ends before its folder goes.
    Embedded(#[allow(dead_code)] Running, #[allow(dead_code)] TempDir),
    Kubo(Kubo),
}

/// What an HTTP request was answered.
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
    pub fn embedded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = start_foreground(folder.path(), 0, 0).unwrap();
        Self {
            api: running.rpc_url(),
            gateway: running.gateway_url().unwrap(),
            agent: agent(),
            kind: Kind::Embedded(running, folder),
        }
    }

    /// A new Kubo, or `None` where no `ipfs` is found.
    pub fn kubo() -> Option<Self> {
        Self::kubo_with(Setup::default())
    }

    /// The same, set up as wished.
    pub fn kubo_with(setup: Setup) -> Option<Self> {
        Kubo::start(setup).map(Self::of_kubo)
    }

    pub(super) fn of_kubo(kubo: Kubo) -> Self {
        Self {
            api: kubo.api.clone(),
            gateway: kubo.gateway.clone(),
            agent: agent(),
            kind: Kind::Kubo(kubo),
        }
    }

    pub fn is_kubo(&self) -> bool {
        matches!(self.kind, Kind::Kubo(_))
    }

    /// Whether it is a Kubo before 0.40, which cannot tell a name's record and
    /// lets add-link into sharded directories.
    pub fn is_old_kubo(&self) -> bool {
        let version = self.json("version")["Version"].as_str().unwrap().to_owned();
        let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
        self.is_kubo() && minor < 40
    }

    /// The daemon, for what only Kubo does.
    pub fn daemon(&self) -> &Kubo {
        match &self.kind {
            Kind::Kubo(kubo) => kubo,
            Kind::Embedded(..) => panic!("this is not Kubo"),
        }
    }

    /// The same, to stop it and start it anew.
    pub fn daemon_mut(&mut self) -> &mut Kubo {
        match &mut self.kind {
            Kind::Kubo(kubo) => kubo,
            Kind::Embedded(..) => panic!("this is not Kubo"),
        }
    }

    /// Runs Kubo's own program beside its daemon ([`Kubo::ipfs`]).
    pub fn ipfs(&self, command: &str, arguments: &[&str]) -> String {
        self.daemon().ipfs(command, arguments)
    }

    /// Calls the RPC; `call` is a command with its query.
    pub fn rpc(&self, call: &str) -> Answer {
        answer(
            agent()
                .post(format!("{}/api/v0/{call}", self.api))
                .send_empty(),
        )
    }

    /// Calls the RPC with one file to upload.
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

    /// Calls the RPC, which must succeed with one JSON value.
    pub fn json(&self, call: &str) -> Value {
        let answer = self.rpc(call);
        assert_eq!(answer.status, 200, "{call}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Points the name of a key, which is made where there is none, to a root.
    pub fn publish(&self, key: &str, root: &str) {
        self.rpc(&format!("key/gen?arg={key}&type=ed25519"));
        let options = "allow-offline=true&resolve=false";
        self.json(&format!(
            "name/publish?arg=/ipfs/{root}&key={key}&{options}"
        ));
    }

    /// Unpins all that bears a name which contains `part`.
    pub fn unpin_named(&self, part: &str) {
        let pins = self.json(&format!("pin/ls?type=recursive&name={part}&names=true"));
        for cid in pins["Keys"].as_object().unwrap().keys() {
            self.json(&format!("pin/rm?arg={cid}"));
        }
    }

    /// Gives a key another name.
    pub fn rename_key(&self, was: &str, now: &str) {
        self.json(&format!("key/rename?arg={was}&arg={now}"));
    }

    /// Asks the gateway.
    pub fn get(&self, path: &str) -> Answer {
        answer(self.agent.get(format!("{}{path}", self.gateway)).call())
    }

    /// Adds a file, as `ipfs add --pin=false` does, and gives its CID.
    pub fn add(&self, content: &[u8]) -> String {
        let answer = self.upload("add?pin=false", content);
        let line: Value = serde_json::from_slice(&answer.body).unwrap();
        line["Hash"].as_str().unwrap().to_owned()
    }
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
