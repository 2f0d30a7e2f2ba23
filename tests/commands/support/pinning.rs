//! A pinning service of the published Pinning Services API, over loopback, whose pins
//! change their states as a test says.
//! Source: <https://ipfs.github.io/pinning-services-api-spec/>.

use super::TestNode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// The key that the service asks for.
pub const TOKEN: &str = "s3cret-t0ken";

/// The service, until it is dropped or the process ends.
pub struct PinningService {
    pub url: String,
    state: Arc<Mutex<State>>,
}

/// A pin as the service keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePin {
    pub id: u64,
    pub cid: String,
    pub name: String,
    pub status: String,
    /// The addresses at which it is said to be.
    pub origins: Vec<String>,
}

/// The way in which the service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Good,
    /// Each request with this status and a reason.
    Fails(u16),
    /// Each new pin with this status and a reason.
    Refuses(u16),
    /// Nothing, while the connection stays.
    Hangs,
    /// After this time.
    Slow(Duration),
    /// A page of HTML.
    Page,
    /// New pins are taken, and never answered.
    TakesSilently,
    /// There is one pin of a CID, whose name is the last one, as in a cluster.
    OnePerCid,
    /// With every pin that it has, whatever it is asked for.
    ListsAll,
    /// The CIDs in version 1, and no names.
    Respells,
    /// The second page of a list with an error.
    FailsLater,
}

struct State {
    pins: Vec<ServicePin>,
    next: u64,
    manner: Manner,
    /// The state of new pins.
    first: &'static str,
    /// The addresses that the service fetches from.
    delegates: Vec<String>,
    /// The requests: the method and the path.
    asked: Vec<String>,
    /// Connections are closed at once.
    is_away: bool,
}

impl PinningService {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            pins: Vec::new(),
            next: 1,
            manner: Manner::Good,
            first: "queued",
            delegates: Vec::new(),
            asked: Vec::new(),
            is_away: false,
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // A client that goes away is what some tests are for.
                thread::spawn(move || serve(client, &state));
            }
        });
        Self { url, state }
    }

    /// Sets it up on a Kubo under this name.
    pub fn on(self, node: &TestNode, name: &str) -> Self {
        node.ipfs("pin remote service add", &[name, &self.url, TOKEN]);
        self
    }

    pub fn behaves(&self, manner: Manner) {
        self.lock().manner = manner;
    }

    /// Closes connections without an answer, or serves again.
    pub fn goes_away(&self, is_away: bool) {
        self.lock().is_away = is_away;
    }

    /// Gives this state to new pins.
    pub fn begins_with(&self, status: &'static str) {
        self.lock().first = status;
    }

    /// Names these addresses to whoever asks for a pin.
    pub fn fetches_from(&self, delegates: Vec<String>) {
        self.lock().delegates = delegates;
    }

    /// Brings the pins of a root into a state.
    pub fn becomes(&self, cid: &str, status: &str) {
        let mut state = self.lock();
        let pins = state.pins.iter_mut().filter(|pin| pin.cid == cid);
        let changed = pins.map(|pin| pin.status = status.to_owned()).count();
        assert!(changed > 0, "no pin of {cid}");
    }

    /// Loses every pin.
    pub fn forgets(&self) {
        self.lock().pins.clear();
    }

    /// Takes a pin that somebody else asks for.
    pub fn holds(&self, cid: &str, name: &str, status: &str) {
        self.lock().add(cid, name, status, Vec::new());
    }

    /// All pins, the oldest first.
    pub fn pins(&self) -> Vec<ServicePin> {
        self.lock().pins.clone()
    }

    /// The roots with their states, of the pins whose names begin so, the oldest first.
    pub fn roots(&self, beginning: &str) -> Vec<(String, String)> {
        let pins = self.pins().into_iter();
        let named = pins.filter(|pin| pin.name.starts_with(beginning));
        named.map(|pin| (pin.cid, pin.status)).collect()
    }

    /// The requests since this was last asked: `POST /pins`.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().asked)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn add(&mut self, cid: &str, name: &str, status: &str, origins: Vec<String>) -> ServicePin {
        if self.manner == Manner::OnePerCid {
            self.pins.retain(|pin| pin.cid != cid);
        }
        let pin = ServicePin {
            id: self.next,
            cid: cid.to_owned(),
            name: name.to_owned(),
            status: status.to_owned(),
            origins,
        };
        self.next += 1;
        self.pins.push(pin.clone());
        pin
    }

    /// The form of a pin in an answer.
    fn shown(&self, pin: &ServicePin) -> Value {
        let (cid, name) = match self.manner {
            Manner::Respells => (version_1(&pin.cid), ""),
            _ => (pin.cid.clone(), pin.name.as_str()),
        };
        json!({
            "requestid": format!("request-{}", pin.id),
            "status": pin.status,
            "created": created(pin.id),
            "pin": { "cid": cid, "name": name, "origins": pin.origins, "meta": {} },
            "delegates": self.delegates,
            "info": {},
        })
    }

    fn answer(&mut self, request: &Request) -> (u16, Value) {
        self.asked
            .push(format!("{} {}", request.method, request.path));
        if request.token.as_deref() != Some(TOKEN) {
            return (401, failure("UNAUTHORIZED", "no such key"));
        }
        if let Manner::Fails(status) = self.manner {
            return (status, failure("OUT_OF_ORDER", "come back later"));
        }
        match (request.method.as_str(), request.id()) {
            ("POST", None) if matches!(self.manner, Manner::Refuses(_)) => {
                let Manner::Refuses(status) = self.manner else {
                    unreachable!()
                };
                (status, failure("INSUFFICIENT_FUNDS", "pay first"))
            }
            ("POST", None) => {
                let pin = &request.body;
                let origins = pin["origins"].as_array().into_iter().flatten();
                let origins = origins.map(|origin| origin.as_str().unwrap().to_owned());
                let origins = origins.collect();
                let name = pin["name"].as_str().unwrap_or_default();
                let pin = self.add(pin["cid"].as_str().unwrap(), name, self.first, origins);
                (202, self.shown(&pin))
            }
            ("GET", None) => self.list(&request.query),
            ("GET", Some(id)) => match self.pins.iter().find(|pin| pin.id == id) {
                Some(pin) => (200, self.shown(pin)),
                None => (404, failure("NOT_FOUND", "no such request")),
            },
            ("DELETE", Some(id)) => {
                let before = self.pins.len();
                self.pins.retain(|pin| pin.id != id);
                match self.pins.len() < before {
                    true => (202, Value::Null),
                    false => (404, failure("NOT_FOUND", "no such request")),
                }
            }
            _ => (400, failure("BAD_REQUEST", "not of this API")),
        }
    }

    /// A page of the list: the newest first, and how many there are in all.
    fn list(&self, query: &BTreeMap<String, String>) -> (u16, Value) {
        if self.manner == Manner::FailsLater && query.contains_key("before") {
            return (500, failure("OUT_OF_ORDER", "come back later"));
        }
        let of = |name: &str| query.get(name).map(String::as_str);
        let one_of = |name: &str, value: &str| {
            of(name).is_none_or(|values| values.split(',').any(|it| it == value))
        };
        let status = of("status").unwrap_or("pinned");
        let is_wanted = |pin: &&ServicePin| {
            let is_spelled = one_of("cid", &pin.cid) || one_of("cid", &version_1(&pin.cid));
            let is_named = of("name").is_none_or(|name| name == self.shown(pin)["pin"]["name"]);
            let is_before = of("before").is_none_or(|before| *created(pin.id) < *whole(before));
            let filtered = is_spelled && is_named && status.split(',').any(|it| it == pin.status);
            (filtered || self.manner == Manner::ListsAll) && is_before
        };
        let found: Vec<_> = self.pins.iter().rev().filter(is_wanted).collect();
        let limit = of("limit").map_or(10, |limit| limit.parse().unwrap());
        let page: Vec<_> = found.iter().take(limit).collect();
        let page: Vec<_> = page.into_iter().map(|pin| self.shown(pin)).collect();
        (200, json!({ "count": found.len(), "results": page }))
    }
}

/// The time of a request: many within a second.
fn created(id: u64) -> String {
    format!("2026-11-27T00:00:{:02}.{:09}Z", id / 400, id % 400 * 1000)
}

/// The same time with all its digits, as Go leaves off the zeros at the end.
fn whole(time: &str) -> String {
    let time = time.trim_end_matches('Z');
    match time.split_once('.') {
        Some((seconds, fraction)) => format!("{seconds}.{fraction:0<9}Z"),
        None => format!("{time}.000000000Z"),
    }
}

fn version_1(cid: &str) -> String {
    let cid: cid::Cid = cid.parse().unwrap();
    cid::Cid::new_v1(cid.codec(), *cid.hash()).to_string()
}

fn failure(reason: &str, details: &str) -> Value {
    json!({ "error": { "reason": reason, "details": details } })
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    token: Option<String>,
    body: Value,
}

impl Request {
    fn read(client: &TcpStream) -> io::Result<Self> {
        let mut reader = BufReader::new(client);
        let mut head = String::new();
        while reader.read_line(&mut head)? > 2 {}
        let mut words = head.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query = pairs.map(|(name, value)| (decoded(name), decoded(value)));
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            let mut found = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value.to_owned())
        };
        let length = header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let token = header("authorization");
        Ok(Self {
            method,
            path: path.to_owned(),
            query: query.collect(),
            token: token.and_then(|token| Some(token.strip_prefix("Bearer ")?.to_owned())),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }

    /// The number of the pin in `/pins/request-7`.
    fn id(&self) -> Option<u64> {
        let id = self.path.strip_prefix("/pins/request-")?;
        Some(id.parse().unwrap())
    }
}

fn serve(mut client: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    if state.lock().unwrap().is_away {
        return Ok(());
    }
    let request = Request::read(&client)?;
    let manner = state.lock().unwrap().manner;
    match manner {
        Manner::Hangs => {
            state.lock().unwrap().asked.push("hangs".to_owned());
            // Until the client has had enough.
            client.read_to_end(&mut Vec::new())?;
            return Ok(());
        }
        Manner::Slow(time) => thread::sleep(time),
        Manner::Page => {
            let page = format!("<html>{}</html>", "so sorry ".repeat(2000));
            let length = page.len();
            return write!(
                client,
                "HTTP/1.1 503 Down\r\nContent-Type: text/html\r\nConnection: close\r\n\
                 Content-Length: {length}\r\n\r\n{page}"
            );
        }
        _ => {}
    }
    let (status, body) = state.lock().unwrap().answer(&request);
    if manner == Manner::TakesSilently && request.method == "POST" {
        client.read_to_end(&mut Vec::new())?;
        return Ok(());
    }
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 {status} It\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}
